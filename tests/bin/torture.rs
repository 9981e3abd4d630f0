//! The long run of the differential test: as many random sequences of socket calls as asked for, and what was answered
//! differently. It decides nothing: `harness::torture` does.
#![allow(clippy::disallowed_methods, reason = "it tells how long it took")]

use harness::torture::torture;
use std::io::Write;
use std::process::ExitCode;
use std::time::Instant;

const USAGE: &str = "usage: torture [--sequences N] [--seed N] [--batch N]";

fn main() -> ExitCode {
    let (mut sequences, mut seed, mut batch) = (10_000, 0, 250);
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        let value = args.next().and_then(|value| value.parse::<u64>().ok());
        match (arg.as_str(), value) {
            ("--sequences", Some(value)) => sequences = value,
            ("--seed", Some(value)) => seed = value,
            ("--batch", Some(value @ 1..)) => batch = value,
            _ => {
                complain(USAGE);
                return ExitCode::from(2);
            }
        }
    }
    let (begun, end) = (Instant::now(), seed + sequences);
    let (mut calls, mut passing, mut differences) = (0, 0, 0);
    while seed < end {
        let next = end.min(seed + batch);
        let outcome = torture(seed..next);
        calls += outcome.calls;
        passing += outcome.passing.len();
        differences += outcome.differences.len();
        for difference in outcome.passing {
            complain(&format!("did not show again: {difference}"));
        }
        outcome.differences.iter().for_each(|difference| say(&difference.to_string()));
        seed = next;
    }
    let seconds = begun.elapsed().as_secs_f64();
    say(&format!(
        "{sequences} sequences, {calls} calls, {seconds:.0} s: {differences} differ, {passing} differed once"
    ));
    if differences == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// A reader that went away is no reason to fail.
fn say(text: &str) {
    let mut stdout = std::io::stdout().lock();
    let _ = writeln!(stdout, "{text}").and_then(|()| stdout.flush());
}

fn complain(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}
