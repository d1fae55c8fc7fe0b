//! How any text becomes the value of a parameter: xtext (RFC 3461 §4), and its kin for UTF-8 (RFC 6533 §3).

/// The text in xtext. It must be ASCII.
pub(crate) fn encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for octet in text.bytes() {
        if is_xchar(octet) {
            encoded.push(char::from(octet));
        } else {
            encoded.push_str(&format!("+{octet:02X}"));
        }
    }
    encoded
}

/// What xtext stands for; `None` if it is none, or no ASCII.
pub(crate) fn decode(encoded: &str) -> Option<String> {
    let mut text = String::with_capacity(encoded.len());
    let mut octets = encoded.bytes();
    while let Some(octet) = octets.next() {
        text.push(match octet {
            b'+' => {
                let octet = (upper_hex(octets.next()?)? << 4) | upper_hex(octets.next()?)?;
                Some(char::from(octet)).filter(char::is_ascii)?
            }
            octet if is_xchar(octet) => char::from(octet),
            _ => return None,
        });
    }
    Some(text)
}

/// The text in ASCII, with `\x{HEX}` for what else it holds (utf-8-addr-xtext).
pub(crate) fn encode_utf8(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for c in text.chars() {
        if is_qchar(c) {
            encoded.push(c);
        } else {
            encoded.push_str(&format!("\\x{{{:02X}}}", u32::from(c)));
        }
    }
    encoded
}

/// What utf-8-addr-xtext or utf-8-addr-unitext stands for; `None` if it is neither, or holds control characters.
pub(crate) fn decode_utf8(encoded: &str) -> Option<String> {
    let mut text = String::with_capacity(encoded.len());
    let mut rest = encoded;
    while let Some(c) = rest.chars().next() {
        let (c, octets) = match rest.strip_prefix("\\x{") {
            Some(embedded) => {
                let (hex, _) = embedded.split_once('}')?;
                let is_hex = (2..=6).contains(&hex.len()) && hex.bytes().all(|b| upper_hex(b).is_some());
                let code = is_hex.then(|| u32::from_str_radix(hex, 16).ok())??;
                (char::from_u32(code)?, "\\x{}".len() + hex.len())
            }
            None if is_qchar(c) || !c.is_ascii() => (c, c.len_utf8()),
            None => return None,
        };
        if c.is_control() {
            return None;
        }
        text.push(c);
        rest = &rest[octets..];
    }
    Some(text)
}

/// RFC 3461 §4.
fn is_xchar(octet: u8) -> bool {
    octet.is_ascii_graphic() && !matches!(octet, b'+' | b'=')
}

/// RFC 6533 §3.
fn is_qchar(c: char) -> bool {
    c.is_ascii_graphic() && !matches!(c, '+' | '=' | '\\')
}

/// RFC 3461 §4 wants capitals.
fn upper_hex(octet: u8) -> Option<u8> {
    match octet {
        b'0'..=b'9' => Some(octet - b'0'),
        b'A'..=b'F' => Some(octet - b'A' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_encoded_is_decoded(ascii in "[ -~]{0,40}", text in "[^\\p{Cc}]{0,40}") {
            prop_assert_eq!(decode(&encode(&ascii)), Some(ascii));
            prop_assert_eq!(decode_utf8(&encode_utf8(&text)), Some(text.clone()));
            prop_assert!(encode_utf8(&text).is_ascii());
        }

        #[test]
        fn anything_can_be_looked_at(text in ".{0,40}") {
            if let Some(decoded) = decode(&text) {
                prop_assert_eq!(decode(&encode(&decoded)), Some(decoded));
            }
            if let Some(decoded) = decode_utf8(&text) {
                prop_assert_eq!(decode_utf8(&encode_utf8(&decoded)), Some(decoded));
            }
        }
    }
}
