//! `cargo xtask test`: builds what the tests start, then lets cargo run them. Arguments go to every test binary:
//! names to select by, and options of the test harness.

use crate::{Result, project};
use std::process::ExitCode;

/// By this variable the test harness is told how many tests run at a time.
const THREADS: &str = "RUST_TEST_THREADS";

/// More than there are processors: most tests wait for something most of the time.
fn threads() -> usize {
    std::thread::available_parallelism().map_or(2, |cpus| cpus.get() + cpus.get().div_ceil(2))
}

/// Tests are named as Rust names things; people write `no-loss`.
fn filter(arg: &str) -> String {
    if arg.starts_with('-') { arg.to_owned() } else { arg.replace('-', "_") }
}

/// Tests of how connections reach workers, which are to pass where they are handed over, too.
const OF_BOTH: [&str; 11] = [
    "dispatch::rotation::",
    "dispatch::accepters::lose",
    "dispatch::accepters::are_managed",
    "programs::prefork::",
    "programs::taking_turns::",
    "changes::out_of_rotation::",
    "dispatch::take_back::",
    "endings::death::what_waits_at_a_stopped",
    "endings::death::without_any",
    "dispatch::early_bytes::",
    "listening::listener_close::",
];

/// Those with hand-off in the place of the default.
pub(crate) fn by_handoff() -> Result<ExitCode> {
    project::check(project::cargo("build").arg("--workspace"))?;
    let mut cargo = project::cargo("test");
    cargo.args(["-p", "clustermon-tests", "--test", "all", "--"]).args(OF_BOTH);
    Ok(project::exit_code(project::status(cargo.env("CLUSTERMON_TEST_DISPATCH", "handoff"))?))
}

pub(crate) fn main(args: &[String]) -> Result<ExitCode> {
    // The tests start programs that lie in the target folder; cargo builds for a test only what that very package needs.
    project::check(project::cargo("build").arg("--workspace"))?;
    let mut cargo = project::cargo("test");
    if std::env::var_os(THREADS).is_none() {
        cargo.env(THREADS, threads().to_string());
    }
    cargo
        .args(["--workspace", "--no-fail-fast", "--"])
        .args(args.iter().filter(|arg| *arg != "--").map(|arg| filter(arg)));
    Ok(project::exit_code(project::status(&mut cargo)?))
}
