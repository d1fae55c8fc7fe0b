//! How other protocols begin when they have the wrong port: nobody should try to read them as commands.

/// A TLS record, an SSLv2 hello, and what a browser says that a web page has sent here.
const OPENINGS: [&[u8]; 14] = [
    b"\x16",
    b"\x80",
    b"GET ",
    b"POST ",
    b"PUT ",
    b"HEAD ",
    b"OPTIONS ",
    b"DELETE ",
    b"CONNECT ",
    b"PATCH ",
    b"TRACE ",
    b"PROPFIND ",
    b"PRI * HTTP",
    b"SSH-",
];

/// Whether the first octets of a session are another protocol's, however long their line is.
pub(crate) fn is_foreign(input: &[u8]) -> bool {
    OPENINGS.iter().any(|opening| input.starts_with(opening))
}
