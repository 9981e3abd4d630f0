//! However little time there is for a stop, workers are told to stop before they are killed, though a client would hold
//! them up for longer.

use harness::{Cluster, Conn, Options, PATIENCE, Pid, app, require, wait_until};
use std::fs;
use std::process::Command;

/// Serves one line every tenth of a second, for ever, and writes a file when it is told to stop.
const STREAM: &str = "import os, signal, socket, threading, time
def bye(*_):
    open('told.' + os.environ['PROCESS_LOGICAL_ID'], 'w'); os._exit(0)
signal.signal(signal.SIGTERM, bye)
def serve(client):
    try:
        while True: client.sendall(b'x\\n'); time.sleep(0.1)
    except OSError: pass
def accept():
    while True: threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
listener = socket.create_server(('127.0.0.1', int(os.environ['PORT'])))
threading.Thread(target=accept, daemon=True).start()
while True: signal.pause()";

/// One worker of this, with a client at it.
fn streaming(options: Options) -> (Cluster, Conn) {
    let cluster = Cluster::start_command(&["python3", "-c", STREAM], options);
    let client = Conn::open(&cluster.target()).expect("it listens");
    (cluster, client)
}

fn was_told(cluster: &Cluster) -> bool {
    cluster.temp().path().join("told.0").exists()
}

#[test]
fn a_short_shutdown_cuts_the_drain_and_says_so() {
    if !require("python3") {
        return;
    }
    let options = Options::workers(1).flags("--shutdown-timeout 20s --drain-timeout 10m --stop-timeout 19s");
    let (mut cluster, _client) = streaming(options);
    cluster.log().wait_for("a stop may take 20s (--shutdown-timeout): workers are told within 10s");
    cluster.signal(libc::SIGTERM);
    assert_eq!(cluster.wait_exit().code(), Some(0));
    assert!(was_told(&cluster), "{}", cluster.log().text());
}

#[test]
fn process_one_of_a_container_has_ten_seconds() {
    let words = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc", "--"];
    if !require("unshare") || !require("python3") {
        return;
    }
    let tried = Command::new(words[0]).args(&words[1..]).arg("true").output().expect("it is installed");
    if !tried.status.success() {
        eprintln!("skipped: {}", String::from_utf8_lossy(&tried.stderr).trim());
        return;
    }
    let without_kubernetes = [&["env", "-u", "KUBERNETES_SERVICE_HOST"], &words[..]].concat();
    let (mut cluster, _client) = streaming(Options::workers(1).below(&without_kubernetes));
    let [supervisor] = children(cluster.pid())[..] else { panic!("one child") };
    cluster.log().wait_for("workers are told within 4s, and what is left is killed after 8s");
    harness::signal(supervisor, libc::SIGTERM);
    wait_until("the worker is told to stop", PATIENCE, || was_told(&cluster));
    assert_eq!(cluster.wait_exit().code(), Some(0));
    cluster.assert_nothing_left();
    // Who has thought of it is believed.
    for flags in ["--drain-timeout 20s", "--stop-timeout 10s"] {
        let app = app("c-epoll").expect("there is a C compiler or a test before this one has failed");
        let cluster = Cluster::start(&app, Options::workers(1).flags(flags).below(&without_kubernetes));
        let [supervisor] = children(cluster.pid())[..] else { panic!("one child") };
        assert_eq!(cluster.log().count("container"), 0, "{flags}");
        harness::signal(supervisor, libc::SIGKILL);
    }
}

fn children(parent: Pid) -> Vec<Pid> {
    let text = fs::read_to_string(format!("/proc/{parent}/task/{parent}/children")).unwrap_or_default();
    text.split_whitespace().filter_map(|pid| pid.parse().ok()).collect()
}
