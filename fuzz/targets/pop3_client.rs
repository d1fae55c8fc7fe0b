#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| testkit::properties::pop3_client(input));
