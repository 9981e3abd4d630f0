//! A supervisor that may have few descriptors: it takes in fewer workers, says so, and goes on serving.

use harness::{Cluster, Load, Options, PATIENCE, app, signal, wait_for_ids, wait_until};
use std::time::Duration;

const FEW: &[&str] = &["prlimit", "--nofile=40", "--"];

#[test]
fn the_last_descriptors_are_kept_for_connections() {
    let Some(app) = app("c-epoll") else { return };
    let options = Options::workers(10).at_once().flags("--restart-delay 1ms").below(FEW);
    let mut cluster = Cluster::start(&app, options);
    cluster.log().wait_for("the last are kept for connections; raise its limit");
    let able = cluster.ready_count();
    assert!(able >= 3, "only {able} workers");
    let load = Load::start(&cluster.target(), 100, "/");
    wait_until("3,000 requests end", Duration::from_secs(60), || load.done() >= 3_000);
    let samples = load.finish();
    let failed: Vec<_> = samples.iter().filter(|sample| sample.result.is_err()).collect();
    assert!(failed.is_empty(), "{} of {} failed: {:?}", failed.len(), samples.len(), failed[0]);
    let status = cluster.order("status epoll");
    assert!(status.contains("running"), "{status}");
    cluster.signal(libc::SIGTERM);
    assert_eq!(cluster.wait_exit().code(), Some(0));
    cluster.assert_nothing_left();
}

#[test]
fn what_waits_at_the_dead_is_not_lost_for_want_of_descriptors() {
    let Some(app) = app("python-blocking") else { return };
    // Twenty wait in a lane, and there is no room for so many at once.
    let options = Options::workers(2).flags("--window 20 --restart-delay 1ms --min-uptime 1ms").below(FEW);
    let mut cluster = Cluster::start(&app, options);
    let load = Load::start(&cluster.target(), 64, "/slow?ms=1");
    let kills = 6;
    for round in 0..kills {
        let goal = load.done() + 100;
        wait_until("100 more requests end", PATIENCE, || load.done() >= goal);
        signal(cluster.started()[&(round % 2).to_string()], libc::SIGKILL);
        cluster.wait_ready(2 + round + 1);
    }
    let samples = load.finish();
    let failed: Vec<_> = samples.iter().filter(|sample| sample.result.is_err()).collect();
    // It serves one at a time: a kill costs what was accepted.
    assert!(failed.len() <= kills, "{} of {} failed: {:?}", failed.len(), samples.len(), failed[0]);
    wait_for_ids(&cluster.target(), &app, 2);
    cluster.stop();
}
