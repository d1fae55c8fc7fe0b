//! The PROXY protocol, versions 1 and 2: a proxy tells whose connection it hands on, in a header before all else.
//!
//! The header alone is read and not one octet behind it: that is TLS already, or the session's. Who may say such a thing is for the
//! listener to know; a client that says it of itself is not asked.

use std::io::{self, ErrorKind};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use ppp::v1;
use ppp::v2::{self, Protocol};
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::time::timeout;

/// How long a proxy may take to say it.
pub(crate) const HEADER_TIME_MAX: Duration = Duration::from_secs(10);

/// The longest header of version 1, in octets, its end included.
const LINE_OCTETS_MAX: usize = 107;
/// How every header of version 1 begins.
const LINE_PREFIX: &[u8] = b"PROXY ";

/// What every header of version 2 has, in octets: how it begins, what it is, and how much follows.
const FIXED_OCTETS: usize = 16;
/// The most that may follow, in octets: the addresses, and what else there is to say, which is passed over.
const REST_OCTETS_MAX: usize = 4 << 10;
/// Version 2 and the command LOCAL.
const LOCAL: u8 = 0x20;

/// Whose connection it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Told {
    /// The proxy's own, to see whether we are there, or a client's of which it tells nothing.
    Unknown,
    /// A client's from there.
    From(SocketAddr),
}

