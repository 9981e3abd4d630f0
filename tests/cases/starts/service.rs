//! The supervisor under a service manager, on a terminal, as process 1 of a container, and as a worker itself.

use harness::{
    Cluster, Options, PATIENCE, Pid, TempDir, app, app_dir, ask_in_turn, clustermon, interpreter, open,
    require, state, wait_for, wait_for_ids, wait_until,
};
use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;
use std::os::unix::net::UnixDatagram;
use std::process::Command;

/// Children of a process, zombies included.
fn children(parent: Pid) -> Vec<Pid> {
    let text = fs::read_to_string(format!("/proc/{parent}/task/{parent}/children")).unwrap_or_default();
    text.split_whitespace().filter_map(|pid| pid.parse().ok()).collect()
}

/// A way to start a command as process 1 of its own PID namespace, if this machine allows it.
fn as_process_one() -> Option<Vec<&'static str>> {
    let words = vec!["unshare", "--pid", "--fork", "--kill-child", "--mount-proc", "--"];
    if !require("unshare") {
        return None;
    }
    let tried = Command::new(words[0]).args(&words[1..]).arg("true").output().expect("it is installed");
    if !tried.status.success() {
        eprintln!("skipped: {}", String::from_utf8_lossy(&tried.stderr).trim());
        return None;
    }
    Some(words)
}

#[test]
fn process_one_reaps_orphans_and_stops() {
    let Some(below) = as_process_one() else { return };
    let Some(app) = app("c-epoll") else { return };
    // Ten processes whose parents are gone before they end, with codes of their own.
    let orphans =
        "for n in 0 1 2 3 4 5 6 7 8 9; do (sh -c 'echo $PPID >> orphans; sleep 0.05; exit 3' &); done";
    let program = app.default_command()[0].display().to_string();
    let command = ["sh".into(), "-c".into(), format!("{orphans}; exec {program}")];
    let mut cluster = Cluster::start_command(&command, Options::workers(2).below(&below));
    let [supervisor] = children(cluster.pid())[..] else { panic!("one child") };
    let seen = fs::read_to_string(format!("/proc/{supervisor}/status")).expect("it runs");
    let ids = seen.lines().find_map(|line| line.strip_prefix("NSpid:")).expect("the kernel is not that old");
    assert!(ids.trim_end().ends_with("\t1"), "it is process 1 of its namespace: {ids}");

    let file = cluster.temp().path().join("orphans");
    let written = || fs::read_to_string(&file).unwrap_or_default().lines().count();
    wait_until("twenty orphans have run", PATIENCE, || written() == 20);
    wait_until("all are reaped", PATIENCE, || children(supervisor).len() == 2);
    assert!(children(supervisor).iter().all(|pid| state(*pid) != Some('Z')));
    open(&cluster.target(), &app).who().expect("an answer");
    assert_eq!(cluster.log().count(" exited: "), 0, "{}", cluster.log().text());

    harness::signal(supervisor, libc::SIGTERM);
    assert_eq!(cluster.wait_exit().code(), Some(0));
    cluster.assert_nothing_left();
}

/// A socket such as a service manager has, and what arrived there.
struct Manager {
    socket: UnixDatagram,
    folder: TempDir,
}

impl Manager {
    fn new() -> Self {
        let folder = TempDir::new();
        let socket = UnixDatagram::bind(folder.path().join("notify")).expect("the folder is ours");
        socket.set_read_timeout(Some(PATIENCE)).expect("a timeout is possible");
        Self { socket, folder }
    }

    fn options(&self) -> Options {
        Options::workers(2).env("NOTIFY_SOCKET", self.folder.path().join("notify"))
    }

    /// Reads until there is a message with this line; returns it, and how many came before.
    #[track_caller]
    fn wait_for(&self, line: &str) -> (String, usize) {
        let mut buffer = [0; 1024];
        for before in 0.. {
            let len =
                self.socket.recv(&mut buffer).unwrap_or_else(|error| panic!("waiting for {line}: {error}"));
            let text = String::from_utf8_lossy(&buffer[..len]).into_owned();
            if text.lines().any(|found| found == line) {
                return (text, before);
            }
        }
        unreachable!("the loop has no end")
    }
}

#[test]
fn the_service_manager_is_told() {
    let Some(app) = app("node-http") else { return };
    let manager = Manager::new();
    let options = manager.options().env("WATCHDOG_USEC", "200000").env("LISTEN_FDS", "1");
    let cluster = Cluster::start(&app, options);
    let (ready, _) = manager.wait_for("READY=1");
    assert!(ready.contains(&format!("MAINPID={}\n", cluster.pid())), "{ready}");
    for _ in 0..3 {
        manager.wait_for("WATCHDOG=1");
    }
    for pid in cluster.started().into_values() {
        let environ = fs::read(format!("/proc/{pid}/environ")).expect("the worker runs");
        let names: Vec<_> = environ.split(|byte| *byte == 0).map(String::from_utf8_lossy).collect();
        let told = names.iter().find(|name| {
            ["NOTIFY_SOCKET=/", "WATCHDOG_", "LISTEN_"].iter().any(|start| name.starts_with(start))
        });
        assert_eq!(told, None, "it is the supervisor's, not a worker's");
    }
    cluster.signal(libc::SIGTERM);
    manager.wait_for("STOPPING=1");
    let mut cluster = cluster;
    assert_eq!(cluster.wait_exit().code(), Some(0));
}

