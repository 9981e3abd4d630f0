//! Requests that take long: nothing waits behind one while another worker is free, and a worker that hangs in one is found
//! as ever.

use crate::health::slow::{answered_by_others, ask_others, crowd, keep_busy, measured};
use harness::{App, Cluster, Conn, Options, PATIENCE, app, get, wait_for_ids, wait_until};
use serde_json::Value;
use std::time::Instant;

/// Two workers which are known to have long requests.
fn start(app: &App, limits: &str) -> Cluster {
    let cluster = Cluster::start(app, Options::workers(2).flags(limits));
    wait_for_ids(&cluster.target(), app, 2);
    wait_until("both are given one at a time", PATIENCE, || {
        for _ in 0..4 {
            get(&cluster.target(), "/spin?ms=5").expect("an answer");
        }
        ["0", "1"].iter().all(|id| cluster.inspect_worker(id)["one_by_one"] == true)
    });
    cluster
}

fn nothing_waits_behind_one(app: App) {
    let cluster = start(&app, "--lag-limit 5s");
    let before = cluster.started();
    let so_far = cluster.stdout().count("spinning");
    let mut busy = Conn::open(&cluster.target()).expect("it listens");
    let start = Instant::now();
    busy.last_request("/spin?ms=3500").expect("it is written");
    cluster.stdout().wait_for_count("spinning", so_far + 1, PATIENCE);
    let others = crowd(&cluster, 8)
        .into_iter()
        .map(|mut conn| conn.response().expect("every connection is answered").who().expect("a pid").pid);
    let others: Vec<_> = others.collect();
    let (after, done) = (start.elapsed(), busy.is_readable());
    let pid = busy.response().expect("the slow answer").who().expect("a pid").pid;
    assert!(!done && !others.contains(&pid), "after {after:?} {others:?} have answered, and {pid} was slow");
    assert!(before.values().any(|worker| *worker == pid));
    // Each has its turn again.
    wait_for_ids(&cluster.target(), &app, 2);
    measured(&format!(
        "{}: one of two in a request of 3.5 s: 8 others were answered by the other {after:?} after it began",
        app.name
    ));
    cluster.stop();
}

#[test]
fn in_a_blocking_worker_hold_nobody_else_up() {
    if let Some(app) = app("python-blocking") {
        nothing_waits_behind_one(app);
    }
}

#[test]
fn in_an_event_loop_hold_nobody_else_up() {
    if let Some(app) = app("node-http") {
        nothing_waits_behind_one(app);
    }
}

#[test]
fn when_all_are_in_one_the_rest_waits_and_is_answered() {
    let Some(app) = app("python-blocking") else { return };
    // Two are served. The rest waits in the kernel's queue; where connections are handed over the supervisor has one in hand.
    for (dispatch, waiting) in [("credit", 4), ("handoff", 1)] {
        let cluster = start(&app, &format!("--lag-limit 5s --dispatch {dispatch}"));
        // A round says nothing where the machine was too busy for it, and why is seen; all others have to be right.
        let mut right = 0;
        wait_until("three rounds in which the rest waits", PATIENCE, || {
            match rest_waits(&cluster, waiting) {
                Ok(()) => right += 1,
                Err(why) => eprintln!("{dispatch}: a round that says nothing: {why}"),
            }
            right == 3
        });
        cluster.stop();
    }
}

/// Six long requests at once: only two are given to workers while these are in them, and all are answered. An error is why that
/// could not be seen this time.
fn rest_waits(cluster: &Cluster, waiting: u64) -> Result<(), &'static str> {
    let so_far = cluster.stdout().count("spinning");
    let given = |seen: &Value| -> u64 {
        let workers = seen["workers"].as_array().expect("a list");
        workers.iter().filter_map(|worker| worker["connections"].as_u64()).sum()
    };
    let one_by_one = |seen: &Value| {
        let workers = seen["workers"].as_array().expect("a list");
        workers.iter().all(|worker| worker["one_by_one"] == true)
    };
    let late = |seen: &Value| seen["load_balancers"][0]["late"].as_u64();
    let before = cluster.inspect();
    let mut all: Vec<Conn> = (0..6).map(|_| Conn::open(&cluster.target()).expect("it listens")).collect();
    for conn in &mut all {
        conn.last_request("/spin?ms=1000").expect("it is written");
    }
    cluster.stdout().wait_for_count("spinning", so_far + 2, PATIENCE);
    let seen = cluster.inspect();
    let is_over = all.iter().any(Conn::is_readable);
    for mut conn in all {
        conn.response().expect("every connection is answered").who().expect("a pid");
    }
    let why = match () {
        () if is_over => Some("one was answered before it was looked"),
        () if !one_by_one(&before) || !one_by_one(&seen) => Some("one is not known to be in a long request"),
        () if late(&before) != late(&seen) => Some("a worker was late to come, and another was asked"),
        () => None,
    };
    let found = (seen["load_balancers"][0]["queued"].as_u64(), given(&seen));
    match (found == (Some(waiting), given(&before) + 2), why) {
        (true, _) => Ok(()),
        (false, Some(why)) => Err(why),
        (false, None) => panic!("{found:?} wait and are given: {before} {seen}"),
    }
}

#[test]
fn a_worker_that_hangs_in_one_is_replaced() {
    let Some(app) = app("python-asyncio") else { return };
    let cluster = start(&app, "--lag-limit 1s --hang-limit 3s --min-uptime 1ms --restart-delay 1ms");
    let before = cluster.started();
    let so_far = cluster.stdout().count("spinning");
    let hung = keep_busy(&cluster, &app, "/spin?ms=600000", "spinning");
    cluster.stdout().wait_for_count("spinning", so_far + 1, PATIENCE);
    let waiting = crowd(&cluster, 6);
    cluster.log().wait_for("worker 1 has been busy for ");
    answered_by_others(waiting, before["1"]);
    ask_others(&cluster, "1", || cluster.log().count("worker 1 has hung for ") > 0);
    wait_until("another takes its place", PATIENCE, || cluster.started()["1"] != before["1"]);
    wait_for_ids(&cluster.target(), &app, 2);
    drop(hung);
    cluster.stop();
}
