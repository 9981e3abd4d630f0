//! Workers that hang: looked at closely, told of with evidence, replaced and then killed; and those that only look so.

use crate::health::slow::{
    answered_by_others, ask_others, assert_nobody_ended, assert_order, crowd, crowd_until, keep_busy,
    measured, pass, suspicions,
};
use harness::{
    App, Cluster, Conn, Options, PATIENCE, app, conn_to, interpreter, pause, require, wait_for_ids,
    wait_until,
};
use std::ffi::OsString;
use std::io::Write;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// A second until a worker hangs, and a replacement without delay, however young the worker is.
const SOON: &str = "--lag-limit 300ms --hang-limit 1s --min-uptime 1ms --restart-delay 1ms";

/// Waits until worker 1 is found to hang like this and another has taken its place; returns the verdict's line.
#[track_caller]
fn replaced(cluster: &mut Cluster, old: u32, how: &str, workers: usize) -> String {
    let verdict = "worker 1 has hung for ";
    cluster.log().wait_for(verdict);
    cluster.wait_ready(workers + 1);
    cluster.log().wait_for("worker 1 exited: signal ");
    let line = cluster.log().lines_with(verdict).remove(0);
    assert!(line.contains(how), "{line}");
    assert!(line.contains("; stopped, next start now: thread "), "no evidence: {line}");
    let new = cluster.started()["1"];
    assert_ne!(new, old);
    let started = format!("worker 1 started, pid {new}");
    assert_order(cluster, &[": out of rotation", " has hung for ", &started, "worker 1 exited: signal "]);
    assert_eq!(cluster.log().count(" has hung for "), 1, "somebody else was judged");
    line.split_once(" worker ").map_or(line.clone(), |(_, rest)| rest.to_owned())
}

/// Asks until somebody is found to hang: whom nobody misses is not.
#[track_caller]
fn until_it_is_found(cluster: &Cluster) {
    ask_others(cluster, "", || cluster.log().count(" has hung for ") > 0);
}

fn endless_loop(app: App, options: Options, how_ended: &str) {
    let mut cluster = Cluster::start(&app, options);
    wait_for_ids(&cluster.target(), &app, 4);
    let old = cluster.started()["1"];
    let start = Instant::now();
    let busy = keep_busy(&cluster, &app, "/spin?ms=600000", "spinning");
    let waiting = crowd(&cluster, 12);
    cluster.log().wait_for("worker 1 has been busy for ");
    let out = start.elapsed();
    answered_by_others(waiting, old);
    let (asked, slowest) = ask_others(&cluster, "", || cluster.log().count(" has hung for ") > 0);
    let found = start.elapsed();
    let line = replaced(&mut cluster, old, "on the CPU throughout", 4);
    cluster.log().wait_for(how_ended);
    let gone = start.elapsed();
    drop(busy);
    wait_for_ids(&cluster.target(), &app, 4);
    measured(&format!(
        "{}: an endless loop: out of rotation after {out:?} (limit 300 ms), found after {found:?} (limit 1 s), replaced \
         and gone after {gone:?}; {asked} requests meanwhile, the slowest {slowest:?}; {line}",
        app.name
    ));
    cluster.stop();
}

#[test]
fn an_endless_loop_in_node_ends_by_a_kill() {
    let Some(app) = app("node-http") else { return };
    // With a handler of SIGTERM that its loop never comes to.
    let options = Options::workers(4).flags(SOON).env("GRACEFUL", "1");
    endless_loop(app, options, "worker 1 exited: signal SIGKILL");
}

#[test]
fn an_endless_loop_in_python_ends() {
    let Some(app) = app("python-asyncio") else { return };
    endless_loop(app, Options::workers(4).flags(SOON), "worker 1 exited: signal SIGTERM");
}

