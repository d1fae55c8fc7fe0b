//! Listeners: where the server listens, what is spoken there, and what goes together.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::ops::Range;
use std::str::FromStr;

use ipnet::{IpNet, Ipv4Net};
use proto::smtp::server::Role;
use serde::de::{Deserializer, Error as _};
use serde::{Deserialize, Serialize};
use thiserror::Error;
use toml::Spanned;

use super::Endpoint;

/// Where the server listens, and how.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Written")]
pub struct Listen {
    /// What is spoken there.
    pub protocol: Protocol,
    /// The address.
    pub address: Endpoint,
    /// Whether and how it is encrypted; on a Unix domain socket it never is.
    pub tls: Tls,
    /// Whether other mail servers may deliver to our users there, over SMTP.
    pub from_outside: bool,
    /// The proxies that tell of each connection whose it is (the PROXY protocol). What others say of themselves is not believed.
    pub proxied_by: Vec<IpNet>,
}

/// A listener as it stands in the file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    protocol: Protocol,
    address: Endpoint,
    tls: Option<Tls>,
    #[serde(default)]
    from_outside: bool,
    #[serde(default, deserialize_with = "networks")]
    proxied_by: Vec<IpNet>,
}

impl From<Written> for Listen {
    fn from(written: Written) -> Self {
        let Written { protocol, address, tls, from_outside, proxied_by } = written;
        let tls = tls.unwrap_or_else(|| Tls::usual_on(&address));
        Self { protocol, address, tls, from_outside, proxied_by }
    }
}

impl Listen {
    /// SMTP for our own clients, encrypted when they ask for it.
    pub fn smtp(address: SocketAddr) -> Self {
        Self::usual(Protocol::Smtp, address.into())
    }

    /// SMTP for mail programs, encrypted when they ask for it.
    pub fn submission(address: SocketAddr) -> Self {
        Self::usual(Protocol::Submission, address.into())
    }

    /// LMTP for a mail server, encrypted when it asks for it, but in clear on a Unix domain socket.
    pub fn lmtp(address: impl Into<Endpoint>) -> Self {
        Self::usual(Protocol::Lmtp, address.into())
    }

    /// POP3, encrypted when clients ask for it.
    pub fn pop3(address: SocketAddr) -> Self {
        Self::usual(Protocol::Pop3, address.into())
    }

    fn usual(protocol: Protocol, address: Endpoint) -> Self {
        Self { protocol, tls: Tls::usual_on(&address), address, from_outside: false, proxied_by: Vec::new() }
    }

    /// Whom it is for, where it speaks SMTP or LMTP.
    pub(crate) fn role(&self) -> Role {
        match self.protocol {
            Protocol::Lmtp => Role::Lmtp,
            Protocol::Submission => Role::Submission,
            Protocol::Smtp if self.from_outside => Role::Exchanger,
            Protocol::Smtp | Protocol::Pop3 => Role::Clients,
        }
    }

    /// Whether whoever connects from there is a proxy, and has to tell whose connection it is.
    pub(crate) fn is_proxied_by(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.proxied_by.iter().any(|network| network.contains(&address))
    }
}

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.protocol, self.address)
    }
}

/// The text is no `PROTOCOL=ADDRESS`.
#[derive(Debug, Error)]
#[error(
    "expected PROTOCOL=ADDRESS, as in smtp=127.0.0.1:2525: the protocol is smtp, submission, lmtp or pop3, encrypted when a client asks for it, or smtps, submissions or pop3s, encrypted from the start; the address is an IP address with a port, for lmtp also unix: and the path of a socket, but never port 25"
)]
pub struct BadListen;

impl FromStr for Listen {
    type Err = BadListen;

    fn from_str(text: &str) -> Result<Self, BadListen> {
        let (protocol, address) = text.split_once('=').ok_or(BadListen)?;
        let address: Endpoint = address.parse().map_err(|_| BadListen)?;
        let (protocol, tls) = match protocol {
            "smtp" => (Protocol::Smtp, Tls::Starttls),
            "smtps" => (Protocol::Smtp, Tls::Implicit),
            "submission" => (Protocol::Submission, Tls::Starttls),
            "submissions" => (Protocol::Submission, Tls::Implicit),
            "lmtp" => (Protocol::Lmtp, Tls::usual_on(&address)),
            "pop3" => (Protocol::Pop3, Tls::Starttls),
            "pop3s" => (Protocol::Pop3, Tls::Implicit),
            _ => return Err(BadListen),
        };
        match (&address, protocol) {
            _ if is_taken_for_smtp(protocol, &address) => Err(BadListen),
            (Endpoint::Tcp(_), _) | (Endpoint::Unix(_), Protocol::Lmtp) => {
                Ok(Self { tls, ..Self::usual(protocol, address) })
            }
            (Endpoint::Unix(_), _) => Err(BadListen),
        }
    }
}

