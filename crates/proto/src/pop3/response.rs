//! Responses (RFC 1939 §3): a status indicator, perhaps a response code (RFC 2449 §8), and text, on one line.

use std::borrow::Cow;
use std::fmt;

use bytes::{BufMut, BytesMut};

/// What a server answers to a command. Refusals are responses too, not errors.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    is_positive: bool,
    code: Option<ResponseCode>,
    /// Without control characters: see [`Response::new`].
    text: Cow<'static, str>,
}

/// What a program may understand of a refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ResponseCode {
    /// Another session has the maildrop (RFC 2449 §8.1.2).
    InUse,
    /// The last login was too short a time ago (RFC 2449 §8.1.1).
    LoginDelay,
    /// It may work later (RFC 3206 §4).
    SysTemp,
    /// It will not work until somebody mends it (RFC 3206 §4).
    SysPerm,
    /// It is the credentials (RFC 3206 §5).
    Auth,
    /// It needs UTF-8 (RFC 6856 §5).
    Utf8,
}

impl ResponseCode {
    const ALL: [Self; 6] = [Self::InUse, Self::LoginDelay, Self::SysTemp, Self::SysPerm, Self::Auth, Self::Utf8];

    /// How it is written between the brackets.
    pub fn name(self) -> &'static str {
        match self {
            Self::InUse => "IN-USE",
            Self::LoginDelay => "LOGIN-DELAY",
            Self::SysTemp => "SYS/TEMP",
            Self::SysPerm => "SYS/PERM",
            Self::Auth => "AUTH",
            Self::Utf8 => "UTF8",
        }
    }

    /// Takes a code that we know, its brackets and the space behind them off the front of a response's text.
    fn parse_prefix(text: &str) -> Option<(Self, &str)> {
        let (name, rest) = text.strip_prefix('[')?.split_once(']')?;
        let code = Self::ALL.into_iter().find(|code| code.name().eq_ignore_ascii_case(name))?;
        Some((code, rest.trim_start_matches(' ')))
    }
}

impl Response {
    /// `+OK` and a text. Control characters become spaces, so that no text can end a response early.
    pub fn ok(text: impl Into<Cow<'static, str>>) -> Self {
        Self::new(true, None, text.into())
    }

    /// `-ERR`, a code if one fits, and a text.
    pub fn err(code: Option<ResponseCode>, text: impl Into<Cow<'static, str>>) -> Self {
        Self::new(false, code, text.into())
    }

    fn new(is_positive: bool, code: Option<ResponseCode>, text: Cow<'static, str>) -> Self {
        let text = if text.contains(char::is_control) { text.replace(char::is_control, " ").into() } else { text };
        Self { is_positive, code, text }
    }

    /// A fixed response, for the table of responses.
    pub(crate) const fn fixed(is_positive: bool, code: Option<ResponseCode>, text: &'static str) -> Self {
        Self { is_positive, code, text: Cow::Borrowed(text) }
    }

    /// Reads a server's line. `None` if it is no response.
    pub fn parse(line: &str) -> Option<Self> {
        let (is_positive, rest) = match (line.strip_prefix("+OK"), line.strip_prefix("-ERR")) {
            (Some(rest), _) => (true, rest),
            (_, Some(rest)) => (false, rest),
            (None, None) => return None,
        };
        if !(rest.is_empty() || rest.starts_with(' ')) {
            return None;
        }
        let text = rest.trim_matches(' ');
        let (code, text) = match ResponseCode::parse_prefix(text) {
            Some((code, text)) => (Some(code), text),
            None => (None, text),
        };
        Some(Self::new(is_positive, code, text.to_owned().into()))
    }

    /// `+OK`: done.
    pub fn is_positive(&self) -> bool {
        self.is_positive
    }

    /// The response code, if it has one that we know.
    pub fn code(&self) -> Option<ResponseCode> {
        self.code
    }

    /// What stands behind the status indicator and the code.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Writes it for the wire.
    pub fn write(&self, out: &mut BytesMut) {
        out.put_slice(self.indicator().as_bytes());
        if let Some(code) = self.code {
            for part in [" [", code.name(), "]"] {
                out.put_slice(part.as_bytes());
            }
        }
        if !self.text.is_empty() {
            out.put_u8(b' ');
            out.put_slice(self.text.as_bytes());
        }
        out.put_slice(b"\r\n");
    }

    fn indicator(&self) -> &'static str {
        if self.is_positive { "+OK" } else { "-ERR" }
    }
}

impl fmt::Display for Response {
    /// As on the wire, without the line end.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.indicator())?;
        if let Some(code) = self.code {
            write!(f, " [{}]", code.name())?;
        }
        if self.text.is_empty() { Ok(()) } else { write!(f, " {}", self.text) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn responses_are_read_as_they_are_written() {
        for line in ["+OK", "+OK 2 320", "-ERR", "-ERR [AUTH] no", "-ERR [SYS/TEMP] later", "-ERR [NEW-CODE] what"] {
            let response = Response::parse(line).unwrap();
            assert_eq!(response.to_string(), line);
            let mut wire = BytesMut::new();
            response.write(&mut wire);
            assert_eq!(wire, format!("{line}\r\n"));
        }
        let refusal = Response::parse("-ERR  [in-use]   locked ").unwrap();
        assert_eq!((refusal.code(), refusal.text()), (Some(ResponseCode::InUse), "locked"));
        for line in ["", "+", "+OKAY", "-ERROR", "+ok", "250 OK", "+ YQ=="] {
            assert_eq!(Response::parse(line), None, "{line}");
        }
    }

    #[test]
    fn no_text_ends_a_response_early() {
        assert_eq!(Response::ok("one\r\n.\r\n+OK two").to_string(), "+OK one  .  +OK two");
    }
}
