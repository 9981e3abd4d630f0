//! `clustermon doctor`: what it says of a command agrees with what `clustermon run` does with it.

use harness::{Said, TempDir, c_program, cli, cli_command, require, setuid_program};
use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Whether it will work, and the grade and the text of one check.
struct Told {
    works: bool,
    report: serde_json::Value,
}

impl Told {
    #[track_caller]
    fn check(&self, name: &str) -> (&str, String) {
        let checks = self.report["checks"].as_array().expect("a list");
        let check = checks.iter().find(|check| check["check"] == name);
        let check = check.unwrap_or_else(|| panic!("{name} is among {:#}", self.report));
        let text = |key: &str| check[key].as_str().unwrap_or_default();
        (text("grade"), format!("{}; {}", text("found"), text("advice")))
    }
}

#[track_caller]
fn doctor(folder: &Path, command: impl AsRef<OsStr>) -> Told {
    let output = cli_command(folder, "doctor --json --").arg(command).output().expect("it starts");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.stderr.is_empty(), "{:?}", String::from_utf8_lossy(&output.stderr));
    let report: serde_json::Value = serde_json::from_str(&said).unwrap_or_else(|_| panic!("JSON: {said}"));
    let works = report["works"].as_bool().expect("yes or no");
    assert_eq!(output.status.code(), Some(if works { 0 } else { 1 }), "{said}");
    Told { works, report }
}

/// What `clustermon run` says to the same command, which it must refuse.
#[track_caller]
fn run_anyway(folder: &Path, command: impl AsRef<OsStr>) -> String {
    let output = cli_command(folder, "run --").arg(command).output().expect("it starts");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Said { code: output.status.code(), out: text(&output.stdout), err: text(&output.stderr) }
        .refusal(2)
        .to_owned()
}

fn script(folder: &TempDir, name: &str, text: &str) -> PathBuf {
    let path = folder.path().join(name);
    fs::write(&path, text).expect("the temporary directory is writable");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("we have just made it");
    path
}

#[test]
fn what_works_is_well_in_every_way() {
    if !require("node") {
        return;
    }
    let folder = TempDir::new();
    let told = doctor(folder.path(), "node");
    assert!(told.works, "{:#}", told.report);
    for check in ["command", "program", "libc", "thunk", "kernel", "calls"] {
        assert_eq!(told.check(check).0, "ok", "{check}: {:#}", told.report);
    }
    assert!(told.check("libc").1.contains("glibc"), "{:#}", told.report);
    let table = cli(folder.path(), "doctor -- node server.js --json").good();
    assert!(table.starts_with("RESULT  CHECK "), "what follows the command is its own: {table}");
    let lines = table.lines().skip(1).filter(|line| line.starts_with("ok ") || line.starts_with("note "));
    assert_eq!(lines.count(), table.lines().count() - 1, "{table}");
    assert!(table.lines().any(|line| line.starts_with("ok ") && line.contains("/node")), "{table}");
}

#[test]
fn what_no_thunk_can_enter_comes_by_the_filter_unless_that_is_not_wanted() {
    if !require("cc") {
        return;
    }
    let folder = TempDir::new();
    for (program, word) in [
        (c_program("epoll", &["-static"]), "statically linked"),
        (c_program("looks_like_go", &["-static"]), "Go"),
    ] {
        let told = doctor(folder.path(), &program);
        assert!(told.works, "{:#}", told.report);
        assert!(told.check("program").1.contains(word), "{:#}", told.report);
        let (grade, line) = told.check("intercept");
        assert!(grade != "no" && line.starts_with("seccomp: the program is "), "{line}");
        assert!(told.check("dispatch").1.starts_with("kernel:"), "{:#}", told.report);
        let words = "doctor --json --intercept preload --";
        let output = cli_command(folder.path(), words).arg(&program).output().expect("it starts");
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        let refused = cli_command(folder.path(), "run --intercept preload --").arg(&program).output();
        let refused = refused.expect("it starts");
        let line = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert!(refused.status.code() == Some(2) && line.contains("--intercept auto"), "{line}");
    }
}

#[test]
fn a_script_is_followed_to_its_interpreter() {
    if !require("cc") {
        return;
    }
    let folder = TempDir::new();
    let dynamic = c_program("epoll", &[]);
    let good = script(&folder, "good", &format!("#!/usr/bin/env {}\n", dynamic.display()));
    let told = doctor(folder.path(), &good);
    assert!(told.works, "{:#}", told.report);
    let (_, chain) = told.check("command");
    let expected = format!("{} -> /usr/bin/env -> {}; ", good.display(), dynamic.display());
    assert_eq!(chain, expected);
    let fixed = c_program("epoll", &["-static"]);
    let bad = script(&folder, "bad", &format!("#!/usr/bin/env {}\n", fixed.display()));
    let told = doctor(folder.path(), &bad);
    assert!(told.works && told.check("program").1.contains("statically linked"), "{:#}", told.report);
    assert!(told.check("intercept").1.starts_with("seccomp"), "{:#}", told.report);
    let shell = doctor(folder.path(), script(&folder, "shell", "#!/bin/sh\nexec server\n"));
    assert!(shell.works && shell.check("program").0 == "note", "{:#}", shell.report);
}

#[test]
fn what_changes_its_user_is_refused_by_both() {
    let folder = TempDir::new();
    let Some(path) = setuid_program(folder.path()) else { return };
    let told = doctor(folder.path(), &path);
    assert!(!told.works && told.check("program").1.contains("setuid"), "{:#}", told.report);
    assert!(run_anyway(folder.path(), &path).contains("setuid"));
}

#[test]
fn what_is_not_there_is_told_as_by_run() {
    let folder = TempDir::new();
    for command in ["no-such-command-anywhere", "/nowhere/at/all"] {
        let said = cli(folder.path(), &format!("doctor -- {command}"));
        assert_eq!(said.refusal(2), run_anyway(folder.path(), command));
    }
    cli(folder.path(), "doctor").refusal(2);
    let said = cli(folder.path(), "doctor --thunk /nowhere/thunk.so -- env");
    assert!(said.refusal(2).contains("/nowhere/thunk.so"), "{said:?}");
}

#[test]
fn a_program_of_another_c_library() {
    if !require("musl-gcc") {
        return;
    }
    let folder = TempDir::new();
    let (source, path) = (folder.path().join("nothing.c"), folder.path().join("on-musl"));
    fs::write(&source, "int main(void) { return 0; }\n").expect("the temporary directory is writable");
    let built = Command::new("musl-gcc").arg("-o").arg(&path).arg(source).status();
    assert!(built.expect("it is installed").success());
    let told = doctor(folder.path(), &path);
    assert!(told.works && told.check("libc").1.contains("musl"), "{:#}", told.report);
}
