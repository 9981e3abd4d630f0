//! `cargo xtask torture`: builds everything and runs the long form of the differential test of `tests/`. It plays nothing
//! itself.

use crate::project::{self, Profile};
use crate::{Result, complain};
use std::process::{Command, ExitCode};

pub(crate) fn main(args: &[String]) -> Result<ExitCode> {
    complain("building for release");
    project::check(project::cargo("build").args(["--quiet", "--release", "--workspace"]))?;
    let mut run = Command::new(project::artifact(Profile::Release, "torture")?);
    run.args(args);
    project::forget_cargo(&mut run)?;
    Ok(project::exit_code(project::status(&mut run)?))
}
