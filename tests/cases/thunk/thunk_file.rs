//! The file of the thunk, which a lone supervisor carries with it: it may disappear, and others may have been where it goes.

use harness::{
    Cluster, Options, PATIENCE, Port, TempDir, app, ask_in_turn, clustermon, require, shares, signal,
    wait_until,
};
use std::fs;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A copy of the program with nothing beside it.
fn lone(folder: &TempDir) -> PathBuf {
    let copy = folder.path().join("clustermon");
    fs::copy(clustermon(), &copy).expect("the temporary directory is writable");
    copy
}

#[test]
fn is_written_anew_when_it_is_gone() {
    let Some(app) = app("python-threads") else { return };
    let folder = TempDir::new();
    let mut cluster =
        Cluster::start(&app, Options::workers(2).supervisor(&lone(&folder)).flags("--restart-delay 1ms"));
    fs::remove_dir_all(cluster.runtime_dir().join("thunk")).expect("it was written there");
    for pid in cluster.started().into_values() {
        signal(pid, libc::SIGKILL);
    }
    cluster.wait_ready(4);
    let told = "is gone: workers that start from now on get ";
    assert_eq!(cluster.log().count(told), 1, "{}", cluster.log().text());
    wait_until("both take their turns again", PATIENCE, || {
        shares(&ask_in_turn(&cluster.target(), &app, 20)).values().collect::<Vec<_>>() == [&10, &10]
    });
    cluster.stop();
}

/// A directory of a user that nobody is, taken by another in advance; what is made beside it goes with it.
struct Squatted(String);

impl Drop for Squatted {
    fn drop(&mut self) {
        for entry in fs::read_dir("/tmp").into_iter().flatten().flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            if name.strip_prefix(&self.0).is_some_and(|rest| rest.is_empty() || rest.starts_with('.')) {
                let _ = fs::remove_dir_all(entry.path());
            }
        }
    }
}

#[test]
fn goes_elsewhere_where_another_user_was_first() {
    // SAFETY: asks for a number only.
    if unsafe { libc::geteuid() } != 0 || !require("setpriv") || !Path::new("/usr/bin/python3").exists() {
        eprintln!("skipped: only root may be two users");
        return;
    }
    let folder = TempDir::new();
    let user = 100_000 + std::process::id() % 1_000_000;
    let squat = |end: &str| {
        let name = format!("clustermon-{user}{end}");
        let path = Path::new("/tmp").join(&name);
        fs::create_dir(&path).and_then(|()| chown(&path, Some(65534), Some(65534))).expect("nobody has it");
        Squatted(name)
    };
    let port = Port::free();
    let _squatted = [squat(""), squat("-thunk")];
    let script = "import os, socket\nown = socket.socket()\nown.bind(('127.0.0.1', int(os.environ['PORT'])))\nown.listen(8)\n\
                  while True: own.accept()[0].close()";
    let lone = lone(&folder);
    let program = |words: &[&str]| {
        let mut command = Command::new("setpriv");
        command.args([&format!("--reuid={user}"), &format!("--regid={user}"), "--clear-groups", "--"]);
        command.arg(&lone).args(words).current_dir("/");
        command
            .env("PORT", port.number().to_string())
            .env_remove("RUNTIME_DIRECTORY")
            .env_remove("XDG_RUNTIME_DIR");
        command
    };
    let log = fs::File::create(folder.path().join("log")).expect("the temporary directory is writable");
    let words = ["run", "-n", "1", "--name", "squatted", "--", "/usr/bin/python3", "-c", script];
    let mut supervisor = program(&words).stderr(log).spawn().expect("it starts");
    let told = || fs::read_to_string(folder.path().join("log")).unwrap_or_default();
    wait_until("it is ready", PATIENCE, || told().contains(" is ready") || told().contains("error"));
    let told = told();
    for what in ["the thunk", "control sockets"] {
        assert!(told.contains(&format!("is not used for {what}: it belongs to another user")), "{told}");
    }
    // It is found by its name all the same.
    let stopped = program(&["stop", "squatted"]).status().expect("it starts");
    assert!(stopped.success());
    assert!(supervisor.wait().expect("it is ours").success());
}
