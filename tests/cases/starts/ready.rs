//! When a worker is ready, and what it says of itself at its `NOTIFY_SOCKET`: programs of a few lines, seen from outside.

use harness::{Cluster, Options, PATIENCE, get, interpreter, require, wait_until};
use std::ffi::OsString;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// A server that says to its notify socket what it is asked to: `/say/STATUS=x`. It does so with `FIRST` before it listens,
/// with `THEN` after, writes `WRITES` to the descriptor `NEWLINE` once there is a file `well`, and answers 503 to `/health` until `/well` was asked of it.
const PYTHON: &str = r#"
import os, socket, sys, time
from http.server import BaseHTTPRequestHandler, HTTPServer
from urllib.parse import unquote
def say(text):
    if text:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as out:
            out.sendto(text.encode(), "\0" + os.environ["NOTIFY_SOCKET"][1:])
well = False
class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        global well
        print(self.path, flush=True)
        if self.path.startswith("/say/"):
            say(unquote(self.path[5:]))
        if self.path == "/health" and os.path.exists("well"):
            well = True
        self.send_response(503 if self.path == "/health" and not well else 200)
        body = f"pid={os.getpid()} id={os.environ['PROCESS_LOGICAL_ID']}\n".encode()
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *args):
        pass
say(os.environ.get("FIRST"))
silent = os.environ.get("SILENT")
if silent == "all" or silent == "again" and os.path.exists("been"):
    time.sleep(1000)
open("been", "w")
server = HTTPServer((os.environ["HOST"], int(os.environ["PORT"])), Handler)
say(os.environ.get("THEN"))
if os.environ.get("NEWLINE"):
    number = int(os.environ["NEWLINE"])
    while not os.path.exists("well"):
        time.sleep(0.01)
    os.write(number, os.environ.get("WRITES", "").encode())
    os.close(number)
while os.environ.get("DEAF"):
    time.sleep(0.01)
    if os.path.exists("well"):
        break
server.serve_forever()
"#;

fn start(options: Options) -> Option<Cluster> {
    let python = || [interpreter("python3"), OsString::from("-c"), OsString::from(PYTHON)];
    require("python3").then(|| Cluster::start_command(&python(), options.at_once()))
}

/// Waits until so many have become ready, over all their lives.
fn ready(cluster: &Cluster, count: usize) {
    cluster.log().wait_for_count(" is ready after ", count, PATIENCE);
}

/// The time that follows these words in the log, where they stand first.
fn seconds(cluster: &Cluster, words: &str) -> f64 {
    let text = cluster.log().text();
    let rest = text.split(words).nth(1).expect("it was waited for");
    let (number, unit) = rest.split_at(rest.find(|c: char| c.is_ascii_alphabetic()).expect("a unit"));
    let scale = if unit.starts_with("ms") {
        0.001
    } else if unit.starts_with('s') {
        1.0
    } else {
        60.0
    };
    number.parse::<f64>().expect("a number") * scale
}

fn state(cluster: &Cluster, id: &str) -> String {
    cluster.inspect_worker(id)["state"].as_str().expect("a state").to_owned()
}

/// Asks the worker, when it is the only one.
fn ask(cluster: &Cluster, path: &str) {
    let answer = get(&cluster.target(), path).expect("an answer");
    assert_eq!(answer.status, 200, "{path}");
}

#[test]
fn by_its_word_alone() {
    let Some(cluster) = start(Options::workers(1).flags("--ready notify")) else { return };
    cluster.log().wait_for("worker 0 listens on");
    assert_eq!(state(&cluster, "0"), "starting");
    assert_eq!(cluster.log().count("is ready"), 0, "{}", cluster.log().text());
    cluster.stop();
    let Some(cluster) = start(Options::workers(2).flags("--ready notify").env("THEN", "READY=1")) else {
        return;
    };
    ready(&cluster, 2);
    ask(&cluster, "/");
    cluster.stop();
}

#[test]
fn by_its_word_though_it_does_not_listen() {
    let options = Options::workers(1).flags("--ready auto").env("FIRST", "STATUS=importing\nREADY=1");
    let Some(cluster) = start(options.env("SILENT", "all")) else { return };
    ready(&cluster, 1);
    let status = cluster.inspect_worker("0")["status_text"].clone();
    assert_eq!(status, "importing");
    let shown = cluster.order("status");
    assert!(shown.contains("says: importing"), "{shown}");
    cluster.stop();
}

#[test]
fn by_what_it_answers() {
    let Some(cluster) = start(Options::workers(2).flags("--ready http:/health")) else { return };
    cluster.log().wait_for("is not ready yet: status 503");
    assert_eq!(cluster.log().count(" is ready"), 0);
    std::fs::write(cluster.temp().path().join("well"), "").expect("the folder is ours");
    ready(&cluster, 2);
    ask(&cluster, "/");
    cluster.stop();
}

