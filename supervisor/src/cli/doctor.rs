//! `clustermon doctor`: whether a command would work as a cluster on this machine, told before anything is started. It
//! runs nothing.

mod judge;

use crate::cli::output::failed::{Failed, USAGE};
use crate::cli::output::out;
use crate::cli::output::table::{Cell, Column, Tone, render};
use crate::config::Intercept;
use crate::io::launch::host_checks::HostChecks;
use crate::io::launch::interception::Interception;
use crate::io::launch::program::Program;
use crate::io::launch::thunk_file;
use crate::io::output::plain;
use judge::{Case, Check, Grade, judge};
use serde::Serialize;
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

/// Of a command that will not work.
const WILL_NOT: u8 = 1;

const COLUMNS: [Column; 3] = [("RESULT", false), ("CHECK", false), ("FOUND", false)];

/// Tell what will work for a command on this machine, what will not, and what to do about it
#[derive(Debug, clap::Args)]
#[command(
    override_usage = "clustermon doctor [OPTIONS] [--] COMMAND [ARGS]...",
    after_help = "\
Exit codes:
  0  it will work
  1  it will not: a check says `no`
  2  the command line is at fault, or there is no such command",
    arg_required_else_help = false
)]
pub(super) struct Args {
    /// JSON: an object with `command`, `works` and `checks`
    #[arg(long)]
    json: bool,
    /// Thunk to preload, as for `run`
    #[arg(long, value_name = "PATH")]
    thunk: Option<PathBuf>,
    /// How listeners come to the cluster, as for `run`
    #[arg(long, value_name = "HOW", default_value_t)]
    intercept: Intercept,
    /// The server program and its arguments
    #[arg(value_name = "COMMAND", trailing_var_arg = true)]
    command: Vec<OsString>,
}

/// What is printed as JSON.
#[derive(Debug, Serialize)]
struct Report<'a> {
    command: Vec<String>,
    works: bool,
    checks: &'a [Check],
}

impl Args {
    pub(super) fn run(&self) -> Result<ExitCode, Failed> {
        let fault = |what: &dyn std::fmt::Display| Failed::new(USAGE, what.to_string());
        let name = self.command.first().filter(|name| !name.is_empty());
        let name = name.ok_or_else(|| fault(&"no command given: `clustermon doctor -- node server.js`"))?;
        let program = Program::resolve(name).map_err(|error| fault(&error))?;
        let thunk = match thunk_file::locate(self.thunk.as_deref()) {
            Err(error) if error.is_input() => return Err(fault(&error)),
            found => found.map_err(|error| error.to_string()),
        };
        let linker_is_there = program.linker.as_ref().map(|linker| linker.exists());
        let facts = HostChecks::read();
        let interception = Interception::of(&program, self.intercept);
        let case = Case { facts: &facts, program: &program, interception, linker_is_there, thunk: &thunk };
        let checks = judge(&case);
        let works = checks.iter().all(|check| check.grade != Grade::No);
        if self.json {
            let command = self.command.iter().map(|word| word.to_string_lossy().into_owned()).collect();
            let text = serde_json::to_string_pretty(&Report { command, works, checks: &checks });
            let text = text.map_err(|error| Failed::new(1, format!("cannot write JSON: {error}")))?;
            out::print(&format!("{}\n", plain::json(&text)))?;
        } else {
            let rows: Vec<_> = checks.iter().map(row).collect();
            out::print(&render(&COLUMNS, &rows, out::colours()))?;
        }
        Ok(if works { ExitCode::SUCCESS } else { ExitCode::from(WILL_NOT) })
    }
}

fn row(check: &Check) -> Vec<Cell> {
    let (word, tone) = match check.grade {
        Grade::Ok => ("ok", Tone::Good),
        Grade::Note => ("note", Tone::Changing),
        Grade::No => ("no", Tone::Bad),
    };
    let found = match &check.advice {
        Some(advice) => format!("{}; {advice}", check.found),
        None => check.found.clone(),
    };
    vec![Cell::toned(word, tone), Cell::new(check.check), Cell::new(found)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_what_is_found_and_what_to_do() {
        let rows = [
            Check { check: "kernel", grade: Grade::Ok, found: "Linux 6.1".to_owned(), advice: None },
            Check {
                check: "program",
                grade: Grade::No,
                found: "static\n".to_owned(),
                advice: Some("link it".to_owned()),
            },
        ];
        let expected = "\
RESULT  CHECK    FOUND
ok      kernel   Linux 6.1
no      program  static\\n; link it
";
        assert_eq!(render(&COLUMNS, &rows.iter().map(row).collect::<Vec<_>>(), false), expected);
    }
}
