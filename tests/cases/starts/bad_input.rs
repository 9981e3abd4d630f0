//! What is wrong with the input is told in one line, with exit code 2, and nothing is started.

use harness::{TempDir, c_program, clustermon, require, setuid_program};
use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

/// Runs `clustermon run` with these words and expects a refusal; returns its line.
#[track_caller]
fn refusal(words: &[OsString]) -> String {
    let output =
        Command::new(clustermon()).arg("run").args(words).stdin(Stdio::null()).output().expect("it starts");
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{words:?}: {told}");
    assert_eq!(told.lines().count(), 1, "{words:?}: {told}");
    assert!(output.stdout.is_empty(), "{words:?}: {:?}", output.stdout);
    told
}

fn words(text: &str) -> Vec<OsString> {
    text.split_whitespace().map(OsString::from).collect()
}

#[test]
fn of_the_command_line() {
    let folder = TempDir::new();
    let witness = folder.path().join("started");
    for (options, expected) in [
        ("-n 0", "0"),
        ("-n -1", "-1"),
        ("-n 1000000", "1000000"),
        ("-n many", "many"),
        ("-n 2 --logical-ids 5,6", "logical-ids"),
        ("--logical-ids 5,6,5", "5"),
        ("--logical-ids ,", "logical-ids"),
        ("--respawn -2", "-2"),
        ("--restart-delay 5", "restart-delay"),
        ("--restart-delay fast", "restart-delay"),
        ("--max-restart-delay -1s", "max-restart-delay"),
        ("--min-uptime 1parsec", "min-uptime"),
        ("--stop-timeout soon", "stop-timeout"),
        ("--intercept ptrace", "none of auto, preload, seccomp"),
        ("--window 0", "window"),
        ("--backlog 99999999999", "backlog"),
        ("--share nowhere", "nowhere"),
        ("--private 127.0.0.1:40100-40000", "127.0.0.1:40100-40000"),
        ("--private *:0-9", "a range of ports as 127.0.0.1:40000-40100"),
        ("--private 127.0.0.1:99999", "99999"),
        ("--thunk /nowhere/thunk.so", "/nowhere/thunk.so"),
        ("--name a/b", "a/b"),
        ("--ready soon", "soon"),
        ("--ready http:health", "http:health"),
        ("--ready fd:2", "3 to 1023"),
        ("--ready fd:x", "3 to 1023"),
        ("--watchdog 5", "watchdog"),
        ("--no-such-option", "--no-such-option"),
    ] {
        let mut line = words(options);
        line.extend(words("-- touch"));
        line.push(witness.clone().into());
        let told = refusal(&line);
        assert!(told.contains(expected), "{options}: {told}");
        assert!(!witness.exists(), "{options}: a process was started");
    }
}

#[test]
fn of_the_command() {
    let folder = TempDir::new();
    let plain = folder.path().join("plain-file");
    fs::write(&plain, "#!/bin/sh\n").expect("the temporary directory is writable");
    let lost = script(&folder, "lost", "#!/nowhere/interpreter\n");
    for (command, expected) in [
        (OsString::from("no-such-command-anywhere"), "no-such-command-anywhere"),
        ("/nowhere/at/all".into(), "/nowhere/at/all"),
        ("./relative-and-missing".into(), "relative-and-missing"),
        (folder.path().into(), "directory"),
        (plain.into(), "not executable"),
        (lost, "/nowhere/interpreter"),
    ] {
        let told = refusal(&["--".into(), command.clone()]);
        assert!(told.contains(expected), "{command:?}: {told}");
    }
    refusal(&[]);
    refusal(&["--".into()]);
    refusal(&["".into()]);
}

fn script(folder: &TempDir, name: &str, text: &str) -> OsString {
    let path = folder.path().join(name);
    fs::write(&path, text).expect("the temporary directory is writable");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("we have just made it");
    path.into()
}

#[test]
fn of_a_program_that_the_thunk_cannot_enter() {
    if !require("cc") {
        return;
    }
    let folder = TempDir::new();
    let fixed = c_program("epoll", &["-static"]);
    let by_script = script(&folder, "by-script", &format!("#!{}\n", fixed.display()));
    let by_env = script(&folder, "by-env", &format!("#!/usr/bin/env {}\n", fixed.display()));
    for command in [fixed.into_os_string(), by_script, by_env] {
        let told = refusal(&["--intercept".into(), "preload".into(), "--".into(), command.clone()]);
        assert!(told.contains("static"), "{command:?}: {told}");
    }
    let told = refusal(&["--".into(), foreign(&folder, &c_program("epoll", &[]))]);
    assert!(told.contains("another architecture"), "{told}");
}

/// The program, with another machine in its header.
fn foreign(folder: &TempDir, program: &Path) -> OsString {
    let mut bytes = fs::read(program).expect("it was compiled");
    let other: u16 = if cfg!(target_arch = "x86_64") { 183 } else { 62 };
    bytes[18..20].copy_from_slice(&other.to_le_bytes());
    let path = folder.path().join("foreign");
    fs::write(&path, bytes).expect("the temporary directory is writable");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("we have just made it");
    path.into()
}

#[test]
fn of_a_program_that_changes_its_user() {
    let folder = TempDir::new();
    let Some(path) = setuid_program(folder.path()) else { return };
    let told = refusal(&["--".into(), path.into()]);
    assert!(told.contains("setuid") || told.contains("set-user-ID"), "{told}");
}
