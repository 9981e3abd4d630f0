//! The harness of one target; what it does with the bytes is `clustermon_fuzz::simulation`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| clustermon_fuzz::simulation(data));
