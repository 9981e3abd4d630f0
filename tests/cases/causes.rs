//! Why workers end and why they get no connections: one cause each, the same in the log, in `status`, in `inspect` and in
//! events.

use crate::health::{crowd, keep_busy};
use harness::{Cluster, Conn, Log, Options, PATIENCE, app, cli_command, pause, require, signal, wait_until};
use serde_json::Value;
use std::ffi::OsString;
use std::process::{Child, Stdio};

/// Follows a cluster's events.
struct Follower {
    child: Child,
    told: Log,
}

impl Follower {
    fn of(cluster: &Cluster) -> Self {
        let mut child = cli_command(&cluster.runtime_dir(), "events --json");
        let mut child = child.stdout(Stdio::piped()).spawn().expect("it starts");
        let (told, _) = Log::collect(child.stdout.take().expect("it is piped"));
        let follower = Self { child, told };
        // A pulse is the first that it may be told.
        follower.told.wait_for("\"event\":\"health\"");
        follower
    }

    /// Waits for the first event of this kind whose cause is this.
    #[track_caller]
    fn event(&self, event: &str, kind: &str) -> Value {
        let lines = || self.told.lines_with(&format!("\"kind\":\"{kind}\""));
        let find = || lines().into_iter().find(|line| line.contains(&format!("\"event\":\"{event}\"")));
        wait_until(&format!("an event {event} of the kind {kind}"), PATIENCE, || find().is_some());
        serde_json::from_str(&find().expect("it was there")).expect("JSON")
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The last end of worker 1 is of this kind, and told with these words wherever it is.
#[track_caller]
fn ended(cluster: &Cluster, kind: &str, words: &str) {
    let told = || {
        let worker = cluster.inspect_worker("1");
        worker["last_cause"] == kind && worker["last_exit"].as_str().is_some_and(|text| text.contains(words))
    };
    wait_until(&format!("{kind}: {words}"), PATIENCE, told);
    // The log has a thread of its own.
    let logged = || cluster.log().lines_with("worker 1 exited: ").iter().any(|line| line.contains(words));
    wait_until(&format!("in the log: {words}"), PATIENCE, logged);
    let shown = cluster.order("status");
    assert!(shown.contains(words), "{shown}");
}

#[test]
fn of_an_end_are_told_everywhere() {
    let Some(app) = app("node-http") else { return };
    let flags = "--pulse 50ms --min-uptime 1ms --restart-delay 1ms --lag-limit 300ms --hang-limit 1s";
    let mut cluster = Cluster::start(&app, Options::workers(2).flags(flags));
    let follower = Follower::of(&cluster);
    signal(cluster.started()["1"], libc::SIGKILL);
    ended(&cluster, "signal", "signal SIGKILL");
    assert_eq!(follower.event("worker", "signal")["cause"], "signal SIGKILL (not known who sent it)");
    cluster.wait_ready(3);
    cluster.order("restart /1 --wait");
    ended(&cluster, "commanded", "signal SIGTERM");
    assert_eq!(follower.event("worker", "commanded")["cause"], "told to stop");
    cluster.wait_ready(4);
    pause(cluster.started()["1"]);
    let waiting = crowd(&cluster, 6);
    let rotation = follower.event("rotation", "stuck");
    assert_eq!((&rotation["id"], &rotation["in_rotation"]), (&"1".into(), &false.into()));
    let cause = follower.event("worker", "hung")["cause"].clone();
    assert!(cause.as_str().is_some_and(|text| text.starts_with("hung for ") && text.ends_with("s, stopped")));
    // It is told to go on, so that it can end when it is asked to.
    ended(&cluster, "hung", "signal SIGTERM (hung for ");
    drop(waiting);
    cluster.stop();
}

#[test]
fn of_a_suspicion_is_its_lag() {
    let Some(app) = app("node-http") else { return };
    let cluster = Cluster::start(&app, Options::workers(2).flags("--pulse 50ms --lag-limit 300ms"));
    let follower = Follower::of(&cluster);
    let mut busy = keep_busy(&cluster, &app, "/spin?ms=3000", "spinning");
    let rotation = follower.event("rotation", "lag");
    assert_eq!((&rotation["id"], &rotation["in_rotation"]), (&"1".into(), &false.into()));
    let out = cluster.inspect_worker("1")["out_of_rotation"].clone();
    assert_eq!(out["kind"], "lag");
    assert!(out["text"].as_str().is_some_and(|text| text.starts_with("busy for ")), "{out}");
    let shown = cluster.order("status");
    assert!(shown.contains("out of rotation: busy for "), "{shown}");
    busy.response().expect("the slow answer");
    wait_until("it is back", PATIENCE, || cluster.inspect_worker("1")["out_of_rotation"].is_null());
    cluster.order("cordon /1");
    assert_eq!(cluster.inspect_worker("1")["out_of_rotation"]["kind"], "cordoned");
    cluster.stop();
}

/// Listens the first time and sleeps after that; ends with a code when it is asked to.
const PYTHON: &str = r#"
import os, time
from http.server import BaseHTTPRequestHandler, HTTPServer
if os.path.exists("been" + os.environ["PROCESS_LOGICAL_ID"]):
    time.sleep(1000)
class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        open("been" + os.environ["PROCESS_LOGICAL_ID"], "w")
        os._exit(7)
HTTPServer((os.environ["HOST"], int(os.environ["PORT"])), Handler).serve_forever()
"#;

#[test]
fn of_a_start_that_fails_and_of_a_budget_that_is_spent() {
    if !require("python3") {
        return;
    }
    let command = [harness::interpreter("python3"), OsString::from("-c"), OsString::from(PYTHON)];
    let flags = "--pulse 50ms --respawn 1 --restart-delay 1ms --start-timeout 4s";
    let cluster = Cluster::start_command(&command, Options::workers(2).flags(flags));
    let follower = Follower::of(&cluster);
    let mut conn = Conn::open(&cluster.target()).expect("it listens");
    conn.last_request("/").expect("it is written");
    assert_eq!(follower.event("worker", "exit_code")["cause"], "code 7");
    let id = follower.event("worker", "exit_code")["id"].as_str().expect("an id").to_owned();
    let cause = follower.event("worker", "budget")["cause"].clone();
    assert!(
        cause.as_str().is_some_and(|text| text.starts_with("budget spent: not ready within ")),
        "{cause}"
    );
    let worker = || cluster.inspect_worker(&id);
    wait_until("its end is told", PATIENCE, || worker()["last_cause"] == "start_timeout");
    let last = worker()["last_exit"].clone();
    assert!(
        last.as_str().is_some_and(|text| text.starts_with("signal SIGKILL (not ready within ")),
        "{last}"
    );
    cluster.stop();
}
