//! The module is the server's own, and private there: it is taken in by its path.
#![no_main]
#![allow(dead_code, reason = "the server uses what is not used here")]

#[path = "../../crates/server/src/proxied.rs"]
mod proxied;

use tokio::runtime::Builder;

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    let runtime = Builder::new_current_thread().enable_time().build().expect("a runtime");
    testkit::properties::proxy_header(input, |connection| runtime.block_on(proxied::read(connection)).ok());
});
