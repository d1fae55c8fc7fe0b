//! What a line of a message's header looks like.

/// Whether a line is `field-name:` and something (RFC 5322 §3.6.8); a space before the colon is obsolete (§4.5).
pub(crate) fn is_field(line: &[u8]) -> bool {
    let mut parts = line.splitn(2, |&b| b == b':');
    let name = parts.next().unwrap_or_default().trim_ascii_end();
    parts.next().is_some() && !name.is_empty() && name.iter().all(u8::is_ascii_graphic)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_have_a_name_and_a_colon() {
        for line in ["Subject: hi", "X-Y:", "To : a@x", "from:a"] {
            assert!(is_field(line.as_bytes()), "{line}");
        }
        for line in ["", ": x", "Dear all: hi", " To: a@x", "text", "Gr\u{fc}\u{df}e: x"] {
            assert!(!is_field(line.as_bytes()), "{line}");
        }
    }
}
