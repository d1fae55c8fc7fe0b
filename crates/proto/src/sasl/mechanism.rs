//! The mechanisms, by their registered names.

use super::Channel;

/// A SASL mechanism that we speak, the best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mechanism {
    /// RFC 7677, bound to the TLS connection.
    ScramSha256Plus,
    /// RFC 7677: the password is proved, not said.
    ScramSha256,
    /// RFC 4616.
    Plain,
    /// What some mail programs know instead of PLAIN (draft-murchison-sasl-login).
    Login,
}

impl Mechanism {
    /// All of them, the best first.
    pub const ALL: [Self; 4] = [Self::ScramSha256Plus, Self::ScramSha256, Self::Plain, Self::Login];

    /// Its registered name.
    pub fn name(self) -> &'static str {
        match self {
            Self::ScramSha256Plus => "SCRAM-SHA-256-PLUS",
            Self::ScramSha256 => "SCRAM-SHA-256",
            Self::Plain => "PLAIN",
            Self::Login => "LOGIN",
        }
    }

    /// The one of that name, in any letter case.
    pub fn find(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|mechanism| mechanism.name().eq_ignore_ascii_case(name))
    }

    /// Whether it can be used over this channel.
    pub fn fits(self, channel: &Channel) -> bool {
        match self {
            Self::ScramSha256Plus => channel.can_bind(),
            Self::ScramSha256 | Self::Plain | Self::Login => channel.is_private(),
        }
    }

    /// The names of those that can be used over this channel, parted by spaces; empty if there are none.
    pub fn list(channel: &Channel) -> String {
        let names: Vec<&str> = Self::ALL.into_iter().filter(|it| it.fits(channel)).map(Self::name).collect();
        names.join(" ")
    }
}