/// What a listener speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// SMTP, with registration and retrieval.
    Smtp,
    /// SMTP for mail programs, which log in before they send (RFC 6409).
    Submission,
    /// LMTP, for a mail server that has taken the mail for us (RFC 2033).
    Lmtp,
    /// POP3.
    Pop3,
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Smtp => "smtp",
            Self::Submission => "submission",
            Self::Lmtp => "lmtp",
            Self::Pop3 => "pop3",
        })
    }
}

/// Whether and how a listener is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Tls {
    /// Not at all: passwords are taken from this machine's own clients only.
    Off,
    /// Once a client asks for it, with STARTTLS (RFC 3207) or STLS (RFC 2595).
    Starttls,
    /// From the first octet (RFC 8314 §3).
    Implicit,
}

impl Tls {
    /// What is meant where nothing is said.
    fn usual_on(address: &Endpoint) -> Self {
        match address {
            Endpoint::Tcp(_) => Self::Starttls,
            Endpoint::Unix(_) => Self::Off,
        }
    }
}

/// Where all the world speaks SMTP.
const SMTP_PORT: u16 = 25;

/// Listeners: at least one, no two that want the same address, and nothing that LMTP's peers could take for SMTP.
pub(super) fn listeners<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Listen>, D::Error> {
    let listeners: Vec<Listen> = Vec::deserialize(deserializer)?;
    let twice = listeners.iter().enumerate().find(|(at, listen)| {
        !listen.address.is_any_port() && listeners[..*at].iter().any(|earlier| earlier.address == listen.address)
    });
    match twice {
        _ if listeners.iter().any(|listen| is_taken_for_smtp(listen.protocol, &listen.address)) => {
            Err(D::Error::custom("lmtp can't have port 25, which is for smtp (RFC 2033 §5)"))
        }
        _ if listeners.is_empty() => Err(D::Error::custom("must have at least one entry")),
        Some((_, listen)) => Err(D::Error::custom(format!("{} is there twice", listen.address))),
        None => Ok(listeners),
    }
}

/// RFC 2033 §5: what begins there is SMTP.
fn is_taken_for_smtp(protocol: Protocol, address: &Endpoint) -> bool {
    protocol == Protocol::Lmtp && address.tcp().is_some_and(|address| address.port() == SMTP_PORT)
}

/// Networks, and addresses alone, which are the smallest ones.
fn networks<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<IpNet>, D::Error> {
    let bad =
        || D::Error::custom("must be a list of IP addresses and networks, such as [\"192.0.2.7\", \"10.0.0.0/8\"]");
    let network = |text: &String| match text.parse::<IpAddr>() {
        Ok(address) => Ok(address.to_canonical().into()),
        Err(_) => text.parse().map(canonical).map_err(|_| bad()),
    };
    let texts: Vec<String> = Vec::deserialize(deserializer).map_err(|_| bad())?;
    texts.iter().map(network).collect()
}

/// The network of IPv4 that one of mapped addresses stands for (RFC 4291 §2.5.5.2): peers are known by their IPv4 addresses.
fn canonical(network: IpNet) -> IpNet {
    const MAPPED_PREFIX_LEN: u8 = 96;
    let IpNet::V6(mapped) = network else { return network };
    let prefix_len = mapped.prefix_len().checked_sub(MAPPED_PREFIX_LEN);
    let ipv4 = mapped.addr().to_ipv4_mapped().zip(prefix_len);
    ipv4.and_then(|(address, prefix_len)| Ipv4Net::new(address, prefix_len).ok()).map_or(network, IpNet::V4)
}

/// The first thing in the file that does not go together with the rest of its listener: where, and why not.
pub(super) fn misplaced(text: &str) -> Result<Option<(Range<usize>, &'static str)>, toml::de::Error> {
    #[derive(Deserialize)]
    struct Places {
        #[serde(default)]
        listen: Vec<Place>,
    }
    let places: Places = toml::from_str(text)?;
    Ok(places.listen.into_iter().find_map(Place::misplaced))
}

/// A listener and where its values stand.
#[derive(Deserialize)]
struct Place {
    protocol: Protocol,
    address: Spanned<Endpoint>,
    tls: Option<Spanned<Tls>>,
    from_outside: Option<Spanned<bool>>,
    proxied_by: Option<Spanned<Vec<String>>>,
}

