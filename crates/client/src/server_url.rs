//! A server and who logs in there, as one URL: `pop3s://alice@mail.example`.

use std::fmt::{self, Write};
use std::str::FromStr;

use crate::server_address::DEFAULT_PORT;
use crate::{Scheme, ServerAddress, ServerAddressError};

/// Longest user, in octets: an address has no more (RFC 5321 §4.5.3.1.3).
const USER_OCTETS_MAX: usize = 256;

/// A server, and the user to log in there as, if the URL names one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerUrl {
    /// What stands before the `@`, without its percent signs. `alice@mail.example` may be written as it is.
    pub user: Option<String>,
    /// The server.
    pub server: ServerAddress,
}

impl FromStr for ServerUrl {
    type Err = ServerAddressError;

    fn from_str(text: &str) -> Result<Self, ServerAddressError> {
        let Some((scheme, rest)) = text.split_once("://") else {
            return Ok(Self { user: None, server: ServerAddress::parse(Scheme::Smtp, text, DEFAULT_PORT)? });
        };
        let scheme = Scheme::find(scheme).ok_or(ServerAddressError::NotAServer)?;
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        let (user, server) = match rest.rsplit_once('@') {
            Some((user, server)) => (Some(decode(user)?), server),
            None => (None, rest),
        };
        Ok(Self { user, server: ServerAddress::parse(scheme, server, scheme.default_port())? })
    }
}

/// Takes the percent signs out of a user (RFC 3986 §2.1).
fn decode(text: &str) -> Result<String, ServerAddressError> {
    if text.contains(':') {
        return Err(ServerAddressError::Password);
    }
    let mut pieces = text.split('%');
    let mut user = pieces.next().unwrap_or_default().as_bytes().to_vec();
    for piece in pieces {
        let digits = piece.get(..2).filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()));
        let octet = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        user.push(octet.ok_or(ServerAddressError::NotAServer)?);
        user.extend_from_slice(&piece.as_bytes()[2..]);
    }
    let user = String::from_utf8(user).map_err(|_| ServerAddressError::NotAServer)?;
    let is_fit = (1..=USER_OCTETS_MAX).contains(&user.len()) && !user.contains(char::is_control);
    if is_fit { Ok(user) } else { Err(ServerAddressError::NotAServer) }
}

impl fmt::Display for ServerUrl {
    /// As a URL if it has a user, as its server alone otherwise.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { user: Some(user), server } = self else { return self.server.fmt(f) };
        write!(f, "{}://", server.scheme().name())?;
        for octet in user.bytes() {
            match octet {
                b'-' | b'.' | b'_' | b'~' | b'+' | b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' => {
                    f.write_char(octet.into())?
                }
                _ => write!(f, "%{octet:02X}")?,
            }
        }
        write!(f, "@{}", server.endpoint())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Result<(Option<String>, String), ServerAddressError> {
        text.parse().map(|ServerUrl { user, server }| (user, server.to_string()))
    }

    #[test]
    fn the_user_stands_before_the_host() {
        for (text, user, server) in [
            ("pop3s://alice@mail.example", Some("alice"), "pop3s://mail.example:995"),
            ("pop3s://alice%40example.org@mail.example:1995/", Some("alice@example.org"), "pop3s://mail.example:1995"),
            ("pop3://alice@example.org@mail.example", Some("alice@example.org"), "pop3://mail.example:110"),
            ("pop3://j%C3%BCrgen@[::1]", Some("jürgen"), "pop3://[::1]:110"),
            ("pop3://mail.example", None, "pop3://mail.example:110"),
            ("mail.example", None, "mail.example:2525"),
        ] {
            assert_eq!(parsed(text), Ok((user.map(str::to_owned), server.to_owned())), "{text}");
            let url: ServerUrl = text.parse().unwrap();
            assert_eq!(url.to_string().parse(), Ok(url), "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn whoever_logs_in_can_be_written_in_a_url(user in "[^\\p{Cc}]{1,60}") {
            let url = ServerUrl { user: Some(user), server: "pop3s://mail.example".parse().unwrap() };
            proptest::prop_assert_eq!(url.to_string().parse(), Ok(url));
        }

        #[test]
        fn any_text_is_a_server_or_none(text in ".{0,80}") {
            if let Ok(url) = text.parse::<ServerUrl>() {
                proptest::prop_assert_eq!(url.to_string().parse(), Ok(url));
            }
        }
    }

    #[test]
    fn what_is_no_url_of_a_user_is_refused() {
        for (text, error) in [
            ("pop3s://alice:secret@mail.example", ServerAddressError::Password),
            ("alice@mail.example", ServerAddressError::NotAServer),
            ("pop3s://@mail.example", ServerAddressError::NotAServer),
            ("pop3s://a%4@mail.example", ServerAddressError::NotAServer),
            ("pop3s://a%+4@mail.example", ServerAddressError::NotAServer),
            ("pop3s://a%ü@mail.example", ServerAddressError::NotAServer),
            ("pop3s://a%0D%0Ab@mail.example", ServerAddressError::NotAServer),
            ("pop3s://a%FFb@mail.example", ServerAddressError::NotAServer),
            ("pop3s://alice@", ServerAddressError::NotAServer),
        ] {
            assert_eq!(parsed(text), Err(error), "{text}");
        }
        assert_eq!("pop3s://alice@a".parse::<ServerAddress>(), Err(ServerAddressError::User));
    }
}
