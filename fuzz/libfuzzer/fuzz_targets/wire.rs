//! The harness of one target; what it does with the bytes is `clustermon_fuzz::wire`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| clustermon_fuzz::wire(data));
