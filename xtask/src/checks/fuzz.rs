//! `cargo xtask fuzz`: whether the harness of the fuzz targets still builds, on stable and without the fuzzer's C++; with targets, runs
//! them by cargo-fuzz and a nightly compiler. What the targets do is tested with everything else.

use crate::project::{self, root};
use crate::{Result, complain};
use std::process::{Command, ExitCode};

const USAGE: &str = "usage: cargo xtask fuzz [TARGET... --seconds N]";

pub(crate) fn main(args: &[String]) -> Result<ExitCode> {
    let harness = root().join("fuzz/libfuzzer");
    let (targets, seconds) = read(args)?;
    if targets.is_empty() {
        let mut check = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        check
            .args(["check", "--quiet", "--locked", "--manifest-path"])
            .arg(harness.join("Cargo.toml"))
            .arg("--target-dir")
            .arg(project::target()?.join("fuzz"))
            // Nothing is linked, so that it need not be there.
            .env("CUSTOM_LIBFUZZER_PATH", "/nowhere/libfuzzer.a");
        return Ok(project::exit_code(project::status(&mut check)?));
    }
    for target in targets {
        complain(&format!("== {target}: {seconds} s"));
        let mut fuzz = Command::new("cargo");
        fuzz.args(["+nightly", "fuzz", "run", "--fuzz-dir"]).arg(&harness).arg(&target);
        fuzz.arg("--").arg(format!("-max_total_time={seconds}"));
        project::forget_cargo(&mut fuzz)?;
        project::check(&mut fuzz)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The targets, and for how long each.
fn read(args: &[String]) -> Result<(Vec<String>, u32)> {
    let (mut targets, mut seconds) = (Vec::new(), 60);
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--seconds" => seconds = args.next().and_then(|number| number.parse().ok()).ok_or(USAGE)?,
            option if option.starts_with('-') => return Err(USAGE.into()),
            target => targets.push(target.to_owned()),
        }
    }
    Ok((targets, seconds))
}

#[cfg(test)]
mod tests {
    use super::read;

    #[test]
    fn targets_and_a_time_are_read() {
        let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(read(&words("")).unwrap(), (vec![], 60));
        assert_eq!(read(&words("wire pool --seconds 5")).unwrap(), (words("wire pool"), 5));
        assert!(read(&words("wire --seconds")).is_err());
        assert!(read(&words("--release")).is_err());
    }
}
