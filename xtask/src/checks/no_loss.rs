//! `cargo xtask no-loss`: builds everything for release and runs the case table of `tests/` against it. It runs no case
//! itself.

use crate::project::{self, Profile};
use crate::{Result, complain};
use std::process::{Command, ExitCode};

pub(crate) fn main(args: &[String]) -> Result<ExitCode> {
    complain("building for release");
    project::check(project::cargo("build").args(["--quiet", "--release", "--workspace"]))?;
    let mut run = Command::new(project::artifact(Profile::Release, "no-loss")?);
    run.args(args);
    project::forget_cargo(&mut run)?;
    Ok(project::exit_code(project::status(&mut run)?))
}
