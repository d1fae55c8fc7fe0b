//! The dialogue as a person may read it: line by line, with the secrets masked.

use std::fmt;

/// The longest line that is shown whole, in octets. More of it is shown as further lines.
pub const DIALOGUE_LINE_OCTETS_MAX: usize = 4096;

/// What stands for a secret.
pub(super) const MASK: &str = "********";
/// Parameters with a secret value.
const SECRET_PARAMETERS: [&str; 2] = ["TOKEN", "VERIFIER"];

/// One line of the dialogue, without its line end and with secrets masked. What comes from a server is not made safe for a
/// terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Line<'a> {
    /// The client said it.
    Sent(&'a str),
    /// The server said it.
    Received(&'a str),
    /// Nobody said it: what the dialogue comes to.
    Note(&'a str),
}

/// Is told every line of a dialogue.
pub type Listener = Box<dyn FnMut(Line<'_>) + Send>;

/// Whether what the server says may be a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Masking {
    Off,
    /// The reply is at the beginning of a line.
    Line(Secret),
    /// It is within a line too long to be shown whole, behind which it goes on or not.
    Rest {
        secret: Secret,
        goes_on: bool,
    },
}

/// What a reply may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Secret {
    /// A new password, in the reply to XPASSWD.
    Password,
    /// A challenge of AUTH: against SCRAM's, whoever guesses can try passwords.
    Challenge,
}

/// A dialogue that somebody listens to.
pub struct Dialogue {
    tell: Listener,
    sent: Lines,
    received: Lines,
    masking: Masking,
}

impl Dialogue {
    /// Has `tell` told every line.
    pub fn new(tell: Listener) -> Self {
        Self { tell, sent: Lines::default(), received: Lines::default(), masking: Masking::Off }
    }

    pub(crate) fn sent_command(&mut self, line: &str) {
        self.masking = match line {
            _ if verb_is(line, "XPASSWD") => Masking::Line(Secret::Password),
            _ if verb_is(line, "AUTH") => Masking::Line(Secret::Challenge),
            _ => Masking::Off,
        };
        (self.tell)(Line::Sent(&masked_command(line)));
    }

    /// The response to a challenge of AUTH.
    pub(crate) fn sent_response(&mut self) {
        self.masking = Masking::Line(Secret::Challenge);
        (self.tell)(Line::Sent(MASK));
    }

    /// What was sent is a secret but for what it begins with.
    pub(crate) fn sent_secret(&mut self, beginning: &str) {
        self.masking = Masking::Off;
        (self.tell)(Line::Sent(&format!("{beginning}{MASK}")));
    }

    pub(super) fn note(&mut self, text: &str) {
        (self.tell)(Line::Note(text));
    }

    pub(super) fn sent_content(&mut self, octets: &[u8]) {
        self.sent.take(octets, |line, _| (self.tell)(Line::Sent(line)));
    }

    pub(crate) fn received(&mut self, octets: &[u8]) {
        let Self { tell, received, masking, .. } = self;
        received.take(octets, |line, is_ended| {
            let (secret, goes_on) = match *masking {
                Masking::Off => return tell(Line::Received(line)),
                Masking::Line(secret) => {
                    tell(Line::Received(&match secret {
                        Secret::Password => masked_password_reply(line),
                        Secret::Challenge => masked_challenge(line),
                    }));
                    (secret, line.as_bytes().get(3) == Some(&b'-'))
                }
                Masking::Rest { secret, goes_on } => {
                    tell(Line::Received(MASK));
                    (secret, goes_on)
                }
            };
            *masking = match (is_ended, goes_on) {
                (false, goes_on) => Masking::Rest { secret, goes_on },
                (true, true) => Masking::Line(secret),
                (true, false) => Masking::Off,
            };
        });
    }
}

impl fmt::Debug for Dialogue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dialogue").finish_non_exhaustive()
    }
}

/// Puts lines together.
#[derive(Default)]
struct Lines {
    partial: Vec<u8>,
}

impl Lines {
    /// Tells each line, or piece of one that is too long, and whether the line ends there.
    fn take(&mut self, octets: &[u8], mut tell: impl FnMut(&str, bool)) {
        let pieces = octets.split_inclusive(|octet| *octet == b'\n');
        for piece in pieces.flat_map(|line| line.chunks(DIALOGUE_LINE_OCTETS_MAX)) {
            self.partial.extend_from_slice(piece);
            let line = self.partial.strip_suffix(b"\n").map(|line| line.strip_suffix(b"\r").unwrap_or(line));
            if line.is_some() || self.partial.len() >= DIALOGUE_LINE_OCTETS_MAX {
                tell(&String::from_utf8_lossy(line.unwrap_or(&self.partial)), line.is_some());
                self.partial.clear();
            }
        }
    }
}

fn verb_is(line: &str, verb: &str) -> bool {
    line.split(' ').next().is_some_and(|first| first.eq_ignore_ascii_case(verb))
}

/// Masks the initial response of AUTH (RFC 4954 §4) and the values of secret parameters.
fn masked_command(line: &str) -> String {
    let is_auth = verb_is(line, "AUTH");
    let masked = |(at, word): (usize, &str)| match word.split_once('=') {
        _ if is_auth && at >= 2 => MASK.to_owned(),
        Some((key, _)) if SECRET_PARAMETERS.iter().any(|secret| key.eq_ignore_ascii_case(secret)) => {
            format!("{key}={MASK}")
        }
        _ => word.to_owned(),
    };
    line.split(' ').enumerate().map(masked).collect::<Vec<_>>().join(" ")
}