/// Why a connection's origin is not known.
#[derive(Debug, Error)]
pub(crate) enum HeaderError {
    /// It closed, or the connection broke.
    #[error("lost before its PROXY header was whole: {0}")]
    Lost(#[from] io::Error),
    #[error("no PROXY header in {} seconds", HEADER_TIME_MAX.as_secs())]
    Late,
    #[error("does not begin with a PROXY header")]
    Missing,
    #[error("a PROXY header that is too long")]
    TooLong,
    #[error("a bad PROXY header: {0}")]
    Line(#[from] v1::BinaryParseError),
    #[error("a bad PROXY header: {0}")]
    Block(#[from] v2::ParseError),
}

impl HeaderError {
    /// Whether it may be somebody that only looks whether the port is open.
    pub(crate) fn is_silence(&self) -> bool {
        matches!(self, Self::Lost(error) if error.kind() == ErrorKind::UnexpectedEof)
    }
}

/// Reads the header that a connection from a proxy begins with.
pub(crate) async fn read(connection: &mut (impl AsyncRead + Unpin)) -> Result<Told, HeaderError> {
    timeout(HEADER_TIME_MAX, read_header(connection)).await.map_err(|_| HeaderError::Late)?
}

/// Octet by octet, as long as more of it is sure to come.
async fn read_header(connection: &mut (impl AsyncRead + Unpin)) -> Result<Told, HeaderError> {
    let mut header = Vec::with_capacity(LINE_OCTETS_MAX);
    loop {
        header.push(connection.read_u8().await?);
        if begins(&header, LINE_PREFIX) {
            if header.ends_with(b"\n") {
                return line(&header);
            }
            if header.len() == LINE_OCTETS_MAX {
                return Err(HeaderError::TooLong);
            }
        } else if !begins(&header, v2::PROTOCOL_PREFIX) {
            return Err(HeaderError::Missing);
        } else if header.len() == FIXED_OCTETS {
            let octets = usize::from(u16::from_be_bytes([header[14], header[15]]));
            if octets > REST_OCTETS_MAX {
                return Err(HeaderError::TooLong);
            }
            header.resize(FIXED_OCTETS + octets, 0);
            connection.read_exact(&mut header[FIXED_OCTETS..]).await?;
            return block(&header);
        }
    }
}

/// Whether these are the first octets of something that begins so.
fn begins(octets: &[u8], prefix: &[u8]) -> bool {
    octets.iter().zip(prefix).all(|(octet, other)| octet == other)
}

/// Version 1. The parser looks no farther than the first CR, and behind UNKNOWN takes any line end.
fn line(header: &[u8]) -> Result<Told, HeaderError> {
    if header.strip_suffix(b"\r\n").is_none_or(|text| text.contains(&b'\r')) {
        return Err(v1::BinaryParseError::from(v1::ParseError::MissingNewLine).into());
    }
    Ok(match v1::Header::try_from(header)?.addresses {
        v1::Addresses::Unknown => Told::Unknown,
        v1::Addresses::Tcp4(ip) => from(ip.source_address, ip.source_port),
        v1::Addresses::Tcp6(ip) => from(ip.source_address, ip.source_port),
    })
}

/// Version 2.
fn block(header: &[u8]) -> Result<Told, HeaderError> {
    // What follows is not to be looked at then.
    if header[12] == LOCAL {
        return Ok(Told::Unknown);
    }
    let header = v2::Header::try_from(header)?;
    match (header.protocol, header.addresses) {
        (Protocol::Stream, v2::Addresses::IPv4(ip)) => Ok(from(ip.source_address, ip.source_port)),
        (Protocol::Stream, v2::Addresses::IPv6(ip)) => Ok(from(ip.source_address, ip.source_port)),
        // What is valid and means nothing here counts as if nothing were told.
        _ => Ok(Told::Unknown),
    }
}

fn from(address: impl Into<IpAddr>, port: u16) -> Told {
    Told::From(SocketAddr::new(address.into().to_canonical(), port))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A header of version 2.
    fn binary(command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
        let octets = u16::try_from(rest.len()).unwrap().to_be_bytes();
        [v2::PROTOCOL_PREFIX, &[command, family], &octets, rest].concat()
    }

    /// What is told, and what is left to read, when it comes in pieces of this many octets.
    async fn told(sent: &[u8], piece_octets: usize) -> (Result<Told, HeaderError>, Vec<u8>) {
        let (mut proxy, mut connection) = tokio::io::duplex(piece_octets);
        let write = async {
            // Nobody reads the rest of what is bad.
            tokio::io::AsyncWriteExt::write_all(&mut proxy, sent).await.unwrap_or_default();
            drop(proxy);
        };
        let read = async {
            let told = read(&mut connection).await;
            let mut rest = Vec::new();
            if told.is_ok() {
                connection.read_to_end(&mut rest).await.unwrap();
            }
            drop(connection);
            (told, rest)
        };
        tokio::join!(write, read).1
    }

    fn address(text: &str) -> Told {
        Told::From(text.parse().unwrap())
    }

    #[tokio::test]
    async fn headers_of_both_versions() {
        let v4 = [192, 0, 2, 1, 127, 0, 0, 1, 0, 80, 0, 25];
        let mut v6 = [0; 36];
        v6[..16].copy_from_slice(&"2001:db8::1".parse::<std::net::Ipv6Addr>().unwrap().octets());
        v6[33] = 80;
        let longest = [&v4[..], &vec![7; REST_OCTETS_MAX - v4.len()]].concat();
        let ffff = ["ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"; 2].join(" ");
        for (header, expected) in [
            (b"PROXY TCP4 192.0.2.1 127.0.0.1 80 25\r\n".to_vec(), address("192.0.2.1:80")),
            (b"PROXY TCP6 2001:db8::1 ::1 80 25\r\n".to_vec(), address("[2001:db8::1]:80")),
            (b"PROXY TCP6 ::ffff:192.0.2.1 ::1 80 25\r\n".to_vec(), address("192.0.2.1:80")),
            (b"PROXY UNKNOWN\r\n".to_vec(), Told::Unknown),
            (format!("PROXY UNKNOWN {ffff} 65535 65535\r\n").into(), Told::Unknown),
            (binary(0x21, 0x11, &v4), address("192.0.2.1:80")),
            (binary(0x21, 0x11, &[&v4[..], &[4, 0, 1, 9]].concat()), address("192.0.2.1:80")),
            (binary(0x21, 0x11, &longest), address("192.0.2.1:80")),
            (binary(0x21, 0x21, &v6), address("[2001:db8::1]:80")),
            (binary(0x21, 0x00, &[]), Told::Unknown),
            (binary(0x21, 0x12, &v4), Told::Unknown),
            (binary(0x21, 0x31, &[b'/'; 216]), Told::Unknown),
            (binary(0x20, 0x00, &[]), Told::Unknown),
            // What LOCAL says of addresses is no business of ours.
            (binary(0x20, 0x11, &v4), Told::Unknown),
            (binary(0x20, 0x31, &[1, 2, 3]), Told::Unknown),
        ] {
            for piece_octets in [1, 7, 10_000] {
                let sent = [&header[..], b"EHLO a\r\n"].concat();
                let (told, rest) = told(&sent, piece_octets).await;
                assert_eq!(told.unwrap(), expected, "{header:?}");
                assert_eq!(rest, b"EHLO a\r\n", "{header:?}");
            }
        }
    }

    #[tokio::test]
    async fn what_is_no_header_is_refused() {
        let v4 = [192, 0, 2, 1, 127, 0, 0, 1, 0, 80, 0, 25];
        for (sent, why) in [
            (b"EHLO a\r\n".to_vec(), "does not begin"),
            (b"PROXZ TCP4 192.0.2.1 127.0.0.1 80 25\r\n".to_vec(), "does not begin"),
            (b"proxy UNKNOWN\r\n".to_vec(), "does not begin"),
            (b"\x16\x03\x01\x02\x00\x01".to_vec(), "does not begin"),
            (b"\r\n\r\n\x00\r\nQUIT\r".to_vec(), "does not begin"),
            (b"PROXY TCP4 192.0.2.1 127.0.0.1 80\r\n".to_vec(), "bad"),
            (b"PROXY TCP4 2001:db8::1 ::1 80 25\r\n".to_vec(), "bad"),
            (b"PROXY TCP4 192.0.2.1 127.0.0.1 80 65536\r\n".to_vec(), "bad"),
            (b"PROXY UDP4 192.0.2.1 127.0.0.1 80 25\r\n".to_vec(), "bad"),
            (b"PROXY TCP4 192.0.2.1 127.0.0.1 80 25\n".to_vec(), "bad"),
            (b"PROXY UNKNOWN\n".to_vec(), "bad"),
            (b"PROXY UNKNOWN x \n".to_vec(), "bad"),
            (b"PROXY UNKNOWN \rx\r\n".to_vec(), "bad"),
            (b"PROXY UNKNOWN \xff\r\n".to_vec(), "bad"),
            (format!("PROXY UNKNOWN {}\r\n", "x".repeat(92)).into(), "too long"),
            (binary(0x11, 0x11, &v4), "bad"),
            (binary(0x22, 0x11, &v4), "bad"),
            (binary(0x21, 0x41, &v4), "bad"),
            (binary(0x21, 0x21, &v4), "bad"),
            (binary(0x21, 0x11, &[0; REST_OCTETS_MAX + 1]), "too long"),
            (binary(0x20, 0x00, &[0; REST_OCTETS_MAX + 1]), "too long"),
        ] {
            for piece_octets in [1, 10_000] {
                let error = told(&sent, piece_octets).await.0.unwrap_err();
                assert!(error.to_string().contains(why) && !error.is_silence(), "{sent:?}: {error}");
            }
        }
        for sent in [&b""[..], b"PROXY", &binary(0x21, 0x11, &v4)[..20]] {
            assert!(told(sent, 10_000).await.0.unwrap_err().is_silence(), "{sent:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_proxy_is_not_waited_for_for_ever() {
        let (proxy, mut connection) = tokio::io::duplex(1);
        assert!(matches!(read(&mut connection).await, Err(HeaderError::Late)));
        drop(proxy);
    }

    fn any_header(sent: &[u8]) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        testkit::properties::proxy_header(sent, |connection| runtime.block_on(read(connection)).ok());
    }

    #[test]
    fn what_once_failed() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/regressions");
        testkit::properties::replay(&folder, "proxy_header", any_header);
    }

    proptest! {
        #[test]
        fn any_octets(
            kind in 0..3usize,
            octets in prop::collection::vec(prop_oneof![any::<u8>(), Just(b'\r'), Just(b'\n'), Just(0), Just(1)], 0..300),
        ) {
            let begin: &[u8] = [&b""[..], b"PROXY ", v2::PROTOCOL_PREFIX][kind];
            let sent = [begin, &octets].concat();
            any_header(&sent);
        }
    }
}
