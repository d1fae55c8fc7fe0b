//! Messages, and what they become.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::*;

pub(super) fn carry<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Vec<u8> {
    let (mut carrier, mut out) = (Carrier::new(), BytesMut::new());
    pieces.into_iter().for_each(|octets| carrier.write(octets, &mut out));
    carrier.finish(&mut out);
    out.to_vec()
}

/// Whole, and octet by octet.
fn carry_all(message: &[u8]) -> Vec<u8> {
    let whole = carry([message]);
    assert_eq!(carry(message.chunks(1)), whole, "{}", message.escape_ascii());
    whole
}

/// Each message, and what it becomes. `~` stands for a line end.
fn assert_carried(cases: &[(&str, &str)]) {
    for (message, expected) in cases {
        let message = message.replace('~', "\r\n");
        let carried = String::from_utf8(carry_all(message.as_bytes())).unwrap();
        assert_eq!(carried.replace("\r\n", "~"), *expected, "{message:?}");
    }
}

#[test]
fn what_is_made_of_lines_stays() {
    for message in [
        "",
        "~",
        "Hello~",
        "Subject: a~~b~~",
        "Subject: a~",
        "Content-Transfer-Encoding: 8bit~~--b~",
        "Content-Transfer-Encoding : base64~~YQ==~",
        "Content-Type: multipart/mixed; boundary=b~~p~--b~~x~--b~Subject: y~--b~--b~~--c~--b--~e~--b~",
        "Content-Type: message/rfc822~~Content-Type: multipart/digest; boundary=b~~--b~~Subject: a~~c~--b--~",
        // An encoded message is not looked into, nor is text without a header.
        "Content-Type: message/global~Content-Transfer-Encoding: base64~~Content-Transfer-Encoding: binary~~a~",
        "Hello~Content-Transfer-Encoding: binary~~a~",
        "Subject: a~~Content-Transfer-Encoding: binary~~a~",
        "Content-Transfer-Encoding: 7bit (binary)~~a~",
        "nul\0 stays\0~",
    ] {
        assert_carried(&[(message, message)]);
    }
}

#[test]
fn lines_get_their_end() {
    assert_carried(&[
        ("Subject: a\n\nb\rc~d", "Subject: a~~b~c~d~"),
        ("a\r\r\n\n\r", "a~~~~"),
        ("\r", "~"),
        // They are read as they go on.
        ("Content-Transfer-Encoding: binary\r\rab", "Content-Transfer-Encoding: base64~~YWI=~"),
        (
            "Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Transfer-Encoding: binary\n\n\n--b\r\n--b--",
            "Content-Type: multipart/mixed; boundary=b~~--b~Content-Transfer-Encoding: base64~~Ci0tYg==~--b--~",
        ),
    ]);
}

#[test]
fn a_binary_leaf_becomes_base64() {
    assert_carried(&[
        ("Content-Transfer-Encoding: binary~~a\nb", "Content-Transfer-Encoding: base64~~YQpi~"),
        ("Content-Transfer-Encoding: binary~~a\r", "Content-Transfer-Encoding: base64~~YQ0=~"),
        ("Content-Transfer-Encoding: binary~~~~", "Content-Transfer-Encoding: base64~~DQoNCg==~"),
        ("Content-Transfer-Encoding: binary~~", "Content-Transfer-Encoding: base64~~"),
        ("Content-Transfer-Encoding: binary", "Content-Transfer-Encoding: base64~"),
        (
            "A: b~content-transfer-encoding :~ (a \\) (comment)) BINARY (x)~Content-Type: text/html;~ a=b~~ab\n",
            "A: b~Content-Transfer-Encoding: base64~Content-Type: text/html;~ a=b~~YWIK~",
        ),
        (
            "Content-Transfer-Encoding: binary~A: b~Content-Transfer-Encoding: 8bit~no field~~a",
            "Content-Transfer-Encoding: base64~A: b~no field~~YQ==~",
        ),
        // A type that can't be read is that of text (RFC 2045 §5.2).
        (
            "Content-Type: multipart~Content-Transfer-Encoding: binary~~a",
            "Content-Type: multipart~Content-Transfer-Encoding: base64~~YQ==~",
        ),
    ]);
    let long = [b"Content-Transfer-Encoding: binary\r\n\r\n".as_slice(), &[0xff; 100]].concat();
    assert_eq!(
        carry_all(&long),
        format!("Content-Transfer-Encoding: base64\r\n\r\n{}\r\n{}/w==\r\n", "/".repeat(76), "/".repeat(56))
            .into_bytes()
    );
}

