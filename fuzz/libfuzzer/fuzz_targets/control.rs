//! The harness of one target; what it does with the bytes is `clustermon_fuzz::control`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| clustermon_fuzz::control(data));
