//! docs/compatibility.md, made from what the tests found. It judges nothing: every cell is a test's own word.

use super::table::Row;
use crate::Result;
use std::collections::HashMap;
use std::fmt::Write;
use std::path::Path;
use std::process::Command;

/// Column of the report, and its heading.
const COLUMNS: [(&str, &str); 7] = [
    ("version", "Version"),
    ("serves", "All workers serve"),
    ("keep-alive", "Keep-alive"),
    ("rotation", "Rotation"),
    ("restart", "Restart"),
    ("reload", "Reload: requests that failed"),
    ("lag", "Lag visible"),
];

const HOW_TO_READ: &str = "\
Each program runs as two workers, unchanged, by the command line in `tests/harness/matrix/table.rs`; what it serves is in
`tests/apps/`. Every cell was tested in that run, by `tests/harness/matrix/probes.rs`:

- *All workers serve*: both workers answer, and where several processes of a worker accept, each of these.
- *Keep-alive*: a connection stays with its process from request to request. Some programs close it after each answer,
  without clustermon too.
- *Rotation*: of 25 connections made in turn one worker gets 13 and the other 12. Where several processes of a worker
  accept, each of these has its turn in what its worker gets.
- *Restart*: `clustermon restart --wait` puts a new process into each slot, and both serve.
- *Reload*: how many requests failed during `clustermon reload --wait` with clients that make a connection for each, of how
  many; for a program that reloads by itself, the same for that.
- *Lag visible*: `clustermon inspect` shows for how long a worker has not looked for new work: nothing for an idle one,
  and for a program of one thread that is kept busy, how long.
";

const WITHOUT: &str = "\
## What cannot be a worker

The library is loaded by the dynamic linker and stands in for functions of the C library, so these are refused before
anything is started, with a message that says why (tests: `tests/cases/bad_input.rs`):

| what | cause | what you are told |
|---|---|---|
";

/// The whole document.
pub(super) fn write(rows: &[&Row], report: &Path) -> Result<String> {
    let (date, commit) =
        (said("date", &["-u", "+%Y-%m-%d"])?, said("git", &["rev-parse", "--short", "HEAD"])?);
    let system = said("uname", &["-srm"])?;
    let mut text = String::from("# Compatibility\n\n");
    write!(
        text,
        "Written by `cargo xtask matrix` on {date} at commit {commit}, {system}: {} programs.\n\n",
        rows.len()
    )?;
    text.push_str(HOW_TO_READ);
    let headings = COLUMNS.map(|(_, heading)| heading).join(" | ");
    write!(text, "\n| Program | {headings} |\n|{}\n", "---|".repeat(COLUMNS.len() + 1))?;
    for row in rows.iter().filter(|row| row.refused.is_none()) {
        let found = found(row, report)?;
        let cell = |(column, _): (&str, _)| found.get(column).map_or("", String::as_str).to_owned();
        writeln!(text, "| {} | {} |", row.title, COLUMNS.map(cell).join(" | "))?;
    }
    write!(text, "\n{WITHOUT}")?;
    for row in rows {
        let Some(refused) = &row.refused else { continue };
        let told = found(row, report)?.remove("told").unwrap_or_default();
        writeln!(text, "| {} | {} | {told} |", row.title, refused.cause)?;
    }
    Ok(text)
}

/// What the test of the row wrote, by column.
fn found(row: &Row, report: &Path) -> Result<HashMap<String, String>> {
    let path = report.join(row.name);
    let text = std::fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    let lines = text.lines().filter_map(|line| line.split_once('\t'));
    Ok(lines.map(|(column, what)| (column.to_owned(), what.to_owned())).collect())
}

fn said(program: &str, args: &[&str]) -> Result<String> {
    let output = Command::new(program).args(args).current_dir(crate::project::root()).output()?;
    if !output.status.success() {
        return Err(format!("{program} {} failed", args.join(" ")).into());
    }
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}
