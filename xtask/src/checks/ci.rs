//! `cargo xtask ci`: every check in order, the cheap ones first. All run even if one fails, and the tests come last,
//! so that the closing lines are theirs.

use crate::checks::{api, fuzz, loom, simulate, test};
use crate::{Result, complain, project, tidy};
use std::process::ExitCode;
use std::time::Instant;

type Step = (&'static str, fn() -> Result<ExitCode>);

const STEPS: [Step; 10] = [
    ("fmt", fmt),
    ("clippy", clippy),
    ("doc", doc),
    ("api", || api::main(&[])),
    ("tidy", || tidy::main(&[])),
    ("fuzz", || fuzz::main(&[])),
    ("loom", || loom::main(&[])),
    ("simulate", || simulate::main(&[])),
    ("hand-off", test::by_handoff),
    ("test", || test::main(&[])),
];

pub(crate) fn main(args: &[String]) -> Result<ExitCode> {
    if !args.is_empty() {
        return Err("usage: cargo xtask ci".into());
    }
    let mut failed = Vec::new();
    for (name, step) in STEPS {
        complain(&format!("== {name}"));
        let begun = Instant::now();
        match step() {
            Ok(code) if code == ExitCode::SUCCESS => {
                complain(&format!("== {name}: passed in {:.1?}", begun.elapsed()))
            }
            Ok(_) => failed.push(name),
            Err(error) => {
                complain(&format!("{error}"));
                failed.push(name);
            }
        }
    }
    if failed.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    Err(format!("failed: {}", failed.join(", ")).into())
}

fn fmt() -> Result<ExitCode> {
    Ok(project::exit_code(project::status(project::cargo("fmt").args(["--all", "--check"]))?))
}

fn clippy() -> Result<ExitCode> {
    let mut clippy = project::cargo("clippy");
    clippy.args(["--workspace", "--all-targets", "--", "-D", "warnings"]);
    Ok(project::exit_code(project::status(&mut clippy)?))
}

/// The documentation of every crate, for who uses it: each link leads somewhere.
fn doc() -> Result<ExitCode> {
    let mut doc = project::cargo("doc");
    doc.args(["--workspace", "--no-deps"]).env("RUSTDOCFLAGS", "-D warnings");
    Ok(project::exit_code(project::status(&mut doc)?))
}