#[test]
fn by_whether_it_accepts() {
    let Some(cluster) = start(Options::workers(1).flags("--ready tcp").env("DEAF", "1")) else { return };
    cluster.log().wait_for("worker 0 listens on");
    assert_eq!(state(&cluster, "0"), "starting");
    std::fs::write(cluster.temp().path().join("well"), "").expect("the folder is ours");
    ready(&cluster, 1);
    ask(&cluster, "/");
    cluster.stop();
}

#[test]
fn after_a_delay() {
    let Some(cluster) = start(Options::workers(1).flags("--ready delay:2s")) else { return };
    cluster.log().wait_for("worker 0 listens on");
    assert_eq!(state(&cluster, "0"), "starting");
    ready(&cluster, 1);
    assert!(seconds(&cluster, " is ready after ") >= 2.0, "{}", cluster.log().text());
    ask(&cluster, "/");
    cluster.stop();
}

/// A number that the supervisor has in use itself, and one that it has not.
#[test]
fn by_a_newline() {
    for number in ["3", "1000"] {
        let options = Options::workers(2).flags(&format!("--ready fd:{number}"));
        let Some(cluster) = start(options.env("NEWLINE", number).env("WRITES", "yes\n")) else { return };
        cluster.log().wait_for_count(" listens on ", 2, PATIENCE);
        assert_eq!((state(&cluster, "0"), state(&cluster, "1")), ("starting".into(), "starting".into()));
        assert_eq!(cluster.log().count(" is ready"), 0, "{}", cluster.log().text());
        std::fs::write(cluster.temp().path().join("well"), "").expect("the folder is ours");
        ready(&cluster, 2);
        ask(&cluster, "/");
        cluster.stop();
    }
}

#[test]
fn without_a_newline_it_is_a_failed_start() {
    let options = Options::workers(1).flags("--ready fd:9 --start-timeout 1s --keep-trying");
    let Some(cluster) = start(options.env("NEWLINE", "9").env("WRITES", "no")) else { return };
    std::fs::write(cluster.temp().path().join("well"), "").expect("the folder is ours");
    cluster.log().wait_for("worker 0 has closed its descriptor for readiness without a newline");
    cluster.log().wait_for("worker 0 is not ready within ");
    assert!(seconds(&cluster, " is not ready within ") >= 1.0, "{}", cluster.log().text());
    assert_eq!(cluster.log().count(" is ready after "), 0);
    cluster.log().wait_for_count("worker 0 started", 2, PATIENCE);
    cluster.stop();
}

#[test]
fn by_a_newline_of_node() {
    if !require("node") {
        return;
    }
    let script = "const http = require('http');
        http.createServer((request, response) => response.end('ok')).listen(process.env.PORT, process.env.HOST, () => {
            require('fs').writeSync(3, '\\n');
        });";
    let command = [OsString::from("node"), "-e".into(), script.into()];
    let cluster = Cluster::start_command(&command, Options::workers(2).flags("--ready fd:3"));
    assert_eq!(get(&cluster.target(), "/").expect("an answer").status, 200);
    cluster.stop();
}

#[test]
fn not_in_time_is_a_failed_start_where_one_has_listened() {
    let options = Options::workers(1).flags("--start-timeout 1s").env("SILENT", "again");
    let Some(cluster) = start(options) else { return };
    cluster.log().wait_for("worker 0 listens on");
    harness::signal(cluster.started()["0"], libc::SIGKILL);
    cluster.log().wait_for("worker 0 is not ready within ");
    assert!(seconds(&cluster, " is not ready within ") >= 1.0, "{}", cluster.log().text());
    cluster.log().wait_for_count("worker 0 started", 3, PATIENCE);
    cluster.log().wait_for_count("worker 0 exited: signal SIGKILL", 2, PATIENCE);
    cluster.stop();
}

#[test]
fn in_time_is_later_for_who_says_so() {
    let options = Options::workers(1).flags("--start-timeout 5s --ready notify --keep-trying");
    let options = options.env("SILENT", "all").env("FIRST", "EXTEND_TIMEOUT_USEC=8000000");
    let Some(cluster) = start(options) else { return };
    cluster.log().wait_for("worker 0 is not ready within ");
    assert!(seconds(&cluster, " is not ready within ") >= 8.0, "{}", cluster.log().text());
    cluster.stop();
}

#[test]
fn who_says_that_it_stops_gets_nothing_more() {
    let Some(cluster) = start(Options::workers(2).flags("--ready auto")) else { return };
    ready(&cluster, 2);
    ask(&cluster, "/say/STOPPING=1");
    cluster.log().wait_for("says that it is stopping");
    let rotation = || cluster.inspect()["load_balancers"][0]["rotation"].as_array().map_or(0, Vec::len);
    wait_until("it is out of rotation", PATIENCE, || rotation() == 1);
    (0..6).for_each(|_| ask(&cluster, "/"));
    cluster.stop();
}

