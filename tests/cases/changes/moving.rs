//! `--drain move`: connections are taken from a worker that leaves and go on with another, and nobody's answer is cut.

use harness::{Cluster, Conn, Listen, Options, PATIENCE, Target, Who, app, wait_until, who};
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

/// Pause of a kept connection between two requests.
const THINK: Duration = Duration::from_millis(50);

/// Asks on one connection until told to stop, and counts its answers. Who answered, in order.
fn keep_asking(target: &Target, go_on: &AtomicBool, answers: &AtomicUsize) -> Vec<Who> {
    let mut conn = Conn::open(target).expect("the cluster listens");
    let mut answered_by: Vec<Who> = Vec::new();
    while go_on.load(Ordering::Relaxed) {
        let who = conn.who().expect("an answer on the same connection");
        if answered_by.last() != Some(&who) {
            answered_by.push(who);
        }
        answers.fetch_add(1, Ordering::Relaxed);
        thread::sleep(THINK);
    }
    answered_by
}

/// A kept connection and an answer whose body comes 1.5 s after its head, on one worker that is replaced meanwhile.
fn both_go_on(name: &str) {
    let Some(app) = app(name) else { return };
    // Nothing is silent for so long: what is known of a connection is what its client has shown.
    let cluster = Cluster::start(&app, Options::workers(1).flags("--drain move --idle-grace 15s"));
    let target = cluster.target();
    let (go_on, answers) = (AtomicBool::new(true), AtomicUsize::new(0));
    let answered_by = thread::scope(|scope| {
        let kept = scope.spawn(|| keep_asking(&target, &go_on, &answers));
        let mut slow = Conn::open(&target).expect("the cluster listens");
        slow.last_request("/stream?ms=1500&pieces=1").expect("it is sent");
        wait_until("the head is there", PATIENCE, || slow.is_readable());
        let reload = scope.spawn(|| cluster.cli("reload --wait"));
        let response = slow.response().expect("the rest of it");
        assert_eq!((response.status, response.text().as_str()), (200, "x"));
        assert_eq!(reload.join().expect("it does not panic").code, Some(0));
        cluster.log().wait_for("1 connections go to others");
        let before = answers.load(Ordering::Relaxed);
        wait_until("the kept connection is answered again", PATIENCE, || {
            kept.is_finished() || answers.load(Ordering::Relaxed) > before + 1
        });
        go_on.store(false, Ordering::Relaxed);
        kept.join().expect("every request is answered")
    });
    let pids: BTreeSet<_> = answered_by.iter().map(|who| who.pid).collect();
    assert!(pids.len() == 2 && answered_by.len() == 2, "{answered_by:?}");
    assert_eq!(cluster.log().count("cannot be moved"), 0);
    cluster.stop();
}

#[test]
fn an_event_loop_loses_nothing() {
    both_go_on("node-http");
}

#[test]
fn threads_lose_nothing() {
    both_go_on("python-threads");
}

#[test]
fn one_that_never_ends_is_told_when_its_time_is_up() {
    let Some(app) = app("node-http") else { return };
    let options = Options::workers(1).flags("--drain move --idle-grace 30s --drain-timeout 1500ms");
    let cluster = Cluster::start(&app, options);
    let mut slow = Conn::open(&cluster.target()).expect("the cluster listens");
    slow.request("/stream?ms=600000&pieces=1").expect("it is sent");
    wait_until("the head is there", PATIENCE, || slow.is_readable());
    assert_eq!(cluster.cli("reload --wait").code, Some(0));
    cluster.log().wait_for("1 connections are not known to be between two requests");
    assert!(slow.response().is_err(), "it was cut");
    cluster.stop();
}

#[test]
fn unix_connections_are_drained_quietly() {
    let Some(app) = app("node-http") else { return };
    let options = Options::workers(1).listen(Listen::Path("s")).flags("--drain move --idle-grace 300ms");
    let cluster = Cluster::start(&app, options);
    let mut kept = Conn::open(&cluster.target()).expect("the cluster listens");
    let before = kept.who().expect("an answer");
    assert_eq!(cluster.cli("reload --wait").code, Some(0));
    assert!(kept.at_end(), "it is closed once it is idle");
    assert_ne!(who(&cluster.target()).expect("an answer"), before);
    assert_eq!(cluster.log().count("go to others"), 0);
    assert_eq!(cluster.log().count("cannot be moved"), 0);
    cluster.stop();
}
