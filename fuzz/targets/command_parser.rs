#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| testkit::properties::command_parser(input));