#[test]
fn a_stopped_worker_is_replaced() {
    let Some(app) = app("node-http") else { return };
    let mut cluster = Cluster::start(&app, Options::workers(4).flags(SOON));
    wait_for_ids(&cluster.target(), &app, 4);
    let old = cluster.started()["1"];
    pause(old);
    let start = Instant::now();
    // In the words for who is stopped in its wait, or for who is stopped between two.
    let words = ["worker 1 has taken nothing on ", "worker 1 has been busy for "];
    let waiting = crowd_until(&cluster, "worker 1 is out of rotation", || {
        words.iter().any(|words| cluster.log().count(words) > 0)
    });
    let out = start.elapsed();
    let stranded = answered_by_others(waiting, old);
    until_it_is_found(&cluster);
    let line = replaced(&mut cluster, old, ", stopped; stopped", 4);
    // It is told to go on, so that it can end when it is asked to.
    cluster.log().wait_for("worker 1 exited: signal SIGTERM");
    let gone = start.elapsed();
    wait_for_ids(&cluster.target(), &app, 4);
    measured(&format!(
        "SIGSTOP: out of rotation after {out:?} (limit 300 ms), what waited was answered {stranded:?} later by others, \
         replaced and ended after {gone:?}; {line}"
    ));
    cluster.stop();
}

fn deadlock(app: App) {
    let mut cluster = Cluster::start(&app, Options::workers(4).flags(SOON));
    wait_for_ids(&cluster.target(), &app, 4);
    let old = cluster.started()["1"];
    let start = Instant::now();
    let locked = keep_busy(&cluster, &app, "/lock", "locking");
    let waiting = crowd(&cluster, 12);
    answered_by_others(waiting, old);
    until_it_is_found(&cluster);
    let line = replaced(&mut cluster, old, "waiting for a lock", 4);
    let gone = start.elapsed();
    wait_for_ids(&cluster.target(), &app, 4);
    drop(locked);
    measured(&format!("{}: a deadlock: replaced and killed after {gone:?} (limit 1 s); {line}", app.name));
    cluster.stop();
}

#[test]
fn a_deadlock_in_python_is_found() {
    if let Some(app) = app("python-asyncio") {
        deadlock(app);
    }
}

#[test]
fn a_deadlock_in_c_is_found() {
    if let Some(app) = app("c-epoll") {
        deadlock(app);
    }
}

/// Uploads to worker 1, a few bytes at a time, until told to stop. What it has left to say is returned with it.
#[track_caller]
fn upload(cluster: &Cluster, app: &App, mut done: impl FnMut() -> bool) -> std::io::Result<Conn> {
    // It serves one connection at a time: the one it serves is dropped for the next to be served.
    let mut conn = conn_to(&cluster.target(), app, "1");
    conn.write(b"POST /echo HTTP/1.1\r\nContent-Length: 1000000\r\n\r\n")?;
    let mut sent = 0;
    while !done() {
        conn.write(b"x")?;
        sent += 1;
        pass(Duration::from_millis(50));
    }
    conn.write(&vec![b'x'; 1_000_000 - sent])?;
    Ok(conn)
}

/// Longer than the default of --hang-limit. Called where a minute passes anyway.
pub(crate) fn a_slow_upload_is_no_hang() {
    let Some(app) = app("python-blocking") else { return };
    let whole = Duration::from_secs(45);
    let cluster = Cluster::start(&app, Options::workers(3).flags("--lag-limit 300ms"));
    wait_for_ids(&cluster.target(), &app, 3);
    let pid = cluster.started()["1"];
    let start = Instant::now();
    let mut waiting = Vec::new();
    let mut asked = 0;
    let conn = upload(&cluster, &app, || {
        // Always somebody wants it.
        waiting.extend(crowd(&cluster, 3));
        waiting.retain(|conn: &Conn| !conn.is_readable());
        asked += 3;
        start.elapsed() >= whole
    });
    let echoed = conn.and_then(|mut conn| conn.response()).expect("the upload ends well");
    let took = start.elapsed();
    assert_eq!(echoed.body.len(), 1_000_000);
    for mut conn in waiting {
        conn.response().expect("an answer after all");
    }
    assert!(suspicions(&cluster) > 0, "nobody noticed: the test shows nothing");
    wait_for_ids(&cluster.target(), &app, 3);
    assert_nobody_ended(&cluster);
    assert_eq!(cluster.started()["1"], pid);
    measured(&format!(
        "an upload of {took:?} read by a sync worker: not killed, {asked} requests meanwhile (hang limit 30 s)"
    ));
    cluster.stop();
}

