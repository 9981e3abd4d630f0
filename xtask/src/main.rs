//! Development commands: `cargo xtask help` lists them. It depends on no other crate of the workspace: it starts
//! what users start, from the outside.
#![allow(
    clippy::disallowed_methods,
    reason = "a tool that starts programs and times them, outside the event loop"
)]

mod bench;
mod build;
mod checks;
mod matrix;
mod project;
mod run;
mod tidy;

use std::process::ExitCode;

/// A failure that a person reads: what, where, what to do.
type Error = Box<dyn std::error::Error>;
type Result<T> = std::result::Result<T, Error>;

const USAGE: &str = "\
cargo xtask build [--release]                  build clustermon and libclustermon_thunk.so, side by side
cargo xtask run [OPTIONS] [-- COMMAND ARGS]    build (release), then run COMMAND in a cluster; without one, a demo worker
cargo xtask test [FILTER...]                   build what the tests start, then run the tests
cargo xtask ci                                 what CI does: formatting, clippy, documentation, the public interface, tidy, fuzz,
                                               loom, simulate, tests
cargo xtask api [--update]                     compare the public interface of the library with supervisor/api.txt, or write that
cargo xtask loom                               try all orders that the memory model permits in the page of a lane
cargo xtask fuzz [TARGET... --seconds N]       build the harness of the fuzz targets, or run targets by cargo-fuzz
cargo xtask simulate [--seed N | --from N --histories N]
                                               go through histories of the event loop under a simulated operating system: one
                                               that has failed, or many (without numbers 10,000, as the tests do)
cargo xtask tidy                               the rules of this repository that no compiler knows
cargo xtask bench [NAME...] [--seconds S] [--runs N] [--against CLUSTERMON]
                                               measure against rivals on this machine, table on stdout; `older` against
                                               another build
cargo xtask stalls [SHAPE...] [--connections N] [--workers W]
                                               load servers of every shape and watch from outside that no worker sleeps
                                               while connections wait
cargo xtask matrix [NAME...]                    install what people run, run each as a worker; without names, write
                                               docs/compatibility.md
cargo xtask no-loss [CASE...] [--quick] [--table] [--list]
                                               change clusters under load and count what gets lost; rivals too
cargo xtask torture [--sequences N] [--seed N] [--batch N]
                                               play random socket calls alone and in a worker, 10,000 times, and compare";

fn main() -> ExitCode {
    let mut args: Vec<String> = std::env::args().skip(1).collect();
    let command = if args.is_empty() { String::new() } else { args.remove(0) };
    let outcome = match command.as_str() {
        "build" => build::main(&args),
        "run" => run::main(&args),
        "test" => checks::test::main(&args),
        "ci" => checks::ci::main(&args),
        "api" => checks::api::main(&args),
        "fuzz" => checks::fuzz::main(&args),
        "loom" => checks::loom::main(&args),
        "simulate" => checks::simulate::main(&args),
        "tidy" => tidy::main(&args),
        "bench" => bench::main(&args),
        "stalls" => bench::stalls::main(&args),
        "matrix" => matrix::main(&args),
        "no-loss" => checks::no_loss::main(&args),
        "torture" => checks::torture::main(&args),
        "" | "help" | "-h" | "--help" => {
            say(USAGE);
            return ExitCode::SUCCESS;
        }
        other => {
            complain(&format!("no such command: {other}\n\n{USAGE}"));
            return ExitCode::from(2);
        }
    };
    outcome.unwrap_or_else(|error| {
        complain(&format!("xtask {command}: {error}"));
        ExitCode::FAILURE
    })
}

/// Results, for people and pipes. A reader that went away is no reason to fail.
fn say(text: &str) {
    use std::io::Write;
    let mut stdout = std::io::stdout().lock();
    let _ = writeln!(stdout, "{text}").and_then(|()| stdout.flush());
}

/// Progress and faults, for people.
fn complain(text: &str) {
    use std::io::Write;
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}