#[test]
fn a_service_manager_that_does_not_listen_is_no_fault() {
    let Some(app) = app("c-epoll") else { return };
    let manager = Manager::new();
    // Nobody reads: the queue of the socket is full soon.
    let cluster = Cluster::start(&app, manager.options().env("WATCHDOG_USEC", "2000"));
    let target = cluster.target();
    let begun = std::time::Instant::now();
    wait_until("a second of signs of life", PATIENCE, || {
        open(&target, &app).who().expect("an answer");
        begun.elapsed().as_secs() >= 1
    });
    cluster.stop();
}

#[test]
fn the_service_manager_is_told_of_reloads() {
    let Some(app) = app("c-epoll") else { return };
    let manager = Manager::new();
    let migrate = format!("test -e {}", manager.folder.path().join("go").display());
    let options = manager.options().flags("--min-healthy-time 50ms --idle-grace 100ms");
    let cluster = Cluster::start(&app, options.word("--before-reload").word(migrate));
    manager.wait_for("READY=1");
    for code in [5, 0] {
        // What it does not allow is over, too.
        let said = cluster.cli("reload");
        assert_eq!(said.code, Some(code), "{said:?}");
        let (reloading, _) = manager.wait_for("RELOADING=1");
        let time = reloading.lines().find_map(|line| line.strip_prefix("MONOTONIC_USEC="));
        assert!(time.is_some_and(|time| time.parse::<u64>().is_ok()), "{reloading}");
        manager.wait_for("READY=1");
        fs::write(manager.folder.path().join("go"), "").expect("the folder is ours");
    }
    // By SIGHUP, as systemd itself does it.
    cluster.signal(libc::SIGHUP);
    manager.wait_for("RELOADING=1");
    manager.wait_for("READY=1");
    cluster.signal(libc::SIGTERM);
    manager.wait_for("STOPPING=1");
}

#[test]
fn a_hang_up_from_a_process_is_no_stop() {
    let Some(app) = app("c-epoll") else { return };
    let cluster = Cluster::start(&app, Options::workers(2));
    cluster.signal(libc::SIGHUP);
    cluster.log().wait_for("SIGHUP");
    open(&cluster.target(), &app).who().expect("an answer");
    assert_eq!(cluster.log().count("stopping"), 0, "{}", cluster.log().text());
    cluster.stop();
}

#[test]
fn signals_scale_it_or_are_for_the_workers() {
    let Some(app) = app("c-epoll") else { return };
    let mut cluster = Cluster::start(&app, Options::workers(1));
    cluster.signal(libc::SIGTTIN);
    cluster.wait_ready(2);
    wait_for_ids(&cluster.target(), &app, 2);
    cluster.signal(libc::SIGTTOU);
    cluster.log().wait_for("worker 1 exited: ");
    wait_for_ids(&cluster.target(), &app, 1);
    // It has no handler for this one: it dies of it, and the supervisor does not.
    cluster.signal(libc::SIGUSR2);
    cluster.log().wait_for("worker 0 exited: signal SIGUSR2");
    cluster.wait_ready(3);
    cluster.stop();
}

#[test]
fn a_vanished_terminal_stops_it() {
    let Some(app) = app("c-epoll") else { return };
    if !require("python3") {
        return;
    }
    let python = interpreter("python3").into_string().expect("a plain path");
    let helper =
        app_dir().join("python/on_terminal.py").into_os_string().into_string().expect("a plain path");
    for role in ["leader", "job"] {
        let mut cluster = Cluster::start(&app, Options::workers(2).below(&[&python, &helper, role]));
        cluster.signal(libc::SIGUSR1);
        assert_eq!(cluster.wait_exit().code(), Some(0), "{role}");
        assert!(cluster.log().count("SIGHUP: stopping") >= 1, "{role}: {}", cluster.log().text());
        cluster.assert_nothing_left();
    }
}

#[test]
fn a_worker_may_be_a_cluster() {
    for name in ["node-http", "c-epoll"] {
        let Some(app) = app(name) else { continue };
        let inner = [clustermon().into_os_string(), "run".into(), "-n".into(), "2".into(), "--".into()];
        let command: Vec<OsString> = inner.into_iter().chain(app.default_command()).collect();
        let mut cluster = Cluster::start_command(&command, Options::workers(2).at_once());
        cluster.wait_ready(2 + 4);
        let target = cluster.target();
        let mut seen = BTreeSet::new();
        wait_until("all four inner workers answer", PATIENCE, || {
            seen.extend(ask_in_turn(&target, &app, 8).into_iter().map(|who| who.pid));
            seen.len() == 4
        });
        // One of them dies, and its own supervisor replaces it.
        let victim = *seen.first().expect("there are four");
        harness::signal(victim, libc::SIGKILL);
        let newcomer = wait_for("another takes its place", PATIENCE, || {
            let answers = ask_in_turn(&target, &app, 8);
            answers.into_iter().map(|who| who.pid).find(|pid| !seen.contains(pid))
        });
        assert_ne!(newcomer, victim);
        cluster.log().wait_for_count(" started, pid ", 2 + 4 + 1, PATIENCE);
        cluster.stop();
    }
}