#[test]
fn a_slow_upload_is_a_hang_for_who_says_so() {
    let Some(app) = app("python-blocking") else { return };
    let mut cluster = Cluster::start(&app, Options::workers(3).flags(SOON));
    wait_for_ids(&cluster.target(), &app, 3);
    let old = cluster.started()["1"];
    let start = Instant::now();
    let log = cluster.log().clone();
    let mut waiting = Vec::new();
    // It may be cut while it is written.
    let _ = upload(&cluster, &app, || {
        waiting.extend(crowd(&cluster, 3));
        log.count(" has hung for ") > 0 || start.elapsed() > PATIENCE
    });
    let line = replaced(&mut cluster, old, ", blocked; stopped", 3);
    let took = start.elapsed();
    answered_by_others(waiting, old);
    measured(&format!("an upload with --hang-limit 1s given: replaced and gone after {took:?}; {line}"));
    cluster.stop();
}

/// Writes where it is to stderr on SIGUSR2, from C: nothing of the program has to run for that.
const DUMPS: &str = r#"
import faulthandler, os, signal
from http.server import BaseHTTPRequestHandler, HTTPServer
faulthandler.register(signal.SIGUSR2)
def stuck_in_here():
    while True:
        pass
class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/stick":
            print("sticking", flush=True)
            stuck_in_here()
        body = f"pid={os.getpid()} id={os.environ['PROCESS_LOGICAL_ID']}\n".encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *args):
        pass
HTTPServer((os.environ["HOST"], int(os.environ["PORT"])), Handler).serve_forever()
"#;

#[test]
fn what_hangs_is_asked_first_what_it_is_doing() {
    if !require("python3") {
        return;
    }
    for capture in ["", " --capture"] {
        let command = [interpreter("python3"), OsString::from("-c"), OsString::from(DUMPS)];
        let flags = format!("{SOON} --dump-signal SIGUSR2{capture}");
        let mut cluster = Cluster::start_command(&command, Options::workers(2).flags(&flags));
        let mut stuck = Conn::open(&cluster.target()).expect("it listens");
        stuck.last_request("/stick").expect("it is written");
        cluster.stdout().wait_for("sticking");
        let waiting = crowd(&cluster, 6);
        cluster.log().wait_for(" has hung for ");
        let verdict = cluster.log().lines_with(" has hung for ").remove(0);
        cluster.log().wait_for("stuck_in_here");
        cluster.wait_ready(3);
        cluster.log().wait_for(" exited: signal SIGTERM");
        // The verdict may be written later: the log has a thread of its own.
        assert_order(&cluster, &["stuck_in_here", " exited: signal SIGTERM"]);
        for mut conn in waiting {
            conn.response().expect("every connection is answered");
        }
        let line = cluster.log().lines_with("stuck_in_here").remove(0);
        if !capture.is_empty() {
            let id = verdict.split("worker ").nth(1).and_then(|rest| rest.split(' ').next()).expect("an id");
            assert!(line.starts_with(&format!("[python3/{id}] ")), "{line}");
        }
        measured(&format!("--dump-signal SIGUSR2{capture}: before it was stopped it said: {}", line.trim()));
        drop(stuck);
        cluster.stop();
    }
}

#[test]
fn a_debugger_is_not_disturbed() {
    let Some(app) = app("c-epoll").filter(|_| require("gdb")) else { return };
    let cluster = Cluster::start(&app, Options::workers(3).flags("--lag-limit 200ms --hang-limit 500ms"));
    wait_for_ids(&cluster.target(), &app, 3);
    let pid = cluster.started()["1"];
    let mut gdb = Command::new("gdb")
        .args(["-nx", "-q", "-p", &pid.to_string()])
        .args(["-iex", "set debuginfod enabled off", "-iex", "set auto-load off"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("gdb starts");
    wait_until("gdb has stopped it", PATIENCE, || harness::state(pid) == Some('t'));
    let start = Instant::now();
    let waiting = crowd_until(&cluster, "worker 1 is out of rotation", || {
        cluster.log().count("worker 1 has taken nothing on ") > 0
    });
    answered_by_others(waiting, pid);
    pass(Duration::from_secs(3));
    assert_nobody_ended(&cluster);
    let held = start.elapsed();
    gdb.stdin.take().expect("it is a pipe").write_all(b"detach\nquit\n").expect("gdb reads");
    gdb.wait().expect("gdb ends");
    cluster.log().wait_for("worker 1 takes connections on ");
    wait_for_ids(&cluster.target(), &app, 3);
    assert_nobody_ended(&cluster);
    assert_eq!(cluster.started()["1"], pid);
    measured(&format!("held by gdb for {held:?} (hang limit 500 ms): out of rotation, untouched, and back"));
    cluster.stop();
}
