//! Why workers end and why they get no connections: one cause each, the same in the log, in `status`, in `inspect` and in
//! events.

use crate::health::slow::{crowd_until, keep_busy};
use harness::{
    Cluster, Conn, Log, Options, PATIENCE, app, cli_command, pause, rust_program, signal, wait_for,
    wait_until,
};
use serde_json::Value;
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
        self.first(event, kind, |_| true)
    }

    /// The same of this worker: on a busy machine it may happen to another first.
    #[track_caller]
    fn event_of(&self, id: &str, event: &str, kind: &str) -> Value {
        self.first(event, kind, |told| told["id"] == id)
    }

    #[track_caller]
    fn first(&self, event: &str, kind: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let of_kind = || self.told.lines_with(&format!("\"kind\":\"{kind}\""));
        let told = |line: String| serde_json::from_str::<Value>(&line).expect("JSON");
        wait_for(&format!("an event {event} of the kind {kind}"), PATIENCE, || {
            of_kind().into_iter().map(told).find(|told| told["event"] == event && wanted(told))
        })
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
    let waiting =
        crowd_until(&cluster, "worker 1 is missed", || cluster.log().count("worker 1 has hung for ") > 0);
    assert_eq!(follower.event_of("1", "rotation", "stuck")["in_rotation"], false);
    let cause = follower.event_of("1", "worker", "hung")["cause"].clone();
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
    let enough = cluster.temp().path().join("enough");
    let page = format!("/spin?until={}", enough.display());
    let mut busy = keep_busy(&cluster, &app, &page, "spinning since ");
    assert_eq!(follower.event_of("1", "rotation", "lag")["in_rotation"], false);
    // What was told may be of its start, which takes long on a busy machine. It is busy until it has enough.
    wait_until("its lag is why it is out", PATIENCE, || {
        let out = cluster.inspect_worker("1")["out_of_rotation"].clone();
        out["kind"] == "lag" && out["text"].as_str().is_some_and(|text| text.starts_with("busy for "))
    });
    wait_until("status tells the same", PATIENCE, || {
        cluster.order("status").contains("out of rotation: busy for ")
    });
    std::fs::write(enough, "").expect("the temporary directory is writable");
    busy.response().expect("the slow answer");
    wait_until("it is back", PATIENCE, || cluster.inspect_worker("1")["out_of_rotation"].is_null());
    cluster.order("cordon /1");
    assert_eq!(cluster.inspect_worker("1")["out_of_rotation"]["kind"], "cordoned");
    cluster.stop();
}

/// Serves the first time, ready at once on however busy a machine, and sleeps after that.
const ONCE: &str = r#"been=been$PROCESS_LOGICAL_ID; [ -e $been ] && exec sleep 1000; : >$been; exec "$0""#;

#[test]
fn of_a_start_that_fails_and_of_a_budget_that_is_spent() {
    let program = rust_program("app-std").into_os_string();
    let command = ["sh".into(), "-c".into(), ONCE.into(), program];
    let flags = "--pulse 50ms --respawn 1 --restart-delay 1ms --start-timeout 6s";
    let cluster = Cluster::start_command(&command, Options::workers(2).flags(flags));
    let follower = Follower::of(&cluster);
    let mut conn = Conn::open(&cluster.target()).expect("it listens");
    conn.last_request("/exit?code=7").expect("it is written");
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
