//! Connections go round: while all workers keep up, each gets its turn exactly.

use harness::{Cluster, Options, PATIENCE, ask_in_turn, each, shares, wait_until};
use std::collections::BTreeMap;

#[test]
fn is_exact_over_a_hundred_connections() {
    each(
        |app| {
            matches!(
                app.name,
                "node-http" | "python-asyncio" | "python-blocking" | "rust-tokio" | "c-epoll-et"
            )
        },
        |app| {
            let cluster = Cluster::start(&app, Options::workers(4));
            cluster.assert_even(4, || shares(&ask_in_turn(&cluster.target(), &app, 100)));
            cluster.stop();
        },
    );
}

#[test]
fn uses_the_ids_that_were_given() {
    let Some(app) = harness::app("c-epoll") else { return };
    let mut cluster = Cluster::start(&app, Options::without_count().flags("--logical-ids 5,blue,7"));
    cluster.wait_ready(3);
    let mut seen = BTreeMap::new();
    cluster.assert_even(3, || {
        let answers = ask_in_turn(&cluster.target(), &app, 3);
        seen = answers.into_iter().map(|who| (who.id, 1)).collect();
        seen.clone()
    });
    assert!(seen.into_keys().eq(["5", "7", "blue"]));
    cluster.stop();
}

#[test]
fn counts_cpus_by_default() {
    let Some(app) = harness::app("c-epoll") else { return };
    // One CPU, whatever the machine has.
    let options = Options::without_count().below(&["taskset", "-c", "0"]);
    if !harness::require("taskset") {
        return;
    }
    let mut cluster = Cluster::start(&app, options);
    cluster.wait_ready(1);
    let answers = ask_in_turn(&cluster.target(), &app, 10);
    assert_eq!(shares(&answers).len(), 1, "{answers:?}");
    assert_eq!(cluster.started().len(), 1);
    cluster.stop();
}

#[test]
fn in_steady_traffic_all_go_on_to_get_their_share() {
    each(
        |app| matches!(app.name, "python-asyncio" | "c-epoll" | "c-epoll-et"),
        |app| {
            let cluster = Cluster::start(&app, Options::workers(3));
            let answers = ask_in_turn(&cluster.target(), &app, 3_000);
            // By the kernel's turns there is no promise, as somebody else may be quicker to wait again.
            let late = shares(&answers[1_500..]);
            assert!(late.len() == 3 && late.values().all(|share| *share >= 50), "{late:?}");
            // Once nobody has come for a moment it goes by turns again.
            wait_until("nobody waits at the queue itself", PATIENCE, || {
                let workers = cluster.inspect()["workers"].clone();
                workers.as_array().into_iter().flatten().all(|worker| worker["direct"] != true)
            });
            cluster.stop();
        },
    );
}
