//! `cargo xtask matrix`: installs what people run as workers, lets the tests run each, and writes what was found into
//! docs/compatibility.md. It asks nothing of a program itself.

mod document;
mod install;
#[allow(dead_code, unreachable_pub, reason = "the tests read the columns that are not for installing")]
#[path = "../../../tests/harness/matrix/table.rs"]
mod table;

use crate::{Result, complain, project, say};
use std::process::ExitCode;
use table::{Row, TABLE};

/// Without names all rows are run, and the document is written.
pub(crate) fn main(args: &[String]) -> Result<ExitCode> {
    let rows = chosen(args)?;
    let folder = project::target()?.join("matrix");
    std::fs::create_dir_all(&folder)?;
    for row in &rows {
        install::needs(row, &folder).map_err(|error| format!("{}: {error}", row.name))?;
    }
    complain("building");
    project::check(project::cargo("build").args(["--quiet", "--workspace"]))?;

    let report = folder.join("report");
    if report.exists() {
        std::fs::remove_dir_all(&report)?;
    }
    let names: Vec<&str> = rows.iter().map(|row| row.name).collect();
    let mut cargo = project::cargo("test");
    cargo.args(["--quiet", "-p", "clustermon-tests", "--test", "all", "--", "--exact"]);
    cargo.args(names.iter().map(|name| format!("programs::matrix::{}", name.replace('-', "_"))));
    cargo.env("CLUSTERMON_MATRIX", names.join(",")).env("CLUSTERMON_MATRIX_REPORT", &report);
    let status = project::status(&mut cargo)?;
    if !status.success() {
        complain("matrix: some rows failed: the document stays as it was");
        return Ok(project::exit_code(status));
    }
    if args.is_empty() {
        let path = project::root().join("docs/compatibility.md");
        std::fs::write(&path, document::write(&rows, &report)?)?;
        say(&format!("{} rows, written to {}", rows.len(), path.display()));
    } else {
        say(&format!("passed: {}", names.join(", ")));
    }
    Ok(ExitCode::SUCCESS)
}

fn chosen(names: &[String]) -> Result<Vec<&'static Row>> {
    if names.is_empty() {
        return Ok(TABLE.iter().collect());
    }
    let find = |name: &String| {
        let known = || TABLE.iter().map(|row| row.name).collect::<Vec<_>>().join(", ");
        let row = TABLE.iter().find(|row| row.name == name);
        row.ok_or_else(|| format!("no row is called {name}; there are {}", known()).into())
    };
    names.iter().map(find).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_chosen_by_name() {
        let names = |args: &[&str]| {
            let args: Vec<String> = args.iter().map(|&arg| arg.to_owned()).collect();
            chosen(&args).map(|rows| rows.iter().map(|row| row.name).collect::<Vec<_>>())
        };
        assert_eq!(names(&["puma", "c-poll"]).ok(), Some(vec!["puma", "c-poll"]));
        assert_eq!(names(&[]).map(|rows| rows.len()).ok(), Some(TABLE.len()));
        assert!(names(&["cobol"]).is_err_and(|error| error.to_string().contains("c-poll")));
    }
}
