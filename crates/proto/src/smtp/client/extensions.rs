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
    /// Addresses and header fields may be other than ASCII (RFC 6531).
    SmtpUtf8,
    /// Senders may say what they want to be told of their message's fate (RFC 3461).
    Dsn,
    /// Messages may come by their length, without an end of data (RFC 3030).
    Chunking,
    /// How much the server takes at a time is told (RFC 9422).
    Limits,
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
            Self::Dsn => "DSN",
            Self::Chunking => "CHUNKING",
            Self::Limits => "LIMITS",
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

    /// The most recipients of one transaction (RFC 9422 §4.2), if the server tells it in a way that makes sense.
    pub fn recipients_max(&self) -> Option<usize> {
        self.parameters(Extension::Limits)?.find_map(|limit| {
            let (name, value) = limit.split_once('=')?;
            let is_meant = name.eq_ignore_ascii_case("RCPTMAX") && value.bytes().all(|octet| octet.is_ascii_digit());
            value.parse().ok().filter(|max| is_meant && *max > 0)
        })
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

    #[test]
    fn limits_are_kept_to_if_they_make_sense() {
        for (limits, max) in [
            ("LIMITS RCPTMAX=20 MAILMAX=5", Some(20)),
            ("limits MAILMAX=5 X-Y Z=1 rcptmax=1", Some(1)),
            ("LIMITS RCPTMAX=0", None),
            ("LIMITS RCPTMAX=0 RCPTMAX=7", Some(7)),
            ("LIMITS RCPTMAX=-1 RCPTMAX=+1 RCPTMAX= RCPTMAX RCPTMAX=1e3 RCPTMAX=99999999999999999999999", None),
            ("LIMITS XRCPTMAX=3", None),
            ("LIMITS", None),
            ("SIZE 1000", None),
        ] {
            let extensions = Extensions::of(&Reply::new(250, None, format!("m\n{limits}")));
            assert_eq!(extensions.recipients_max(), max, "{limits}");
        }
    }
}
