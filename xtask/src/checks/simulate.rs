//! `cargo xtask simulate`: goes through histories of the shell under a simulated operating system: one of a seed that has failed, or many.
//! They have a process to themselves.

use crate::{Result, project};
use std::process::ExitCode;

const USAGE: &str = "usage: cargo xtask simulate [--seed N | --from N --histories N]";
const HISTORIES: &str = "CLUSTERMON_HISTORIES";
/// With all checks of a debug build, and several times as fast.
const OPTIMISED: &str = "profile.dev.package.clustermon.opt-level=1";

pub(crate) fn main(args: &[String]) -> Result<ExitCode> {
    let mut cargo = project::cargo("test");
    cargo.args(["-p", "clustermon-fuzz", "--test", "histories", "--config", OPTIMISED]);
    cargo.args(["--", "--nocapture"]).env(HISTORIES, "10000");
    for (variable, number) in read(args)? {
        cargo.env(variable, number.to_string());
    }
    Ok(project::exit_code(project::status(&mut cargo)?))
}

/// The variables by which the test is told, with their numbers.
fn read(args: &[String]) -> Result<Vec<(&'static str, u64)>> {
    let mut variables = Vec::new();
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        let variable = match arg.as_str() {
            "--seed" => "CLUSTERMON_SEED",
            "--from" => "CLUSTERMON_SEEDS_FROM",
            "--histories" => HISTORIES,
            _ => return Err(USAGE.into()),
        };
        variables.push((variable, args.next().and_then(|number| number.parse().ok()).ok_or(USAGE)?));
    }
    Ok(variables)
}

#[cfg(test)]
mod tests {
    use super::read;

    #[test]
    fn numbers_are_read() {
        let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(read(&words("")).unwrap(), []);
        assert_eq!(read(&words("--seed 7")).unwrap(), [("CLUSTERMON_SEED", 7)]);
        assert!(read(&words("--seed")).is_err());
        assert!(read(&words("7")).is_err());
    }
}
