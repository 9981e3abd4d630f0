//! Workers that are idle in a blocking accept(), whatever they have waited for before: none counts as busy, and none is taken
//! out of a wait that has nothing to do with its listener.

use harness::{Cluster, Conn, Listen, Options, PATIENCE, app_dir, interpreter, require, wait_until, who};
use std::collections::BTreeSet;
use std::ffi::OsString;

const SOON: &str = "--lag-limit 300ms --pulse 100ms";

/// Two workers of a Python program, if there is a Python.
fn python(file: &str, options: Options) -> Option<Cluster> {
    if !require("python3") {
        return None;
    }
    let program: OsString = app_dir().join("python").join(file).into();
    Some(Cluster::start_command(
        &[interpreter("python3"), program],
        options.listen(Listen::Host("127.0.0.1")),
    ))
}

/// Asks until each of two workers has answered.
fn ask_all(cluster: &Cluster) {
    let mut seen = BTreeSet::new();
    wait_until("each worker answers", PATIENCE, || {
        seen.extend(who(&cluster.target()).map(|answer| answer.id));
        seen.len() == 2
    });
}

/// The lag of each worker is none. That of a thread which is taken for busy would only grow.
fn wait_until_idle(cluster: &Cluster) {
    for id in ["0", "1"] {
        wait_until("the idle worker has no lag", PATIENCE, || {
            // There is none of a worker of which no serving thread is known at the moment.
            cluster.inspect_worker(id)["lag_ms"].as_u64().unwrap_or(0) == 0
        });
    }
}

/// Serves one round, is idle for a while, and is idle by all that is known of it.
fn idle_after(name: &str, options: Options) {
    let Some(cluster) = python("waits_for_each.py", options) else { return };
    ask_all(&cluster);
    wait_until_idle(&cluster);
    for id in ["0", "1"] {
        assert_eq!(cluster.inspect_worker(id)["lag_ms"], 0, "{name}: its thread is known");
    }
    ask_all(&cluster);
    assert_eq!(cluster.log().count(" exited: "), 0, "{name}");
    cluster.stop();
}

#[test]
fn a_worker_that_has_waited_for_a_connection_is_idle_in_accept() {
    for wait in ["nothing", "timeout", "poll", "select", "epoll"] {
        idle_after(wait, Options::workers(2).flags(SOON).env("WAIT", wait));
    }
}

#[test]
fn a_worker_near_its_limit_of_descriptors_is_idle_in_accept() {
    for wait in ["nothing", "poll"] {
        idle_after(wait, Options::workers(2).flags(SOON).env("WAIT", wait).env("FDS", "200"));
    }
}

/// True if something was taken back from a worker whose thread waits like this, and it went on as before. Nothing is where the
/// machine is so busy that the first requests were found long, for then none waits behind another.
fn goes_on_when_something_is_taken_back(wait: &str) -> bool {
    let options = Options::workers(2).flags(SOON).env("WAIT", wait);
    let Some(cluster) = python("waits_for_each.py", options) else { return true };
    let started = cluster.started();
    let mut slow = Conn::open(&cluster.target()).expect("it listens");
    slow.last_request("/slow?ms=1500").expect("it is written");
    // Some of these wait behind it, until they are taken back.
    let mut others: Vec<Conn> = (0..4).map(|_| Conn::open(&cluster.target()).expect("it listens")).collect();
    for other in &mut others {
        other.last_request("/").expect("it is written");
    }
    for mut conn in others.into_iter().chain([slow]) {
        conn.response().expect("each is answered");
    }
    let is_taken_back = cluster.log().count("what waited goes to others") > 0;
    wait_until("both are in rotation", PATIENCE, || {
        ["0", "1"].iter().all(|id| cluster.inspect_worker(id)["out_of_rotation"].is_null())
    });
    ask_all(&cluster);
    assert_eq!((cluster.log().count(" exited: "), cluster.started()), (0, started), "{wait}");
    cluster.stop();
    is_taken_back
}

#[test]
fn who_was_told_of_a_connection_goes_on_waiting_when_what_waited_is_taken_back() {
    for wait in ["timeout", "poll", "select", "epoll"] {
        wait_until("something is taken back", 3 * PATIENCE, || goes_on_when_something_is_taken_back(wait));
    }
}

#[test]
fn threads_that_have_ended_are_not_busy() {
    // More at once than a page has room for, and more than once.
    const AT_ONCE: usize = 180;
    let Some(cluster) = python("leaders.py", Options::workers(2).flags(SOON)) else { return };
    for _ in 0..2 {
        let mut conns: Vec<Conn> =
            (0..AT_ONCE).map(|_| Conn::open(&cluster.target()).expect("it listens")).collect();
        for conn in &mut conns {
            conn.request("/").expect("it is written");
            conn.response().expect("an answer");
        }
        // All of these threads wait for their clients' next request, where nobody sees it; the one that accepts is idle.
        wait_until_idle(&cluster);
    }
    // Only those are known as serving that there are.
    for id in ["0", "1"] {
        wait_until("the others are forgotten", PATIENCE, || {
            let _ = who(&cluster.target());
            let known = &cluster.inspect_worker(id)["health"]["serving_threads"];
            known.as_u64().is_some_and(|threads| threads < 20)
        });
    }
    wait_until_idle(&cluster);
    ask_all(&cluster);
    assert_eq!(cluster.log().count(" exited: "), 0);
    cluster.stop();
}
