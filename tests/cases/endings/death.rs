//! Workers die under load, in crowds, and while connections wait for them: only what they had accepted may be lost.

use harness::{
    App, Cluster, Conn, Load, Options, PATIENCE, Sample, app, ask_in_turn, conn_to, is_alive, open, pause,
    resume, signal, wait_for_ids, wait_until,
};
use std::io;
use std::time::Duration;

/// Replaced without waiting, however young.
const AT_ONCE: &str = "--min-uptime 1ms --restart-delay 1ms";

fn failures(samples: &[Sample]) -> Vec<&io::Error> {
    assert!(samples.iter().all(|sample| sample.connected), "a connection was refused");
    samples.iter().filter_map(|sample| sample.result.as_ref().err()).collect()
}

fn wait_for_more(load: &Load, requests: usize) {
    let goal = load.done() + requests;
    wait_until(&format!("{requests} more requests end"), PATIENCE, || load.done() >= goal);
}

#[test]
fn kill_under_load_costs_only_what_was_accepted() {
    // It serves one connection at a time, so a kill may cost one.
    let Some(app) = app("python-blocking") else { return };
    let mut cluster = Cluster::start(&app, Options::workers(3).flags(AT_ONCE).flags("--window 4"));
    let load = Load::start(&cluster.target(), 16, "/slow?ms=2");
    let kills = 15;
    for round in 0..kills {
        wait_for_more(&load, 30);
        signal(cluster.started()[&(round % 3).to_string()], libc::SIGKILL);
        cluster.log().wait_for_count(": signal SIGKILL (not known who sent it), up ", round + 1, PATIENCE);
        cluster.wait_ready(3 + round + 1);
    }
    wait_for_more(&load, 30);
    let samples = load.finish();
    let failures = failures(&samples);
    assert!(failures.len() <= kills, "{} of {} failed: {failures:?}", failures.len(), samples.len());
    wait_for_ids(&cluster.target(), &app, 3);
    cluster.stop();
}

#[test]
fn all_may_be_killed_at_once() {
    let Some(app) = app("python-blocking") else { return };
    let mut cluster = Cluster::start(&app, Options::workers(4).flags(AT_ONCE));
    let load = Load::start(&cluster.target(), 8, "/slow?ms=1");
    let rounds = 3;
    for round in 1..=rounds {
        wait_for_more(&load, 30);
        cluster.started().values().for_each(|pid| signal(*pid, libc::SIGKILL));
        cluster.wait_ready(4 + 4 * round);
    }
    wait_for_more(&load, 30);
    let samples = load.finish();
    let failures = failures(&samples);
    assert!(failures.len() <= 4 * rounds, "{} of {} failed: {failures:?}", failures.len(), samples.len());
    wait_for_ids(&cluster.target(), &app, 4);
    cluster.stop();
}

/// Opens so many connections and asks on each.
fn ask_on(cluster: &Cluster, app: &App, count: usize) -> Vec<Conn> {
    let ask = |_| {
        let mut conn = open(&cluster.target(), app);
        conn.last_request("/").expect("the kernel takes it");
        conn
    };
    (0..count).map(ask).collect()
}

/// The connections on which an answer has not come yet.
fn unanswered(conns: &[Conn]) -> usize {
    conns.iter().filter(|conn| !conn.is_readable()).count()
}

#[test]
fn what_waits_at_a_dead_worker_is_served_by_others() {
    let Some(app) = app("c-epoll") else { return };
    let flags = "--dispatch handoff --window 4 --lag-limit off";
    let cluster = Cluster::start(&app, Options::workers(3).flags(flags));
    let victim = cluster.started()["1"];
    pause(victim);
    let mut conns = ask_on(&cluster, &app, 30);
    wait_until("the others answer theirs", PATIENCE, || unanswered(&conns) <= 4);
    assert!(unanswered(&conns) > 0, "nothing waits at the stopped worker: the test shows nothing");
    signal(victim, libc::SIGKILL);
    for conn in &mut conns {
        let who = conn.response().expect("nothing that was queued is lost").who().expect("a pid");
        assert_ne!(who.pid, victim);
    }
    cluster.stop();
}

#[test]
fn nothing_waits_at_a_stopped_worker_that_accepts_by_itself() {
    let Some(app) = app("c-epoll") else { return };
    let cluster = Cluster::start(&app, Options::workers(3).flags("--lag-limit off"));
    // Once it has said that it accepts by itself; before that it is given connections by hand.
    wait_for_ids(&cluster.target(), &app, 3);
    let victim = cluster.started()["1"];
    pause(victim);
    for conn in &mut ask_on(&cluster, &app, 30) {
        let who = conn.response().expect("an answer").who().expect("a pid");
        assert_ne!(who.pid, victim);
    }
    assert!(is_alive(victim) && harness::state(victim) == Some('T'));
    resume(victim);
    cluster.stop();
}

#[test]
fn what_waits_at_a_stopped_worker_is_served_by_others_in_time() {
    let Some(app) = app("c-epoll") else { return };
    let cluster = Cluster::start(&app, Options::workers(3).flags("--window 4 --lag-limit 200ms"));
    let victim = cluster.started()["1"];
    pause(victim);
    let mut conns = ask_on(&cluster, &app, 30);
    for conn in &mut conns {
        let who = conn.response().expect("an answer").who().expect("a pid");
        assert_ne!(who.pid, victim);
    }
    assert!(is_alive(victim));
    let others = ask_in_turn(&cluster.target(), &app, 12);
    assert!(others.iter().all(|who| who.pid != victim), "it has left the rotation");
    resume(victim);
    wait_for_ids(&cluster.target(), &app, 3);
    assert_eq!(cluster.started()["1"], victim, "it was not replaced");
    cluster.stop();
}

#[test]
fn without_any_worker_connections_wait_for_the_next() {
    let Some(app) = app("c-epoll") else { return };
    let mut cluster = Cluster::start(&app, Options::workers(1).flags("--restart-delay 300ms"));
    let old = cluster.started()["0"];
    signal(old, libc::SIGKILL);
    cluster.log().wait_for("worker 0 exited: signal SIGKILL (not known who sent it), up ");
    let mut conns = ask_on(&cluster, &app, 10);
    assert_eq!(unanswered(&conns), 10, "nobody is there to answer");
    for conn in &mut conns {
        assert_ne!(conn.response().expect("an answer").who().expect("a pid").pid, old);
    }
    cluster.wait_ready(2);
    cluster.stop();
}

#[test]
fn a_busy_worker_is_passed_over() {
    let Some(app) = app("c-epoll") else { return };
    let cluster = Cluster::start(&app, Options::workers(2));
    let mut busy = conn_to(&cluster.target(), &app, "0");
    busy.request("/slow?ms=3000").expect("it is written");
    let others = ask_in_turn(&cluster.target(), &app, 50);
    let late = others.iter().filter(|who| who.id == "0").count();
    // Its window may fill, and is taken back; the rest goes to the other.
    assert!(late <= 2, "{late} of 50 went to the worker that was busy");
    busy.response().expect("the slow answer comes too");
    wait_until("it takes its turn again", Duration::from_secs(10), || {
        ask_in_turn(&cluster.target(), &app, 2).iter().any(|who| who.id == "0")
    });
    cluster.stop();
}
