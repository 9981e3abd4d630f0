//! What the original offered, and where it is here: the table in docs/parity.md is made from this one. A name without a
//! row, a test, flag or method that does not exist, or a document that differs fails.

mod table;

use harness::clustermon;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use table::{Row, SECTIONS, Section};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("it is a folder of the workspace").to_owned()
}

fn words(cell: &'static str) -> impl Iterator<Item = &'static str> {
    cell.split(", ").filter(|word| *word != "-")
}

fn rows() -> impl Iterator<Item = &'static Row> {
    SECTIONS.iter().flat_map(|section| section.rows)
}

fn document() -> String {
    let mut text = String::from(
        "# Where everything of the original is\n\n\
         The original is the Node module of this name. Each row names a feature of it, the same on the command line and in the library\n\
         here, and the tests that show it with real processes (`cargo xtask test NAME`).\n\n\
         This page is made by `UPDATE_DOCS=1 cargo xtask test parity`; do not edit it.\n",
    );
    let code = |cell: &'static str| match cell {
        "-" => "-".to_owned(),
        _ => cell.split(", ").map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", "),
    };
    for Section { title, original, rows, .. } in SECTIONS {
        let heads = format!("{original} | command line | library | remark | tests");
        write!(text, "\n## {title}\n\n| {heads} |\n|---|---|---|---|---|\n").expect("a string takes all");
        for &(name, flags, methods, tests, remark) in *rows {
            let name = if *original == "promise" { name.to_owned() } else { format!("`{name}`") };
            let cells = [name, code(flags), code(methods), remark.to_owned(), code(tests)];
            writeln!(text, "| {} |", cells.join(" | ")).expect("a string takes all");
        }
    }
    text
}

#[test]
fn every_name_of_the_original_has_a_row() {
    for section in SECTIONS {
        let named: Vec<_> = section.rows.iter().map(|row| row.0).collect();
        assert_eq!(named, section.names, "{}: the rows are not those of the original", section.title);
    }
    for (name, flags, methods, tests, remark) in rows() {
        assert!(!tests.is_empty(), "{name} has no test");
        let nothing = *flags == "-" || *methods == "-";
        assert!(!nothing || !remark.is_empty(), "{name} is missing on a side, and no remark says why");
    }
}

#[test]
fn every_test_that_is_named_exists() {
    for (name, _, _, tests, _) in rows() {
        for test in words(tests) {
            let (module, function) = test.rsplit_once("::").expect("a module and a test");
            let places = ["tests/cases", "supervisor/tests"].map(|folder| root().join(folder));
            let sources = places.iter().filter_map(|folder| {
                fs::read_to_string(folder.join(format!("{}.rs", module.replace("::", "/")))).ok()
            });
            let wanted = format!("#[test]\nfn {function}() {{");
            assert!(
                sources.into_iter().any(|source| source.contains(&wanted)),
                "{name}: there is no test {test}"
            );
        }
    }
}

fn help(words: &[&str]) -> String {
    let output = Command::new(clustermon()).args(words).output().expect("it is built");
    String::from_utf8(output.stdout).expect("plain text")
}

#[test]
fn every_flag_and_command_that_is_named_exists() {
    let (run, all) = (help(&["run", "--help"]), help(&["--help"]));
    for (name, flags, _, _, _) in rows() {
        for flag in words(flags) {
            let known = match flag.strip_prefix("clustermon ") {
                Some(command) => all.lines().any(|line| line.trim_start().split(' ').next() == Some(command)),
                None => run.split([' ', '\n', ',', '.', '[', ']']).any(|word| word == flag),
            };
            assert!(known, "{name}: {flag} is not in the help");
        }
    }
}

#[test]
fn every_method_that_is_named_exists() {
    let mut sources = fs::read_to_string(root().join("supervisor/src/cluster.rs")).expect("it is readable");
    let mut folders = ["config", "cluster"].map(|folder| root().join("supervisor/src").join(folder)).to_vec();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("the sources are here").flatten() {
            match entry.path() {
                path if path.is_dir() => folders.push(path),
                path => sources += &fs::read_to_string(path).expect("it is readable"),
            }
        }
    }
    for (name, _, methods, _, _) in rows() {
        for method in words(methods) {
            assert!(sources.contains(&format!("pub fn {method}(")), "{name}: there is no {method}()");
        }
    }
}

#[test]
fn the_document_is_made_from_this_table() {
    let path = root().join("docs/parity.md");
    if std::env::var_os("UPDATE_DOCS").is_some_and(|value| value == "1") {
        fs::write(&path, document()).expect("the tree is writable");
    }
    let written = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        written == document(),
        "docs/parity.md is out of date: run UPDATE_DOCS=1 cargo xtask test parity"
    );
}
