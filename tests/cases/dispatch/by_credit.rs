//! `--dispatch credit` from outside: workers accept by themselves and everybody is served, in every shape of server; who is out of
//! rotation gets nothing more; what cannot work by credit is handed over, and that is said.

use harness::{
    App, Cluster, Load, Options, PATIENCE, app, ask_in_turn, conn_to, each, signal, wait_for_ids, wait_until,
};
use std::collections::BTreeSet;

const CREDIT: &str = "--dispatch credit";

fn shapes(app: &App) -> bool {
    matches!(
        app.name,
        "node-http"
            | "python-asyncio"
            | "python-blocking"
            | "rust-tokio"
            | "c-epoll"
            | "c-epoll-et"
            | "c-threads"
            | "app-std"
    )
}

/// How connections reach the workers of the first address, and why.
fn dispatch(cluster: &Cluster) -> (String, Option<String>) {
    let first = cluster.inspect()["load_balancers"][0].clone();
    let text = |key: &str| first[key].as_str().map(str::to_owned);
    (text("dispatch").expect("it is told"), text("dispatch_reason"))
}

#[test]
fn every_shape_of_server_accepts_by_itself() {
    each(shapes, |app| {
        let cluster = Cluster::start(&app, Options::workers(3).flags(CREDIT));
        wait_for_ids(&cluster.target(), &app, 3);
        assert_eq!(dispatch(&cluster), ("credit".to_owned(), None));
        ask_in_turn(&cluster.target(), &app, 60);
        let load = Load::start(&cluster.target(), 16, "/");
        wait_until("there has been a storm", PATIENCE, || load.done() >= 400);
        assert!(load.finish_unharmed().len() >= 400);
        // And after it each has its turn again.
        wait_for_ids(&cluster.target(), &app, 3);
        cluster.stop();
    });
}

#[test]
fn what_cannot_work_by_credit_is_handed_over_and_that_is_said() {
    let Some(app) = app("c-epoll") else { return };
    for (flags, how, why) in [
        ("--dispatch handoff", "handoff", "--dispatch handoff"),
        ("--policy source-hash", "handoff", "--policy source-hash"),
        ("--dispatch credit --policy source-hash", "handoff", "--policy source-hash"),
    ] {
        let cluster = Cluster::start(&app, Options::workers(2).flags(flags));
        ask_in_turn(&cluster.target(), &app, 4);
        assert_eq!(dispatch(&cluster), (how.to_owned(), Some(why.to_owned())), "{flags}");
        let told = format!("connections are handed over, not given by credit: {why}");
        assert_eq!(cluster.log().count(&told), usize::from(flags.contains("credit")), "{flags}");
        cluster.stop();
    }
    // Only what is moved is handed over.
    let cluster = Cluster::start(&app, Options::workers(2).flags("--dispatch credit --drain move"));
    ask_in_turn(&cluster.target(), &app, 4);
    assert_eq!(dispatch(&cluster), ("credit".to_owned(), None));
    cluster.stop();
}

#[test]
fn a_cordoned_worker_accepts_nothing_more() {
    let Some(app) = app("c-epoll") else { return };
    let cluster = Cluster::start(&app, Options::workers(2).flags(CREDIT));
    wait_for_ids(&cluster.target(), &app, 2);
    let load = Load::start(&cluster.target(), 16, "/");
    for round in 0..20 {
        let so_far = load.done();
        wait_until("there is load", PATIENCE, || load.done() > so_far + 20);
        cluster.order("cordon /0");
        // The answer says that it is so. What is asked from now on is not for that one.
        let ids: BTreeSet<_> =
            ask_in_turn(&cluster.target(), &app, 10).into_iter().map(|who| who.id).collect();
        assert_eq!(ids.into_iter().collect::<Vec<_>>(), ["1"], "round {round}");
        cluster.order("uncordon /0");
    }
    load.finish_unharmed();
    wait_for_ids(&cluster.target(), &app, 2);
    cluster.stop();
}

#[test]
fn a_stopped_worker_keeps_nobody_waiting_and_takes_part_again() {
    let Some(app) = app("c-epoll") else { return };
    let cluster = Cluster::start(&app, Options::workers(3).flags(CREDIT));
    wait_for_ids(&cluster.target(), &app, 3);
    let stopped = cluster.started()["0"];
    harness::pause(stopped);
    for who in ask_in_turn(&cluster.target(), &app, 60) {
        assert_ne!(who.id, "0");
    }
    harness::resume(stopped);
    let _ = conn_to(&cluster.target(), &app, "0");
    cluster.stop();
}

#[test]
fn workers_are_killed_and_reloaded_under_load_and_no_request_fails() {
    let Some(app) = app("c-epoll") else { return };
    let flags = "--dispatch credit --min-healthy-time 50ms --idle-grace 100ms";
    let cluster = Cluster::start(&app, Options::workers(3).flags(flags));
    wait_for_ids(&cluster.target(), &app, 3);
    let load = Load::start(&cluster.target(), 8, "/");
    for _ in 0..3 {
        cluster.order("reload");
        let so_far = load.done();
        wait_until("there is load", PATIENCE, || load.done() > so_far + 50);
    }
    load.finish_unharmed();
    // What a killed one has not accepted is another's.
    let before = cluster.started()["1"];
    harness::pause(before);
    let waiting: Vec<_> = (0..3).map(|_| Load::start(&cluster.target(), 1, "/")).collect();
    signal(before, libc::SIGKILL);
    for load in waiting {
        wait_until("it is answered", PATIENCE, || load.done() >= 5);
        load.finish_unharmed();
    }
    cluster.stop();
}
