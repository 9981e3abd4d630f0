//! Workers that nobody could take over from, and workers that get little of a processor: what hangs is replaced all the
//! same, and what is only starved is left alone.

use crate::health::slow::{answered_by_others, assert_nobody_ended, assert_order, crowd, measured};
use harness::{Cluster, Conn, Options, PATIENCE, Pid, app, interpreter, pause, require, wait_until};
use std::ffi::OsString;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

/// A second until a worker hangs, and a replacement without delay, however young the worker is.
const SOON: &str = "--lag-limit 300ms --hang-limit 1s --min-uptime 1ms --restart-delay 1ms";

/// The only worker is found to hang like this, and those who waited for it are answered by the next. Returns the verdict.
#[track_caller]
fn replaced(cluster: &mut Cluster, old: Pid, waiting: Vec<Conn>, how: &str) -> String {
    let verdict = "worker 0 has hung for ";
    cluster.log().wait_for_count(verdict, 1, 3 * PATIENCE);
    cluster.wait_ready(2);
    answered_by_others(waiting, old);
    cluster.log().wait_for("worker 0 exited: signal ");
    let line = cluster.log().lines_with(verdict).remove(0);
    assert!(line.contains(how), "{line}");
    let new = cluster.started()["0"];
    assert_ne!(new, old);
    let started = format!("worker 0 started, pid {new}");
    assert_order(cluster, &[" has hung for ", &started, "worker 0 exited: signal "]);
    let log = cluster.log();
    assert_eq!(
        (log.count(": out of rotation"), log.count("machine starved")),
        (0, 0),
        "nobody could take over"
    );
    assert_eq!(log.count(verdict), 1, "the next one was judged too");
    line.split_once(" worker ").map_or(line.clone(), |(_, rest)| rest.to_owned())
}

fn endless_loop(name: &str) {
    let Some(app) = app(name) else { return };
    let mut cluster = Cluster::start(&app, Options::workers(1).flags(SOON));
    let old = cluster.started()["0"];
    let mut busy = Conn::open(&cluster.target()).expect("it listens");
    busy.request("/spin?ms=600000").expect("it is written");
    cluster.stdout().wait_for("spinning");
    let start = Instant::now();
    let waiting = crowd(&cluster, 4);
    let line = replaced(&mut cluster, old, waiting, "on the CPU throughout");
    measured(&format!(
        "{name}: an endless loop in the only worker: replaced, and those who waited answered, after {:?} (limit 1 s); \
         {line}",
        start.elapsed()
    ));
    drop(busy);
    cluster.stop();
}

#[test]
fn an_endless_loop_in_the_only_node_ends() {
    endless_loop("node-http");
}

#[test]
fn an_endless_loop_in_the_only_python_ends() {
    endless_loop("python-asyncio");
}

#[test]
fn the_only_worker_is_stopped_and_replaced() {
    for name in ["node-http", "python-blocking"] {
        let Some(app) = app(name) else { continue };
        let mut cluster = Cluster::start(&app, Options::workers(1).flags(SOON));
        let old = cluster.started()["0"];
        pause(old);
        let start = Instant::now();
        let waiting = crowd(&cluster, 4);
        let line = replaced(&mut cluster, old, waiting, ", stopped; stopped");
        measured(&format!(
            "{name}: SIGSTOP of the only worker: replaced, and those who waited answered, after {:?}; {line}",
            start.elapsed()
        ));
        cluster.stop();
    }
}

/// A server that computes until it has had a processor for as long as it is asked to: `/burn?s=0.5`.
const PYTHON: &str = r#"
import os, time
from http.server import BaseHTTPRequestHandler, HTTPServer
class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path.startswith("/burn?s="):
            print("burning", flush=True)
            end = time.process_time() + float(self.path[8:])
            while time.process_time() < end:
                pass
        body = f"pid={os.getpid()} id={os.environ['PROCESS_LOGICAL_ID']}\n".encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *args):
        pass
HTTPServer((os.environ["HOST"], int(os.environ["PORT"])), Handler).serve_forever()
"#;

/// Wants a processor all the time, beside a process that then gets a part of it. Ended on drop.
struct Rival(Child);

impl Rival {
    fn beside(pid: Pid) -> Self {
        let mut command = Command::new("taskset");
        // Whatever becomes of this test, it ends.
        let endless = "ulimit -t 100; while :; do :; done";
        command.args(["-c", &first_cpu(), "sh", "-c", endless]).stdin(Stdio::null());
        let rival = Self(command.spawn().expect("taskset starts"));
        run("taskset", &["-a", "-c", "-p", &first_cpu(), &pid.to_string()]);
        run("renice", &["-n", "5", "-p", &pid.to_string()]);
        rival
    }
}

impl Drop for Rival {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A processor that this test may use.
fn first_cpu() -> String {
    let status = std::fs::read_to_string("/proc/self/status").expect("/proc is mounted");
    let list = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:")).expect("a list");
    list.trim().split([',', '-']).next().expect("the first").to_owned()
}

#[track_caller]
fn run(program: &str, arguments: &[&str]) {
    let done = Command::new(program).args(arguments).stdout(Stdio::null()).status().expect("it starts");
    assert!(done.success(), "{program} {arguments:?}: {done}");
}

#[test]
fn who_gets_little_of_a_processor_hangs_only_by_what_it_has_used() {
    if !require("python3") || !require("taskset") || !require("renice") {
        return;
    }
    let command = [interpreter("python3"), OsString::from("-c"), OsString::from(PYTHON)];
    let mut cluster = Cluster::start_command(&command, Options::workers(1).flags(SOON));
    let old = cluster.started()["0"];
    let rival = Rival::beside(old);
    // A request that would be done in time on a free processor.
    let start = Instant::now();
    let mut long = Conn::open(&cluster.target()).expect("it listens");
    long.last_request("/burn?s=0.6").expect("it is written");
    cluster.stdout().wait_for("burning");
    let waiting = crowd(&cluster, 3);
    wait_until("the long answer", 3 * PATIENCE, || long.is_readable());
    let took = start.elapsed();
    assert_eq!(long.response().expect("the long answer").who().expect("a pid").pid, old);
    for mut conn in waiting {
        assert_eq!(conn.response().expect("an answer after all").who().expect("a pid").pid, old);
    }
    assert_nobody_ended(&cluster);
    // One that would never be.
    let start = Instant::now();
    let mut endless = Conn::open(&cluster.target()).expect("it listens");
    endless.last_request("/burn?s=100000").expect("it is written");
    cluster.stdout().wait_for_count("burning", 2, PATIENCE);
    let waiting = crowd(&cluster, 3);
    cluster.log().wait_for_count(" has hung for ", 1, 3 * PATIENCE);
    let found = start.elapsed();
    drop(rival);
    let line = replaced(&mut cluster, old, waiting, "on the CPU throughout");
    measured(&format!(
        "beside another that wants its processor, hang limit 1 s: a request of 0.6 s on the CPU took {took:?} and nobody \
         was killed; an endless loop was found after {found:?}: {line} (60 minutes with a tenth of a CPU, run once: docs/design/measurements.md)"
    ));
    cluster.stop();
}
