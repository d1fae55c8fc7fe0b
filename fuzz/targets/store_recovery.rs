#![no_main]

#[path = "../../crates/store/tests/recovery/property/mod.rs"]
mod property;

libfuzzer_sys::fuzz_target!(|input: &[u8]| property::store_recovery(input));
