//! `cargo xtask loom`: the tests that try all orders which the memory model permits. They need a build of their own, by
//! another cfg, and so a target folder of their own: in the common one each build would undo the other.

use crate::{Result, project};
use std::process::ExitCode;

pub(crate) fn main(args: &[String]) -> Result<ExitCode> {
    if !args.is_empty() {
        return Err("usage: cargo xtask loom".into());
    }
    let flags = std::env::var("RUSTFLAGS").unwrap_or_default();
    let mut cargo = project::cargo("test");
    cargo
        .env("RUSTFLAGS", format!("{flags} --cfg loom"))
        // A failure inside loom's small stacks hangs where a backtrace is to be printed.
        .env("RUST_BACKTRACE", "0")
        .args(["--package", "clustermon-protocol", "--lib", "--target-dir"])
        .arg(project::target()?.join("loom"))
        .args(["--", "credit::loom"]);
    Ok(project::exit_code(project::status(&mut cargo)?))
}
