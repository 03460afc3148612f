#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| auth::fuzzing::feed_event(input));
