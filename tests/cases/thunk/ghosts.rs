//! When a program closes a connection, it is closed: nobody else holds it, so no epoll reports it any more and the
//! client sees its end at once.

use harness::{
    Cluster, Load, Native, Options, PATIENCE, Target, app, c_program, get, open, require, wait_until,
};

/// Clients that leave as soon as they have their answer: the server's close and theirs cross.
fn load(target: &Target) {
    let load = Load::start(target, 8, "/");
    wait_until("8,000 requests end", PATIENCE, || load.done() >= 8000);
    let samples = load.finish();
    assert!(samples.iter().all(|sample| sample.result.is_ok()));
}

#[test]
fn are_not_seen_alone() {
    if !require("cc") {
        return;
    }
    let native = Native::start_command(vec![c_program("ghosts", &[]).into()], &Options::default());
    load(native.target());
    assert_eq!(get(native.target(), "/ghosts").expect("an answer").text(), "0\n");
}

#[test]
fn are_not_seen_by_workers() {
    if !require("cc") {
        return;
    }
    let cluster = Cluster::start_command(&[c_program("ghosts", &[])], Options::workers(2));
    load(&cluster.target());
    for _ in 0..4 {
        let ghosts = get(&cluster.target(), "/ghosts").expect("an answer").text();
        assert_eq!(ghosts, "0\n", "events came for connections that the worker had closed");
    }
    cluster.stop();
}

#[test]
fn a_close_reaches_the_client_while_nothing_else_happens() {
    let Some(app) = app("c-epoll") else { return };
    let cluster = Cluster::start(&app, Options::workers(2));
    for _ in 0..200 {
        let mut conn = open(&cluster.target(), &app);
        conn.last_request("/").and_then(|()| conn.response()).expect("an answer");
        // Nobody else connects meanwhile: a copy that is closed only in passing would not be closed.
        assert!(conn.at_end(), "the connection is still open");
    }
    cluster.stop();
}