#[test]
fn what_has_parts_becomes_8bit() {
    let binary = "Content-Transfer-Encoding: binary~";
    let base64 = "Content-Transfer-Encoding: base64~";
    let eight = "Content-Transfer-Encoding: 8bit~";
    for (kind, body, expected) in [
        (
            "multipart/mixed; boundary=b",
            format!("p\n--b~{binary}~a~b~--b~~c\n--b--~"),
            format!("p~--b~{base64}~YQ0KYg==~--b~~c~--b--~"),
        ),
        // The line end before a delimiter is a part of that, and may be the one that ended the header.
        (
            "multipart/mixed; boundary=b",
            format!("--b~{binary}~~~--b~{binary}~--b~{binary}--b--"),
            format!("--b~{base64}~DQo=~--b~{base64}~--b~{base64}--b--~"),
        ),
        ("multipart/mixed; boundary=b", format!("--b~{binary}~~--b--~"), format!("--b~{base64}~--b--~")),
        // Only a whole line is a delimiter, and padding is not part of it.
        (
            "multipart/mixed; boundary=b",
            format!("--b \t~{binary}~a~--bb~--b-~ --b~-~--~a--b~--b\n~--b--\t~"),
            format!(
                "--b \t~{base64}~{}~--b--\t~",
                STANDARD.encode("a\r\n--bb\r\n--b-\r\n --b\r\n-\r\n--\r\na--b\r\n--b\n")
            ),
        ),
        // Behind the last delimiter and before the first one nothing is a part.
        (
            "multipart/mixed; boundary=b",
            format!("{binary}~a\n~--b~{binary}~a~--b--~--b~{binary}~a\n"),
            format!("{binary}~a~~--b~{base64}~YQ==~--b--~--b~{binary}~a~"),
        ),
        // A part that the message ends in, or an outer delimiter.
        ("multipart/mixed; boundary=b", format!("--b~{binary}~a~"), format!("--b~{base64}~YQ0K~")),
        ("multipart/mixed; boundary=b", format!("--b~{binary}~a~--"), format!("--b~{base64}~YQ0KLS0=~")),
        (
            "multipart/mixed; boundary=b",
            format!("--b~Content-Type: multipart/x; boundary=c~{binary}~--c~{binary}~a~--b~{binary}~b~--c~--b--"),
            format!("--b~Content-Type: multipart/x; boundary=c~{eight}~--c~{base64}~YQ==~--b~{base64}~Yg0KLS1j~--b--~"),
        ),
        // One boundary that begins with another.
        (
            "multipart/mixed; boundary=b",
            format!("--b~Content-Type: multipart/x; boundary=b--~{binary}~--b--~{binary}~a~--b----~--b--~"),
            format!("--b~Content-Type: multipart/x; boundary=b--~{eight}~--b--~{base64}~YQ==~--b----~--b--~"),
        ),
        (
            "Multipart/Mixed (a; boundary=x) ; a=\"; boundary=y\" ;~ Boundary = (c) \"b\\ ~ \\\"c \"; boundary=z",
            format!("--x~--y~--b  \"c~{binary}~a~--b  \"c--~"),
            format!("--x~--y~--b  \"c~{base64}~YQ==~--b  \"c--~"),
        ),
        (
            "multipart/mixed; junk; =; \"b\"; x=\"y\" z; boundary==_b/1:2=(x)",
            format!("--=_b/1:2=~{binary}~a~--=_b/1:2=--~"),
            format!("--=_b/1:2=~{base64}~YQ==~--=_b/1:2=--~"),
        ),
        (
            "multipart/digest; boundary=b",
            format!("--b~~{binary}~a~--b~Content-Type: text/plain~~{binary}~a~--b~{binary}~A: b~~c~--b--~"),
            format!("--b~~{base64}~YQ==~--b~Content-Type: text/plain~~{binary}~a~--b~{eight}~A: b~~c~--b--~"),
        ),
        (
            "message/rfc822",
            format!("Content-Type: message/global~{binary}~{binary}~a"),
            format!("Content-Type: message/global~{eight}~{base64}~YQ==~"),
        ),
        // A line that only looks like a delimiter, among the fields.
        (
            "multipart/mixed; boundary=b",
            format!("--b~A: b~--c~{binary}~a~--b--~"),
            format!("--b~A: b~--c~{base64}~YQ==~--b--~"),
        ),
        // There is nothing to tell parts by.
        ("multipart/mixed", format!("--b~{binary}~a\n"), format!("--b~{binary}~a~")),
        ("multipart/mixed; boundary=\" \"", format!("-- ~{binary}~a\n"), format!("-- ~{binary}~a~")),
        ("message/delivery-status", format!("{binary}~a\n"), format!("{binary}~a~")),
    ] {
        let (message, expected) =
            (format!("Content-Type: {kind}~{binary}~{body}"), format!("Content-Type: {kind}~{eight}~{expected}"));
        assert_carried(&[(&message, &expected)]);
    }
}

