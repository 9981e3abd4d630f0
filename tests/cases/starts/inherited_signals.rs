//! Ignored and blocked signals: a worker has those that the supervisor was started with, as alone it would.

use harness::{Cluster, Options, PATIENCE, TempDir, cli, cli_command, require, wait_for};
use std::process::Command;

/// Executes the words that follow with these signals ignored and blocked. Python ignores SIGPIPE for itself, which is put
/// back first.
const PREPARE: &str = "import signal, os, sys
signal.signal(signal.SIGPIPE, signal.SIG_DFL)
for number in map(int, filter(None, sys.argv[1].split(','))): signal.signal(number, signal.SIG_IGN)
signal.pthread_sigmask(signal.SIG_SETMASK, set(map(int, filter(None, sys.argv[2].split(',')))))
os.execvp(sys.argv[3], sys.argv[3:])";

/// What a process that is started has.
const TELL: [&str; 3] = ["sh", "-c", "grep -E '^Sig(Blk|Ign)' /proc/self/status >&2"];

/// Some of each kind that the supervisor reads, that its runtime changes and that nobody here touches.
fn signals() -> Vec<(String, String)> {
    let list = |numbers: &[i32]| numbers.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
    let ignored = [
        &[][..],
        &[libc::SIGPIPE],
        &[libc::SIGCHLD],
        &[libc::SIGPIPE, libc::SIGHUP, libc::SIGINT, libc::SIGQUIT, libc::SIGTERM],
        &[libc::SIGUSR1, libc::SIGUSR2, libc::SIGTTIN, libc::SIGTTOU, libc::SIGWINCH, 40],
    ];
    let blocked = [&[][..], &[libc::SIGPIPE, libc::SIGTERM, libc::SIGCHLD, libc::SIGUSR1, libc::SIGALRM, 41]];
    let pairs = ignored.iter().flat_map(|ignored| blocked.iter().map(move |blocked| (ignored, blocked)));
    pairs.map(|(ignored, blocked)| (list(ignored), list(blocked))).collect()
}

fn prepared<'a>(ignored: &'a str, blocked: &'a str) -> Vec<&'a str> {
    vec!["python3", "-c", PREPARE, ignored, blocked]
}

/// The two lines of a process that tells, without signals 32 and 33: the C library takes these two for its threads.
fn told(text: &str) -> Vec<String> {
    let lines =
        text.lines().filter_map(|line| line.split_once(":\t").filter(|line| line.0.starts_with("Sig")));
    let signals = |hex: &str| u64::from_str_radix(hex, 16).expect("a mask in hex") & !(0b11 << 31);
    lines.map(|(which, hex)| format!("{which} {:x}", signals(hex))).collect()
}

fn alone(ignored: &str, blocked: &str) -> Vec<String> {
    let words = [&prepared(ignored, blocked)[..], &TELL].concat();
    let output = Command::new(words[0]).args(&words[1..]).output().expect("it starts");
    let told = told(&String::from_utf8_lossy(&output.stderr));
    assert_eq!(told.len(), 2, "{told:?}");
    told
}

#[test]
fn are_given_back_to_workers() {
    if !require("python3") {
        return;
    }
    for (ignored, blocked) in signals() {
        let options = Options::workers(1).flags("--exit-codes-ok 0").at_once();
        let mut cluster = Cluster::start_command(&TELL, options.below(&prepared(&ignored, &blocked)));
        assert_eq!(cluster.wait_exit().code(), Some(0));
        assert_eq!(
            told(&cluster.log().text()),
            alone(&ignored, &blocked),
            "ignored {ignored}; blocked {blocked}"
        );
    }
}

#[test]
fn are_given_back_in_the_background_too() {
    if !require("python3") {
        return;
    }
    for (ignored, blocked) in signals() {
        let folder = TempDir::new();
        // It stays until it is ended by SIGKILL, since SIGTERM may be ignored or blocked.
        let script = format!("{}; exec sleep 1000", TELL[2]);
        let run = cli_command(folder.path(), "run --detach --name web --log web.log --start-timeout 0s -n 1");
        let words: Vec<_> = prepared(&ignored, &blocked);
        let mut start = Command::new(words[0]);
        start.args(&words[1..]).arg(run.get_program()).args(run.get_args()).args(["--", "sh", "-c", &script]);
        start.env("RUNTIME_DIRECTORY", folder.path()).current_dir(folder.path());
        let output = start.output().expect("it starts");
        let background = Background(&folder);
        assert!(output.status.success(), "{output:?}");
        let log = || std::fs::read_to_string(folder.path().join("web.log")).unwrap_or_default();
        let told = wait_for("the worker tells", PATIENCE, || {
            let told = told(&log());
            (told.len() == 2).then_some(told)
        });
        assert_eq!(told, alone(&ignored, &blocked), "ignored {ignored}; blocked {blocked}");
        drop(background);
    }
}

struct Background<'a>(&'a TempDir);

impl Drop for Background<'_> {
    fn drop(&mut self) {
        cli(self.0.path(), "force-stop --wait");
        cli(self.0.path(), "stop --wait");
    }
}

#[test]
fn how_a_worker_ends_is_seen_although_sigchld_was_ignored() {
    if !require("python3") {
        return;
    }
    let ignored = libc::SIGCHLD.to_string();
    let options = Options::workers(1).flags("--respawn 0").at_once();
    let below = prepared(&ignored, "");
    let mut cluster = Cluster::start_command(&["sh", "-c", "exit 7"], options.below(&below));
    assert_eq!(cluster.wait_exit().code(), Some(1));
    assert!(cluster.log().text().contains("worker 0 exited: code 7"));
}
