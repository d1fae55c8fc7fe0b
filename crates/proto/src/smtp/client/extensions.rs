//! What a server's answer to EHLO lists (RFC 5321 §4.1.1.1).

use super::super::Reply;

/// A service extension that this client makes use of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extension {
    /// Commands may be sent in groups (RFC 2920).
    Pipelining,
    /// Messages may be declared in octets, and have a limit (RFC 1870).
    Size,
    /// Messages may have 8-bit octets (RFC 6152).
    EightBitMime,
    /// Addresses may be other than ASCII (RFC 6531).
    SmtpUtf8,
    /// The session may be encrypted (RFC 3207).
    StartTls,
    /// Clients may log in (RFC 4954).
    Auth,
    /// Clients may register.
    XRegister,
    /// Registered clients may ask for a password.
    XPasswd,
    /// Accounts may be ended.
    XUnregister,
    /// Mail may be retrieved.
    XRetrieve,
}

impl Extension {
    /// Its EHLO keyword.
    pub fn keyword(self) -> &'static str {
        match self {
            Self::Pipelining => "PIPELINING",
            Self::Size => "SIZE",
            Self::EightBitMime => "8BITMIME",
            Self::SmtpUtf8 => "SMTPUTF8",
            Self::StartTls => "STARTTLS",
            Self::Auth => "AUTH",
            Self::XRegister => "XREGISTER",
            Self::XPasswd => "XPASSWD",
            Self::XUnregister => "XUNREGISTER",
            Self::XRetrieve => "XRETRIEVE",
        }
    }
}

/// The extensions that a server offers: none at all after HELO. Bounded by what one reply may hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Extensions {
    lines: Vec<String>,
}

impl Extensions {
    /// Reads the answer to EHLO, whose first line is the server's name.
    pub(super) fn of(ehlo: &Reply) -> Self {
        Self { lines: ehlo.text().split('\n').skip(1).map(str::to_owned).collect() }
    }

    /// Whether the server has it.
    pub fn offers(&self, extension: Extension) -> bool {
        self.parameters(extension).is_some()
    }

    /// Whether clients may log in by this SASL mechanism.
    pub fn has_mechanism(&self, name: &str) -> bool {
        self.parameters(Extension::Auth)
            .is_some_and(|mut names| names.any(|offered| offered.eq_ignore_ascii_case(name)))
    }

    fn parameters(&self, extension: Extension) -> Option<impl Iterator<Item = &str>> {
        self.lines.iter().find_map(|line| {
            let mut words = line.split_ascii_whitespace();
            words.next()?.eq_ignore_ascii_case(extension.keyword()).then_some(words)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_to_ehlo_is_understood() {
        let text = "mx.example greets you PIPELINING\nsize 1000\nAUTH PLAIN LOGIN\nX-UNKNOWN\n\n8BITMIME";
        let extensions = Extensions::of(&Reply::new(250, None, text));
        assert!(extensions.offers(Extension::Size));
        assert!(extensions.has_mechanism("plain") && extensions.has_mechanism("LOGIN"));
        assert!(!extensions.has_mechanism("AUTH"));
        assert!(extensions.offers(Extension::EightBitMime));
        assert!(!extensions.offers(Extension::Pipelining), "the first line is a greeting");
        assert!(!extensions.offers(Extension::XRegister));
    }
}
