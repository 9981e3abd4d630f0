//! What the thunk tells on stderr with CLUSTERMON_THUNK_LOG=1: each decision, in a line of its own, and nothing unasked.

use harness::{
    Cluster, Listen, Log, Options, PATIENCE, Port, TempDir, Via, app, app_dir, ask_in_turn, c_program,
    check_contract, each, interpreter, open, require, wait_until,
};
use std::collections::BTreeSet;
use std::ffi::OsString;
use std::net::TcpListener;

const BEGIN: &str = "clustermon thunk ";
const QUICKER: &str = "another was quicker with what waited";

fn told() -> Options {
    Options::workers(2).env("CLUSTERMON_THUNK_LOG", "1")
}

/// What one process told.
fn lines_of(log: &Log, pid: u32) -> Vec<String> {
    let begin = format!("{BEGIN}{pid}: ");
    // That a turn was late, as on a busy machine, is told too.
    let lines = log.lines_with(&begin).into_iter().filter(|line| !line.contains(QUICKER));
    lines.map(|line| line.replace(&begin, "")).collect()
}

#[track_caller]
fn wait_for(log: &Log, pid: u32, part: &str) {
    wait_until(&format!("process {pid} tells {part:?}"), PATIENCE, || {
        lines_of(log, pid).iter().any(|line| line.contains(part))
    });
}

#[test]
fn a_listener_is_followed_into_the_cluster() {
    let Some(app) = app("c-epoll") else { return };
    let cluster = Cluster::start(&app, told());
    ask_in_turn(&cluster.target(), &app, 10);
    let address = cluster.target().to_string();
    for pid in cluster.started().into_values() {
        wait_for(cluster.log(), pid, "attached: the supervisor sees");
        let lines = lines_of(cluster.log(), pid);
        let expected = [
            (format!(" to {address}: shared"), "bind("),
            (": replaced, with 0 registrations".to_owned(), "descriptor "),
            (format!(" on {address}: managed, by lane "), "listen("),
            (": accepts on credit, from the shared listening socket as ".to_owned(), "descriptor "),
        ];
        assert_eq!(lines.len(), expected.len() + 1, "{lines:?}");
        for (part, begin) in expected {
            let found = lines.iter().any(|line| line.starts_with(begin) && line.contains(&part));
            assert!(found, "{begin}..{part} is not in {lines:?}");
        }
    }
    let told = || cluster.log().count(BEGIN) - cluster.log().count(QUICKER);
    let before = told();
    ask_in_turn(&cluster.target(), &app, 50);
    assert_eq!(told(), before, "a connection is no news");
    cluster.stop();
}

#[test]
fn nothing_is_told_unasked() {
    let Some(app) = app("c-epoll") else { return };
    for value in [None, Some(""), Some("0")] {
        let options = Options::workers(2);
        let options = match value {
            Some(value) => options.env("CLUSTERMON_THUNK_LOG", value),
            None => options,
        };
        let cluster = Cluster::start(&app, options);
        ask_in_turn(&cluster.target(), &app, 10);
        assert_eq!(cluster.log().count(BEGIN), 0, "{value:?}:\n{}", cluster.log().text());
        cluster.stop();
    }
}

#[test]
fn lines_of_many_processes_stay_whole() {
    let Some(app) = app("c-epoll") else { return };
    let cluster = Cluster::start(&app, Options::workers(8).env("CLUSTERMON_THUNK_LOG", "1"));
    let pids: BTreeSet<_> = cluster.started().into_values().collect();
    pids.iter().for_each(|pid| wait_for(cluster.log(), *pid, "attached: "));
    let lines = cluster.log().lines_with(BEGIN);
    assert_eq!(lines.len(), 8 * 5, "{lines:?}");
    for line in lines {
        assert!(line.starts_with(BEGIN) && line.matches(BEGIN).count() == 1, "{line:?}");
    }
    cluster.stop();
}

#[test]
fn what_is_private_is_named_so() {
    let Some(app) = app("python-blocking") else { return };
    let command = [interpreter("python3"), app_dir().join("python/ports.py").into_os_string()];
    let port = Port::free();
    let options = told().env("EXTRA_PORT", port.number().to_string());
    let options = options.flags(&format!("--private *:{}", port.number()));
    let cluster = Cluster::start_command(&command, options);
    ask_in_turn(&cluster.target(), &app, 4);
    let expected = format!(" to 127.0.0.1:{}: private, left to the kernel", port.number());
    for pid in cluster.started().into_values() {
        wait_for(cluster.log(), pid, &expected);
    }
    cluster.stop();
}

