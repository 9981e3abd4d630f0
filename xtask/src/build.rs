//! `cargo xtask build`: leaves the binary and the thunk side by side, which is where the binary looks first.

use crate::project::{self, Profile};
use crate::{Result, say};
use std::path::PathBuf;
use std::process::{Command, ExitCode};

pub(crate) fn main(args: &[String]) -> Result<ExitCode> {
    let profile = match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => Profile::Debug,
        ["--release"] => Profile::Release,
        _ => return Err("usage: cargo xtask build [--release]".into()),
    };
    let built = build(profile)?;
    say(&format!("{}\n{}", built.clustermon.display(), built.thunk.display()));
    Ok(ExitCode::SUCCESS)
}

/// What a cluster needs.
#[derive(Debug)]
pub(crate) struct Built {
    pub clustermon: PathBuf,
    pub thunk: PathBuf,
}

/// Builds the supervisor and the thunk in one call of cargo.
pub(crate) fn build(profile: Profile) -> Result<Built> {
    let mut cargo = project::cargo("build");
    // Of the supervisor's package the binary only; the thunk is a library.
    cargo.args(["-p", "clustermon-thunk", "-p", "clustermon", "--lib", "--bin", "clustermon"]);
    if profile == Profile::Release {
        cargo.arg("--release");
    }
    project::check(&mut cargo)?;
    Ok(Built {
        clustermon: project::artifact(profile, "clustermon")?,
        thunk: project::artifact(profile, "libclustermon_thunk.so")?,
    })
}

/// Builds the demo worker. By the compiler alone: it needs nothing but the standard library, and cargo would first
/// build all that the tests of its package need.
pub(crate) fn demo_worker() -> Result<PathBuf> {
    let source = project::root().join("supervisor/examples/demo-worker.rs");
    let built = project::folder(Profile::Release)?.join("demo-worker");
    let mut rustc = Command::new(std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()));
    project::check(rustc.args(["--edition", "2024", "-O", "-o"]).arg(&built).arg(source))?;
    Ok(built)
}
