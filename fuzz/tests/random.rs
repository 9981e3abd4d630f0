//! Runs the bodies of the fuzz targets on random bytes of a kept seed, so that what no longer builds, or fails at once, is seen
//! without a fuzzer.

use clustermon_fuzz::TARGETS;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

/// Inputs of each target.
const INPUTS: u32 = 500;

fn run(target: clustermon_fuzz::Target, input: impl Strategy<Value = Vec<u8>>) {
    run_some(INPUTS, target, input);
}

fn run_some(inputs: u32, target: clustermon_fuzz::Target, input: impl Strategy<Value = Vec<u8>>) {
    let config =
        Config { cases: inputs, failure_persistence: None, max_shrink_iters: 0, ..Config::default() };
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let mut runner = TestRunner::new_with_rng(config, rng);
    let outcome = runner.run(&input, |bytes| {
        target(&bytes);
        Ok(())
    });
    if let Err(error) = outcome {
        panic!("{error}");
    }
}

fn target(name: &str) -> clustermon_fuzz::Target {
    TARGETS
        .into_iter()
        .find(|(found, _)| *found == name)
        .map(|(_, target)| target)
        .expect("there is such a target")
}

#[test]
fn wire_takes_any_bytes() {
    run(target("wire"), prop::collection::vec(any::<u8>(), 0..900));
    // The first bytes decide what it is: of most random ones nothing decodes.
    run(
        target("wire"),
        (0u8..10, 0u8..6, prop::collection::vec(any::<u8>(), 0..200))
            .prop_map(|(kind, len, rest)| [&[kind, 0, len], rest.as_slice()].concat()),
    );
}

#[test]
fn control_takes_any_bytes() {
    run(target("control"), prop::collection::vec(any::<u8>(), 0..200));
    let words = prop::sample::select(vec![
        r#"{"version":1,"#,
        r#""command":"#,
        r#""stop""#,
        "{",
        "}",
        "null",
        "[",
        "]",
        r#""worker":0"#,
        ",",
        ":",
        "1e9",
    ]);
    run(target("control"), prop::collection::vec(words, 0..12).prop_map(|words| words.concat().into_bytes()));
}

#[test]
fn simulation_takes_any_bytes() {
    // Each is a whole history.
    run_some(INPUTS / 10, target("simulation"), prop::collection::vec(any::<u8>(), 0..250));
}
