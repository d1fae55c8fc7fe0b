//! Values of the configuration that have a form of their own.

use bytesize::ByteSize;
use proto::Domain;
use serde::de::{Deserialize, Deserializer, Error as _};
use serde::ser::Serializer;

/// The hostname where none is configured.
pub(super) fn default_hostname() -> Domain {
    #[expect(clippy::expect_used, reason = "a constant that the tests parse")]
    "mymailserver".parse().expect("a domain")
}

/// A domain as text.
pub(super) mod domain {
    use proto::Domain;
    use serde::de::{Deserialize, Deserializer, Error};
    use serde::ser::Serializer;

    pub(in crate::config) fn serialize<S: Serializer>(domain: &Domain, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(domain)
    }

    pub(in crate::config) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Domain, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(|error| D::Error::custom(format!("{error}; a good one is mail.example.org")))
    }
}

/// A length of time that a timer can run: longer than nothing, at most a year.
pub(super) mod duration {
    use std::time::Duration;

    pub(in crate::config) use humantime_serde::serialize;
    use serde::de::{Deserializer, Error};

    const LEAST: Duration = Duration::from_millis(1);
    const MOST: Duration = Duration::from_secs(366 * 24 * 60 * 60);

    pub(in crate::config) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        match humantime_serde::deserialize(deserializer)? {
            time if time < LEAST => Err(D::Error::custom("must be at least a millisecond")),
            time if time > MOST => Err(D::Error::custom("must be at most a year")),
            time => Ok(time),
        }
    }
}

/// Secrets, which an error must not quote.
pub(super) fn secrets<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    let value = toml::Value::deserialize(deserializer)?;
    value.try_into().map_err(|_| D::Error::custom("must be a list of texts"))
}

/// What stands for secrets where they are shown. Taken for a configuration it is an error, so that nobody opens a server that
/// way which asks for a token.
pub(super) fn masked<S: Serializer>(secrets: &[String], serializer: S) -> Result<S::Ok, S::Error> {
    match secrets.len() {
        0 => serializer.collect_seq(secrets),
        count => serializer.collect_str(&format_args!("{count}, not shown")),
    }
}

/// A number that one can work with.
pub(super) fn within<'de, const LEAST: u64, const MOST: u64, N, D>(deserializer: D) -> Result<N, D::Error>
where
    N: TryFrom<u64>,
    D: Deserializer<'de>,
{
    match u64::deserialize(deserializer)? {
        number if number < LEAST => Err(D::Error::custom(format!("must be at least {LEAST}"))),
        number if number > MOST => Err(D::Error::custom(format!("must be at most {MOST}"))),
        number => N::try_from(number).map_err(|_| D::Error::custom("is too large")),
    }
}

/// A size as it was meant: in the largest unit that divides it.
pub(super) fn exact_size<S: Serializer>(size: &ByteSize, serializer: S) -> Result<S::Ok, S::Error> {
    let octets = size.as_u64();
    let unit = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)]
        .into_iter()
        .find(|(_, unit)| octets.is_multiple_of(*unit));
    match unit {
        Some((name, unit)) if octets > 0 => serializer.collect_str(&format_args!("{} {name}", octets / unit)),
        _ => serializer.collect_str(&format_args!("{octets} B")),
    }
}

/// A size.
pub(super) fn size<'de, D: Deserializer<'de>>(deserializer: D) -> Result<ByteSize, D::Error> {
    ByteSize::deserialize(deserializer).map_err(|_| D::Error::custom("must be a size such as \"50 MiB\" or 65536"))
}

/// A size that is large enough to work with.
pub(super) fn size_of_at_least<'de, const LEAST: u64, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<ByteSize, D::Error> {
    match size(deserializer)? {
        size if size.as_u64() < LEAST => Err(D::Error::custom(format!("must be at least {}", ByteSize::b(LEAST)))),
        size => Ok(size),
    }
}