#[test]
fn a_port_that_a_stranger_holds_says_whose_error_it_is() {
    let Some(app) = app("c-epoll") else { return };
    let port = Port::free();
    let _stranger = TcpListener::bind(("127.0.0.1", port.number())).expect("it is free");
    let wrapper = format!("PORT={} exec \"$0\" \"$@\"", port.number());
    let mut command: Vec<OsString> = vec!["sh".into(), "-c".into(), wrapper.into()];
    command.extend(app.default_command());
    let mut cluster = Cluster::start_command(&command, told().flags("--respawn 0").at_once());
    assert_eq!(cluster.wait_exit().code(), Some(1));
    let expected = format!(" to 127.0.0.1:{}: the kernel says EADDRINUSE", port.number());
    assert_eq!(cluster.log().count(&expected), 2, "{}", cluster.log().text());
}

#[test]
fn what_is_taken_back_is_told() {
    let Some(app) = app("python-blocking") else { return };
    let cluster = Cluster::start(&app, told().flags("--lag-limit 100ms --window 4"));
    let mut busy = open(&cluster.target(), &app);
    busy.last_request("/slow?ms=1000").expect("it is written");
    ask_in_turn(&cluster.target(), &app, 30);
    let slow = busy.response().expect("an answer").who().expect("a pid");
    wait_for(cluster.log(), slow.pid, ": what waited was taken back");
    cluster.stop();
}

#[test]
fn a_lost_supervisor_is_told() {
    // Behind a shell, so that it is the thunk that finds it out.
    let Some(app) = app("c-epoll") else { return };
    let mut cluster = Cluster::start(&app, told().via(Via::ShellC));
    ask_in_turn(&cluster.target(), &app, 4);
    cluster.signal(libc::SIGKILL);
    cluster.wait_exit();
    let gone = ": the supervisor is gone; SIGTERM to this process";
    cluster.log().wait_for_count(gone, 2, PATIENCE);
    assert_eq!(cluster.log().count("EINVAL"), 0, "{}", cluster.log().text());
}

#[test]
fn forked_children_tell_under_their_own_number() {
    let Some(app) = app("python-blocking") else { return };
    let command = [interpreter("python3"), app_dir().join("python/prefork.py").into_os_string()];
    let cluster = Cluster::start_command(&command, told().listen(Listen::Host("127.0.0.1")));
    let children = ask_in_turn(&cluster.target(), &app, 8);
    for child in children {
        wait_for(cluster.log(), child.pid, "attached: ");
        wait_for(cluster.log(), child.pid, ", this process's own, from now on");
    }
    cluster.stop();
}

#[test]
fn a_stderr_that_takes_nothing_harms_nobody() {
    let folder = TempDir::new();
    let fifo = |name: &str| folder.path().join(format!("{name}.$$")).display().to_string();
    let (gone, full) = (fifo("gone"), fifo("full"));
    for script in [
        // Closed: something of the program's own gets its number.
        "exec 2>&-".to_owned(),
        // A pipe that nobody reads any more.
        format!("mkfifo {gone}; exec 3<>{gone}; exec 2>{gone}; exec 3<&-"),
        // A full one.
        format!("mkfifo {full}; exec 3<>{full}; exec 2>{full}; head -c 65536 /dev/zero >&2"),
    ] {
        each(
            |app| matches!(app.name, "c-epoll" | "python-blocking"),
            |app| {
                let words = format!("{script}; exec \"$0\" \"$@\"");
                let mut command: Vec<OsString> = vec!["sh".into(), "-c".into(), words.into()];
                command.extend(app.default_command());
                let cluster = Cluster::start_command(&command, told());
                check_contract(&cluster.target(), &app);
                assert_eq!(cluster.log().count(BEGIN), 0, "{}", cluster.log().text());
                cluster.stop();
            },
        );
    }
}

#[test]
fn every_call_keeps_its_promise_while_it_is_told() {
    if !require("cc") {
        return;
    }
    for listen in [Listen::Host("127.0.0.1"), Listen::Path("a.sock")] {
        let options = Options::workers(1).env("CLUSTERMON_THUNK_LOG", "1").listen(listen);
        let options = options.flags("--respawn 0").at_once();
        let mut cluster = Cluster::start_command(&[c_program("sockets", &[])], options);
        cluster.wait_exit();
        let told = cluster.stdout().text();
        assert!(told.contains("sockets: 0 of "), "{listen:?}:\n{told}");
        assert!(cluster.log().count(BEGIN) > 0);
    }
}