#[test]
fn who_promised_to_live_and_falls_silent_is_restarted() {
    let Some(cluster) = start(Options::workers(1).flags("--watchdog 500ms")) else { return };
    ready(&cluster, 1);
    // It has promised nothing yet.
    let begun = Instant::now();
    wait_until("twice the time has passed", PATIENCE, || begun.elapsed() > Duration::from_secs(1));
    assert_eq!(cluster.log().count("WATCHDOG"), 0);
    ask(&cluster, "/say/WATCHDOG=1");
    cluster.log().wait_for("worker 0 has not said WATCHDOG=1 for 500ms: restarting it");
    ready(&cluster, 2);
    cluster.stop();
}

#[test]
fn who_is_debugged_or_beyond_what_may_be_down_is_spared_by_the_watchdog() {
    if !require("gdb") {
        return;
    }
    let Some(cluster) = start(Options::workers(1).flags("--watchdog 500ms")) else { return };
    ready(&cluster, 1);
    let pid = cluster.started()["0"];
    let mut gdb = Command::new("gdb")
        .args(["-nx", "-q", "-p", &pid.to_string()])
        .args(["-iex", "set debuginfod enabled off", "-iex", "set auto-load off"])
        .args(["-ex", "continue"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("gdb starts");
    wait_until("gdb holds it", PATIENCE, || tracer(pid) != Some(0));
    // gdb lets it go on, so that it can still promise.
    ask(&cluster, "/say/WATCHDOG=1");
    let begun = Instant::now();
    wait_until("three times the time has passed", PATIENCE, || begun.elapsed() > Duration::from_millis(1500));
    assert_eq!(cluster.log().count("WATCHDOG"), 0, "{}", cluster.log().text());
    gdb.kill().expect("it is ours");
    gdb.wait().expect("it is ours");
    cluster.log().wait_for("worker 0 has not said WATCHDOG=1 for 500ms: restarting it");
    cluster.stop();
    // Nobody may be down for their health.
    let options = Options::workers(1).flags("--watchdog 200ms --health-max-unavailable 0");
    let Some(cluster) = start(options) else { return };
    ready(&cluster, 1);
    ask(&cluster, "/say/WATCHDOG=1");
    let begun = Instant::now();
    wait_until("five times the time has passed", PATIENCE, || begun.elapsed() > Duration::from_secs(1));
    assert_eq!(cluster.log().count("WATCHDOG"), 0, "{}", cluster.log().text());
    cluster.stop();
}

/// Who traces the process; 0 is nobody.
fn tracer(pid: u32) -> Option<u32> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    status.lines().find_map(|line| line.strip_prefix("TracerPid:"))?.trim().parse().ok()
}

/// Puma 5 complains of a NOTIFY_SOCKET where it lacks the library to speak to it.
#[test]
fn puma_says_what_it_says_alone() {
    if !require("puma") {
        return;
    }
    let folder = harness::TempDir::new();
    let rack = folder.path().join("config.ru");
    std::fs::write(&rack, "run lambda { |env| [200, {}, ['ok']] }\n").expect("the folder is ours");
    let port = harness::Port::free();
    let address = format!("tcp://127.0.0.1:{}", port.number());
    let command = ["puma", "-b", &address, rack.to_str().expect("it is text")];
    let cluster = Cluster::start_command(&command, Options::workers(1));
    assert_eq!(cluster.stdout().count("ystemd"), 0, "{}", cluster.stdout().text());
    assert_eq!(cluster.log().count("ystemd"), 0, "{}", cluster.log().text());
    cluster.stop();
}

/// The same from Node, by way of a program that does not come with it.
#[test]
fn a_node_program_says_it_too() {
    if !require("node") || !require("python3") {
        return;
    }
    let script = "const http = require('http');
        const say = text => require('child_process').execFileSync(process.env.PYTHON, ['-c',
            'import os,socket,sys; socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).sendto(sys.argv[1].encode(), \"\\\\0\" + os.environ[\"NOTIFY_SOCKET\"][1:])', text],
            {env: {...process.env, LD_PRELOAD: ''}});
        http.createServer((request, response) => response.end('ok')).listen(process.env.PORT, process.env.HOST, () => {
            say('STATUS=warm\\nREADY=1');
        });";
    let command = [OsString::from("node"), "-e".into(), script.into()];
    let options = Options::workers(2).flags("--ready notify").env("PYTHON", interpreter("python3"));
    let cluster = Cluster::start_command(&command, options);
    assert_eq!(cluster.inspect_worker("0")["status_text"], "warm");
    cluster.stop();
}
