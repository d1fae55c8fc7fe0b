//! The header that a proxy begins a connection with. The module is the server's own, and private there: it is taken in by its path.
#![no_main]
#![allow(dead_code, reason = "the server uses what is not used here")]

#[path = "../../crates/server/src/proxied.rs"]
mod proxied;

use tokio::runtime::Builder;

const LINE_OCTETS_MAX: usize = 107;
const BLOCK_OCTETS_MAX: usize = 16 + (4 << 10);

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    let runtime = Builder::new_current_thread().enable_time().build().expect("a runtime");
    let mut rest = input;
    let told = runtime.block_on(proxied::read(&mut rest));
    let header = &input[..input.len() - rest.len()];
    assert!(header.len() <= BLOCK_OCTETS_MAX);
    if told.is_err() {
        return;
    }
    if header.starts_with(b"PROXY ") {
        assert!(header.ends_with(b"\r\n") && header.len() <= LINE_OCTETS_MAX);
    }
    // The header says all: what follows makes no difference, and what lacks an octet is none.
    let mut alone = header;
    let again = runtime.block_on(proxied::read(&mut alone));
    assert_eq!((again.ok(), alone), (told.ok(), &b""[..]));
    let mut short = &header[..header.len() - 1];
    assert!(runtime.block_on(proxied::read(&mut short)).is_err());
});
