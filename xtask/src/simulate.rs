//! `cargo xtask simulate`: goes through histories of the shell under a simulated operating system: one of a seed that has failed, or many.
//! They have a process to themselves.

use crate::{Result, project, say};
use std::io::{BufRead, BufReader};
use std::process::{ExitCode, Stdio};

/// The tests that do it, by the beginning of their names.
const TESTS: &str = "simulation::tests::";
const USAGE: &str = "usage: cargo xtask simulate [--seed N | --from N --histories N]";

pub(crate) fn main(args: &[String]) -> Result<ExitCode> {
    let mut cargo = project::cargo("test");
    // With the feature that the fuzz targets ask for: so it is what `cargo xtask test` builds, too.
    cargo.args(["-p", "clustermon", "--features", "simulation", "--lib", TESTS, "--", "--ignored", "--nocapture"]);
    for (variable, number) in read(args)? {
        cargo.env(variable, number.to_string());
    }
    let mut child = cargo.stdout(Stdio::piped()).spawn()?;
    let mut has_run = false;
    for line in child.stdout.take().into_iter().flat_map(|stdout| BufReader::new(stdout).lines()) {
        let line = line?;
        has_run |= line.contains(TESTS);
        say(&line);
    }
    let status = child.wait()?;
    if status.success() && !has_run {
        return Err(format!("no test is named {TESTS}").into());
    }
    Ok(project::exit_code(status))
}

/// The variables by which the test is told, with their numbers.
fn read(args: &[String]) -> Result<Vec<(&'static str, u64)>> {
    let mut variables = Vec::new();
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        let variable = match arg.as_str() {
            "--seed" => "CLUSTERMON_SEED",
            "--from" => "CLUSTERMON_SEEDS_FROM",
            "--histories" => "CLUSTERMON_HISTORIES",
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
