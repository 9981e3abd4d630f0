//! `cargo xtask build`: leaves the binary and the thunk side by side, which is where the binary looks first.

use crate::project::{self, Profile};
use crate::{Result, say};
use std::path::PathBuf;
use std::process::ExitCode;

pub(crate) fn main(args: &[String]) -> Result<ExitCode> {
    let profile = match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => Profile::Debug,
        ["--release"] => Profile::Release,
        _ => return Err("usage: cargo xtask build [--release]".into()),
    };
    let built = build(profile, false)?;
    say(&format!("{}\n{}", built.clustermon.display(), built.thunk.display()));
    Ok(ExitCode::SUCCESS)
}

/// What a cluster needs.
#[derive(Debug)]
pub(crate) struct Built {
    pub clustermon: PathBuf,
    pub thunk: PathBuf,
    /// The demo worker, if it was asked for.
    pub demo: Option<PathBuf>,
}

/// Builds the supervisor and the thunk in one call of cargo, with the demo worker if wanted.
pub(crate) fn build(profile: Profile, demo: bool) -> Result<Built> {
    let mut cargo = project::cargo("build");
    // Of the supervisor's package the binary only; the thunk is a library.
    cargo.args(["-p", "clustermon-thunk", "-p", "clustermon", "--lib", "--bin", "clustermon"]);
    if demo {
        cargo.args(["--example", "demo-worker"]);
    }
    if profile == Profile::Release {
        cargo.arg("--release");
    }
    project::check(&mut cargo)?;
    Ok(Built {
        clustermon: project::artifact(profile, "clustermon")?,
        thunk: project::artifact(profile, "libclustermon_thunk.so")?,
        demo: demo.then(|| project::artifact(profile, "examples/demo-worker")).transpose()?,
    })
}
