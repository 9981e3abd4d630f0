//! The compatibility matrix: each program that people run as a worker, and what is asked of it. A row is checked from
//! outside, like everything here, and what was found can be written to a file.

mod client;
mod http2;
mod load;
mod place;
mod probes;
mod table;

pub use table::{Row, TABLE};

use std::env;
use std::fs;
use std::path::Path;

/// What was found about a program, column by column.
#[derive(Clone, Debug, Default)]
pub(crate) struct Found(Vec<(&'static str, String)>);

impl Found {
    fn note(&mut self, column: &'static str, what: impl Into<String>) {
        self.0.push((column, what.into()));
    }
}

/// Checks the row of that name, if it is this run's: rows of CI are always, others if `CLUSTERMON_MATRIX` names them (or
/// is `all`). Where something is missing that row is left out, unless it was asked for or the environment says that
/// everything must be there (`CLUSTERMON_REQUIRE_RUNTIMES=1`). `CLUSTERMON_MATRIX_REPORT` names a folder for what is found.
#[track_caller]
pub fn check(name: &str) {
    let row = TABLE.iter().find(|row| row.name == name).unwrap_or_else(|| panic!("no row is called {name}"));
    let wanted = env::var("CLUSTERMON_MATRIX").unwrap_or_default();
    let asked = wanted == "all" || wanted.split(',').any(|wanted| wanted == name);
    if !asked && !row.ci {
        eprintln!("skipped: cargo xtask matrix {name} runs it");
        return;
    }
    if let Some(missing) = place::missing(row) {
        let required = env::var("CLUSTERMON_REQUIRE_RUNTIMES").is_ok_and(|value| value == "1");
        assert!(!asked && !required, "{name} lacks {missing}; cargo xtask matrix {name} installs it");
        eprintln!("skipped: {name} lacks {missing}");
        return;
    }
    place::make(row);
    let mut found = Found::default();
    match &row.refused {
        Some(refused) => found.note("told", probes::is_refused(row, refused)),
        None => {
            found.note("version", place::version(row));
            probes::run(row, &mut found);
        }
    }
    if let Some(folder) = env::var_os("CLUSTERMON_MATRIX_REPORT") {
        let lines: String = found.0.iter().map(|(column, what)| format!("{column}\t{what}\n")).collect();
        let folder = Path::new(&folder);
        fs::create_dir_all(folder)
            .and_then(|()| fs::write(folder.join(name), lines))
            .expect("it is writable");
    }
}