#[test]
fn limits_hold() {
    let binary = "Content-Transfer-Encoding: binary\r\n";
    let base64 = "Content-Transfer-Encoding: base64\r\n";
    // A header of just so many octets, and of one more.
    let fill = HEADER_OCTETS_MAX - binary.len() - "A: \r\n\r\n".len();
    for (fill, body, encoding) in [(fill, "YQo=\r\n", base64), (fill + 1, "a\r\n", binary)] {
        let header = |encoding| format!("{encoding}A: {}\r\n\r\n", "x".repeat(fill));
        assert!(
            carry_all(format!("{}a\n", header(binary)).as_bytes())
                == format!("{}{body}", header(encoding)).into_bytes()
        );
    }
    // So many multiparts, and one more.
    for (depth, expected) in
        [(MULTIPARTS_MAX, format!("{base64}\r\nYQo=\r\n")), (MULTIPARTS_MAX + 1, format!("{binary}\r\na\r\n"))]
    {
        let open: String =
            (0..depth).map(|n| format!("Content-Type: multipart/x; boundary={n}\r\n\r\n--{n}\r\n")).collect();
        assert_eq!(
            carry_all(format!("{open}{binary}\r\na\n").as_bytes()).escape_ascii().to_string(),
            format!("{open}{expected}").as_bytes().escape_ascii().to_string()
        );
    }
    // A boundary and a delimiter of just so many octets, and of one more.
    for (octets, padding, is_delimiter) in [(256, 0, true), (257, 0, false), (1, 995, true), (1, 996, false)] {
        let boundary = "b".repeat(octets);
        let part = |encoding, body| format!("--{boundary}{}\r\n{encoding}\r\n{body}", " ".repeat(padding));
        let header = format!("Content-Type: multipart/x; boundary={boundary}\r\n\r\n");
        let expected = if is_delimiter { part(base64, "YQo=\r\n") } else { part(binary, "a\r\n") };
        assert!(
            carry_all(format!("{header}{}", part(binary, "a\n")).as_bytes())
                == format!("{header}{expected}").into_bytes()
        );
    }
}