impl Place {
    fn misplaced(self) -> Option<(Range<usize>, &'static str)> {
        let is_unix = matches!(self.address.get_ref(), Endpoint::Unix(_));
        if is_unix && self.protocol != Protocol::Lmtp {
            return Some((self.address.span(), "a Unix domain socket is for lmtp alone"));
        }
        if let Some(tls) = self.tls.filter(|tls| is_unix && *tls.get_ref() != Tls::Off) {
            return Some((tls.span(), "must be \"off\" on a Unix domain socket, which nobody overhears"));
        }
        if let Some(open) = self.from_outside.filter(|open| self.protocol != Protocol::Smtp && *open.get_ref()) {
            return Some((open.span(), "other mail servers deliver over smtp alone"));
        }
        let proxies = self.proxied_by.filter(|proxies| is_unix && !proxies.get_ref().is_empty())?;
        Some((proxies.span(), "no proxy connects to a Unix domain socket"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listeners_of_the_command_line() {
        for (text, protocol, tls) in [
            ("smtp=127.0.0.1:25", Protocol::Smtp, Tls::Starttls),
            ("pop3=[::1]:0", Protocol::Pop3, Tls::Starttls),
            ("submission=[::1]:587", Protocol::Submission, Tls::Starttls),
            ("lmtp=127.0.0.1:24", Protocol::Lmtp, Tls::Starttls),
            ("lmtp=unix:/run/mymail/lmtp", Protocol::Lmtp, Tls::Off),
            ("smtps=0.0.0.0:465", Protocol::Smtp, Tls::Implicit),
            ("submissions=0.0.0.0:465", Protocol::Submission, Tls::Implicit),
            ("pop3s=0.0.0.0:995", Protocol::Pop3, Tls::Implicit),
        ] {
            let listen: Listen = text.parse().unwrap();
            assert_eq!((listen.protocol, listen.tls, listen.from_outside), (protocol, tls, false), "{text}");
            assert!(listen.proxied_by.is_empty());
            let (_, address) = text.split_once('=').unwrap();
            assert_eq!(listen.to_string(), format!("{protocol}={address}"));
        }
        for text in [
            "smtp",
            "imap=127.0.0.1:143",
            "SMTP=127.0.0.1:25",
            "smtp=here:25",
            "pop3=127.0.0.1",
            "=",
            "",
            "smtp=unix:/run/mymail/smtp",
            "submissions=unix:/run/mymail/smtp",
            "pop3=unix:/run/mymail/pop3",
            "lmtps=127.0.0.1:24",
            "lmtp=0.0.0.0:25",
            "lmtp=unix:",
            "lmtp=/run/mymail/lmtp",
            "lmtp=unix:/run/a\nb",
        ] {
            assert!(text.parse::<Listen>().is_err(), "{text}");
        }
    }

    #[test]
    fn mapped_networks_are_those_of_ipv4() {
        for (network, expected) in [
            ("::ffff:10.0.0.0/104", "10.0.0.0/8"),
            ("::ffff:192.0.2.7/128", "192.0.2.7/32"),
            ("::/0", "::/0"),
            ("2001:db8::/32", "2001:db8::/32"),
        ] {
            assert_eq!(canonical(network.parse().unwrap()), expected.parse().unwrap(), "{network}");
        }
    }

    #[test]
    fn proxies_are_known_by_their_address() {
        let listen = |proxies: &[&str]| {
            let proxied_by = proxies.iter().map(|network| network.parse().unwrap()).collect();
            Listen { proxied_by, ..Listen::smtp(SocketAddr::from(([127, 0, 0, 1], 25))) }
        };
        let is_proxy = |proxies: &[&str], address: &str| listen(proxies).is_proxied_by(address.parse().unwrap());
        assert!(is_proxy(&["192.0.2.7/32"], "192.0.2.7") && !is_proxy(&["192.0.2.7/32"], "192.0.2.8"));
        assert!(is_proxy(&["2001:db8::/32", "10.0.0.0/8"], "10.255.0.1"));
        assert!(is_proxy(&["2001:db8::/32"], "2001:db8:1::1") && !is_proxy(&["2001:db8::/32"], "2001:db9::1"));
        assert!(is_proxy(&["10.0.0.0/8"], "::ffff:10.0.0.1"), "as a socket for both families has it");
        assert!(!is_proxy(&["::/0"], "::ffff:10.0.0.1"));
        assert!(!is_proxy(&[], "127.0.0.1"));
    }
}