/// Masks the password that stands last in the reply to XPASSWD. A refusal has none.
fn masked_password_reply(line: &str) -> String {
    let Some((code, text)) = line.split_at_checked(4).filter(|_| !line.starts_with(['4', '5'])) else {
        return line.to_owned();
    };
    let shown = text.trim_end().rfind(' ').map_or("", |at| &text[..=at]);
    format!("{code}{shown}{MASK}")
}

/// Masks a challenge, SMTP's or POP3's. Other replies to AUTH have no secret.
fn masked_challenge(line: &str) -> String {
    let mark = ["334 ", "334-", "+ "].into_iter().find(|mark| line.starts_with(mark) && line.len() > mark.len());
    mark.map_or_else(|| line.to_owned(), |mark| format!("{mark}{MASK}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    #[test]
    fn secrets_are_masked() {
        for (line, shown) in [
            ("AUTH PLAIN AHRpbQB0YW5zdGFhZg==", "AUTH PLAIN ********"),
            ("auth plain =", "auth plain ********"),
            ("XREGISTER alice TOKEN=open-sesame", "XREGISTER alice TOKEN=********"),
            ("XREGISTER token=open=sesame", "XREGISTER token=********"),
            ("XPASSWD VERIFIER=SCRAM-SHA-256$4096:YQ==$a:b", "XPASSWD VERIFIER=********"),
            ("MAIL FROM:<a@b.example> SIZE=3", "MAIL FROM:<a@b.example> SIZE=3"),
        ] {
            assert_eq!(masked_command(line), shown);
        }
        for (line, shown) in [
            ("250 vqk4-7t2m-p3xa-c9rd", "250 ********"),
            ("250 2.0.0 Your password: vqk4-7t2m ", "250 2.0.0 Your password: ********"),
            ("250-vqk4-7t2m", "250-********"),
            ("354 vqk4-7t2m", "354 ********"),
            ("538 5.7.11 Encryption required", "538 5.7.11 Encryption required"),
            ("2", "2"),
        ] {
            assert_eq!(masked_password_reply(line), shown);
        }
    }

    fn shown(talk: impl FnOnce(&mut Dialogue)) -> Vec<String> {
        let (lines, shown) = mpsc::channel();
        talk(&mut Dialogue::new(Box::new(move |line| {
            lines
                .send(match line {
                    Line::Sent(text) => format!("C: {text}"),
                    Line::Received(text) => format!("S: {text}"),
                    Line::Note(text) => format!("* {text}"),
                })
                .unwrap();
        })));
        shown.iter().collect()
    }

    #[test]
    fn only_the_reply_to_xpasswd_is_masked_however_it_is_split() {
        let lines = shown(|dialogue| {
            dialogue.received(b"220 mymailserver ready\r\n");
            dialogue.sent_command("XPASSWD");
            b"250-Keep it\r\n250 vqk4-7t2m\r\n250 OK\r\n".chunks(1).for_each(|octet| dialogue.received(octet));
        });
        assert_eq!(
            lines,
            ["S: 220 mymailserver ready", "C: XPASSWD", "S: 250-Keep ********", "S: 250 ********", "S: 250 OK"]
        );
    }

    #[test]
    fn a_login_is_masked() {
        let lines = shown(|dialogue| {
            dialogue.sent_command("AUTH SCRAM-SHA-256 biwsbj11c2Vy");
            dialogue.received(b"334 cj1yT3ByTkdm\r\n");
            dialogue.sent_response();
            dialogue.received(b"334 dj02cnJp\r\n");
            dialogue.sent_response();
            dialogue.received(b"235 2.7.0 Authentication successful\r\n");
            dialogue.sent_command("AUTH PLAIN");
            dialogue.received(b"334 \r\n");
            dialogue.sent_response();
            dialogue.received(b"535 5.7.8 Authentication credentials invalid\r\n");
            dialogue.sent_command("NOOP");
            dialogue.received(b"334 no challenge\r\n");
        });
        assert_eq!(
            lines,
            [
                "C: AUTH SCRAM-SHA-256 ********",
                "S: 334 ********",
                "C: ********",
                "S: 334 ********",
                "C: ********",
                "S: 235 2.7.0 Authentication successful",
                "C: AUTH PLAIN",
                "S: 334 ",
                "C: ********",
                "S: 535 5.7.8 Authentication credentials invalid",
                "C: NOOP",
                "S: 334 no challenge",
            ]
        );
    }

    #[test]
    fn content_is_no_command() {
        let lines = shown(|dialogue| {
            dialogue.sent_content(b"XPASSWD\r\nAUTH PLA");
            dialogue.sent_content(b"IN x\r\n.\r\n");
            dialogue.received(b"250 OK\r\n");
        });
        assert_eq!(lines, ["C: XPASSWD", "C: AUTH PLAIN x", "C: .", "S: 250 OK"]);
    }

    #[test]
    fn a_password_too_long_for_a_line_is_masked_to_its_end() {
        let lines = shown(|dialogue| {
            dialogue.sent_command("XPASSWD");
            dialogue.received(format!("250-{}\r\n", "p".repeat(2 * DIALOGUE_LINE_OCTETS_MAX)).as_bytes());
            dialogue.received(b"250 end\r\n250 OK\r\n");
        });
        let masked = "S: ********".to_owned();
        let expected = ["C: XPASSWD", "S: 250-********", &masked, &masked, "S: 250 ********", "S: 250 OK"];
        assert_eq!(lines, expected);
    }

    #[test]
    fn endless_lines_are_shown_in_pieces() {
        let lines = shown(|dialogue| dialogue.received(&[b'x'; 3 * DIALOGUE_LINE_OCTETS_MAX]));
        assert_eq!(lines.iter().map(String::len).collect::<Vec<_>>(), [DIALOGUE_LINE_OCTETS_MAX + 3; 3]);
    }
}
