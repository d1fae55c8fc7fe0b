#![no_main]

#[path = "../../crates/server/tests/any_config/property.rs"]
mod property;

libfuzzer_sys::fuzz_target!(|input: &[u8]| property::config(input));
