//! Connections are taken back from a worker that was told of them: its accept() must not wait where it would not have
//! waited without the take-back.

use harness::{Cluster, Options, PATIENCE, app, ask_in_turn, each, open, wait_for_ids, wait_until};

#[test]
fn between_select_and_a_blocking_accept() {
    let Some(app) = app("c-select-block") else { return };
    // Both workers nap once between select() and accept(), longer than they may.
    let cluster = Cluster::start(&app, Options::workers(2).flags("--lag-limit 100ms").env("NAP_MS", "500"));
    let mut conns: Vec<_> = (0..6)
        .map(|_| {
            let mut conn = open(&cluster.target(), &app);
            conn.last_request("/").expect("the kernel takes it");
            conn
        })
        .collect();
    for conn in &mut conns {
        conn.response().expect("an answer, from whomever");
    }
    // Neither hangs: with connections made one at a time, each takes its turn again.
    wait_for_ids(&cluster.target(), &app, 2);
    cluster.stop();
}

#[test]
fn while_the_worker_is_busy() {
    each(
        |app| app.one_at_a_time,
        |app| {
            let cluster = Cluster::start(&app, Options::workers(2).flags("--lag-limit 100ms --window 4"));
            let mut busy = open(&cluster.target(), &app);
            busy.last_request("/slow?ms=2000").expect("it is written");
            // Some of these come to wait behind the slow one; all are answered by the other.
            let answers = ask_in_turn(&cluster.target(), &app, 30);
            let slow = busy.response().expect("an answer").who().expect("a pid");
            assert!(answers.iter().all(|who| who.pid != slow.pid), "the busy worker answered nobody else");
            wait_until("the worker that was busy takes its turn again", PATIENCE, || {
                ask_in_turn(&cluster.target(), &app, 2).iter().any(|who| who.pid == slow.pid)
            });
            cluster.stop();
        },
    );
}
