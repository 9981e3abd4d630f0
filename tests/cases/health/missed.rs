//! A worker that computes for ever where traffic is light: out of rotation, nothing waits for it any more, and it is found all
//! the same, but only once a client has come whose turn it would have been.

use crate::health::slow::keep_busy;
use harness::{Cluster, Options, PATIENCE, app, wait_until, who};

#[test]
fn an_endless_loop_is_found_by_those_who_would_have_been_its_clients() {
    let Some(app) = app("python-asyncio") else { return };
    let flags = "--lag-limit 300ms --hang-limit 1s --pulse 100ms --min-uptime 1ms --restart-delay 1ms";
    let mut cluster = Cluster::start(&app, Options::workers(2).flags(flags));
    assert_eq!(cluster.cli("status -q").code, Some(0));
    let old = cluster.started()["1"];
    let busy = keep_busy(&cluster, &app, "/spin?ms=600000", "spinning");
    cluster.log().wait_for("worker 1 has been busy for ");
    assert_eq!(cluster.cli("status -q").code, Some(1), "it is out of rotation");

    // Nobody misses it, for as long as it takes to be found otherwise and longer; what is shown goes on growing.
    let shown = || cluster.inspect_worker("1")["out_of_rotation"]["text"].clone();
    let first = shown();
    assert!(first.as_str().is_some_and(|text| text.starts_with("busy for ")), "{first}");
    wait_until("it has lagged for long", PATIENCE, || {
        cluster.inspect_worker("1")["lag_ms"].as_u64().is_some_and(|lag| lag > 4_000)
    });
    assert_ne!(shown(), first);
    assert_eq!(cluster.log().count(" has hung for "), 0, "nobody wanted anything of it");

    wait_until("it is found", PATIENCE, || {
        who(&cluster.target()).expect("the other answers");
        cluster.log().count("worker 1 has hung for ") > 0
    });
    cluster.wait_ready(3);
    cluster.log().wait_for("worker 1 exited: signal ");
    assert_ne!(cluster.started()["1"], old);
    wait_until("all are in rotation", PATIENCE, || cluster.cli("status -q").code == Some(0));
    assert_eq!(cluster.log().count(" has hung for "), 1);
    drop(busy);
    cluster.stop();
}
