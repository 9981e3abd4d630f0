//! The supervisor's log never holds up its work.

use harness::{Cluster, Options, PATIENCE, app, get, wait_until, who};

#[test]
fn serving_continues_when_nobody_reads_the_log() {
    let Some(app) = app("c-epoll") else { return };
    // One page of pipe is full after some twenty exits.
    let options = Options::workers(2).unread().flags("-v --min-uptime 1ms --restart-delay 1ms");
    let cluster = Cluster::start(&app, options);
    let target = cluster.target();
    wait_until("a worker answers", PATIENCE, || who(&target).is_ok());
    for _ in 0..60 {
        let before = who(&target).expect("an answer");
        assert!(get(&target, "/exit?code=3").is_err(), "the process ends without an answer");
        who(&target).unwrap_or_else(|error| panic!("after the exit of {before:?}: {error}"));
    }
    let begun = std::time::Instant::now();
    cluster.stop();
    assert!(begun.elapsed() < std::time::Duration::from_secs(8), "it took {:?} to stop", begun.elapsed());
}
