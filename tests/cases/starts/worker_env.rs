//! What a worker is given at its start: what the user's shell would give it, and little else.

use harness::{Cluster, Native, Options, app, app_dir, interpreter, require};
use std::collections::BTreeSet;
use std::ffi::OsString;

fn probe() -> [OsString; 2] {
    [interpreter("python3"), app_dir().join("python/probe.py").into_os_string()]
}

/// The facts the probe prints, without those that are meant to differ.
fn facts(text: &str) -> BTreeSet<String> {
    let differ = ["env PROCESS_LOGICAL_ID", "env LD_PRELOAD", "group-of-its-own", "stdin"];
    let lines = text.lines().filter(|line| !differ.iter().any(|start| line.starts_with(start)));
    lines.map(str::to_owned).collect()
}

/// The same program under the supervisor and alone, both started below the same command.
fn compare(below: &[&str]) -> String {
    let options = Options::workers(1).env("GIVEN", "as given").flags("--respawn 0").at_once().below(below);
    let mut cluster = Cluster::start_command(&probe(), options.clone());
    cluster.wait_exit();
    let worker = cluster.stdout().text();
    let mut command: Vec<OsString> = below.iter().map(OsString::from).collect();
    command.extend(probe());
    let alone = Native::run_for_stdout(command, &options);
    assert!(worker.contains("env GIVEN=as given"), "{worker}\n{}", cluster.log().text());
    assert_eq!(facts(&worker), facts(&alone));
    worker
}

#[test]
fn is_as_the_shell_gives_it() {
    if !require("python3") {
        return;
    }
    let worker = compare(&[]);
    assert!(worker.contains("stdin /dev/null"), "{worker}");
    assert!(worker.contains("env PROCESS_LOGICAL_ID=0"), "{worker}");
    assert!(worker.contains("group-of-its-own True"), "{worker}");
}

fn own_nice() -> i32 {
    // SAFETY: takes plain values; 0 stands for this process, which exists, so that it cannot fail.
    unsafe { libc::getpriority(libc::PRIO_PROCESS, 0) }
}

#[test]
fn limits_and_priority_are_restored() {
    if !require("python3") || !require("prlimit") || !require("nice") || !require("chrt") {
        return;
    }
    // The supervisor raises the first for itself, and changes the scheduling policy of its own thread.
    let worker = compare(&["prlimit", "--nofile=256:4096", "--core=0", "--"]);
    assert!(worker.contains("nofile 256 4096"), "{worker}");
    let worker = compare(&["nice", "-n", "5"]);
    // As seen by whoever runs the tests: that may be nice itself.
    let nice = (own_nice() + 5).min(19);
    assert!(worker.contains(&format!("policy 0 nice {nice}")), "{worker}");
    let worker = compare(&["chrt", "--batch", "0"]);
    assert!(worker.contains("policy 3 "), "{worker}");
}

#[test]
fn ignored_and_blocked_signals_stay_so() {
    if !require("python3") {
        return;
    }
    let worker = compare(&["sh", "-c", "trap '' HUP USR1; exec \"$0\" \"$@\""]);
    assert!(worker.contains("ignored 1 10 "), "{worker}");
    let block = "import os, signal, sys; signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR2]); \
                 os.execvp(sys.argv[1], sys.argv[1:])";
    let python = interpreter("python3").into_string().expect("a plain path");
    let worker = compare(&[&python, "-c", block]);
    assert!(worker.contains("blocked 12\n"), "{worker}");
}

#[test]
fn another_preload_is_kept() {
    if !require("python3") {
        return;
    }
    let other = harness::c_library("other_preload");
    let options = Options::workers(1).env("LD_PRELOAD", &other).flags("--respawn 0").at_once();
    let mut cluster = Cluster::start_command(&probe(), options);
    cluster.wait_exit();
    let worker = cluster.stdout().text();
    let line = worker.lines().find(|line| line.starts_with("env LD_PRELOAD=")).expect("it is printed");
    let (first, rest) = line["env LD_PRELOAD=".len()..].split_once([':', ' ']).expect("both are there");
    assert!(first.ends_with(".so") && rest.contains("other_preload"), "{line}");
    assert!(cluster.log().text().contains("other preload: loaded"), "{}", cluster.log().text());
}

#[test]
fn the_mask_for_files_is_the_one_that_was_chosen() {
    let Some(app) = app("c-epoll") else { return };
    let mask = |options: Options| {
        let cluster = Cluster::start(&app, options);
        let pid = cluster.started()["0"];
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("it runs");
        cluster.stop();
        status.lines().find_map(|line| line.strip_prefix("Umask:\t")).expect("the kernel shows it").to_owned()
    };
    assert_eq!(mask(Options::workers(1).flags("--umask 027")), "0027");
    assert_eq!(mask(Options::workers(1).flags("--umask 0")), "0000");
    let own = std::fs::read_to_string("/proc/self/status").expect("it is ours");
    assert!(own.contains(&format!("Umask:\t{}", mask(Options::workers(1)))), "it is inherited");
}
