//! Random sequences of socket calls are answered in a worker as they are alone. The short form of `cargo xtask torture`.

use harness::torture::{play_with, torture, torture_against};
use harness::{c_library, require};
use std::io::Write;

/// Always the same ones: new seeds are for the long form.
#[test]
fn random_sequences_are_answered_as_alone() {
    if !require("cc") {
        return;
    }
    for first in [0, 250] {
        let outcome = torture(first..first + 250);
        let text: Vec<_> = outcome.differences.iter().map(ToString::to_string).collect();
        assert!(text.is_empty(), "{}", text.join("\n"));
        let said = format!("torture: {} calls, {} differed once\n", outcome.calls, outcome.passing.len());
        let _ = std::io::stderr().lock().write_all(said.as_bytes());
    }
}

/// A library that answers one call wrongly.
#[test]
fn a_difference_is_found_and_made_short() {
    if !require("cc") {
        return;
    }
    let liar = c_library("liar");
    let outcome = torture_against(0..40, &|sequences| play_with(sequences, &liar));
    assert!(!outcome.differences.is_empty(), "nobody noticed");
    for difference in &outcome.differences {
        assert!(difference.sequence.ops.len() <= 3, "{difference}");
        assert!(difference.to_string().contains("listen"), "{difference}");
    }
}
