//! What a server's answer to CAPA lists (RFC 2449 §5).

use crate::sasl::Mechanism;

/// The most capabilities that a server may list.
pub const CAPABILITIES_MAX: usize = 256;

/// A capability that this client makes use of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Capability {
    /// Commands may be sent in groups (RFC 2449 §6.6).
    Pipelining,
    /// The session may be encrypted (RFC 2595 §4).
    StartTls,
    /// Messages have unique-ids (RFC 1939 §7).
    UniqueIds,
    /// Clients may log in by USER and PASS (RFC 1939 §7).
    UserAndPass,
}

impl Capability {
    /// Its tag.
    pub fn tag(self) -> &'static str {
        match self {
            Self::Pipelining => "PIPELINING",
            Self::StartTls => "STLS",
            Self::UniqueIds => "UIDL",
            Self::UserAndPass => "USER",
        }
    }
}

/// The capabilities that a server lists. An old one lists none, and has to be asked for each thing itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Capabilities {
    lines: Option<Vec<String>>,
}

impl Capabilities {
    pub(super) fn new(lines: Vec<String>) -> Self {
        Self { lines: Some(lines) }
    }

    /// Whether the server has said what it can do.
    pub fn are_known(&self) -> bool {
        self.lines.is_some()
    }

    /// Whether the server lists it.
    pub fn has(&self, capability: Capability) -> bool {
        self.arguments(capability.tag()).is_some()
    }

    /// Whether clients may log in by this SASL mechanism (RFC 5034 §6).
    pub fn has_mechanism(&self, mechanism: Mechanism) -> bool {
        self.arguments("SASL").is_some_and(|mut names| names.any(|name| name.eq_ignore_ascii_case(mechanism.name())))
    }

    fn arguments(&self, tag: &str) -> Option<impl Iterator<Item = &str>> {
        self.lines.iter().flatten().find_map(|line| {
            let mut words = line.split_ascii_whitespace();
            words.next()?.eq_ignore_ascii_case(tag).then_some(words)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_to_capa_is_understood() {
        let lines = ["TOP", "sasl plain SCRAM-SHA-256", "", "Pipelining", "USERS"];
        let capabilities = Capabilities::new(lines.map(str::to_owned).to_vec());
        assert!(capabilities.are_known() && !Capabilities::default().are_known());
        assert!(capabilities.has_mechanism(Mechanism::Plain) && capabilities.has_mechanism(Mechanism::ScramSha256));
        assert!(!capabilities.has_mechanism(Mechanism::ScramSha256Plus));
        assert!(capabilities.has(Capability::Pipelining));
        assert!(!capabilities.has(Capability::UserAndPass) && !capabilities.has(Capability::StartTls));
    }
}
