//! The pulse: how often the health of a worker is looked at, and that it is not where nobody wants it.

use harness::{Cluster, Options, PATIENCE, app, open, wait_until};

#[test]
fn is_taken_as_often_as_it_is_told() {
    let Some(app) = app("node-http") else { return };
    let cluster = Cluster::start(&app, Options::workers(2).flags("--pulse 50ms"));
    let reported = |id: &str| cluster.inspect_worker(id)["health"]["reported_at"].as_u64();
    for id in ["0", "1"] {
        let mut last = None;
        for _ in 0..3 {
            wait_until("there is a newer one", PATIENCE, || reported(id) > last);
            last = reported(id);
        }
        assert!(last.is_some());
        let health = cluster.inspect_worker(id)["health"].clone();
        assert!(health["rss"].as_u64() > Some(5 << 20), "Node has more than 5 MiB: {health}");
    }
    cluster.stop();
}

#[test]
fn is_not_taken_when_it_is_off() {
    let Some(app) = app("c-epoll") else { return };
    for flags in ["--pulse off", "--pulse 0"] {
        let cluster = Cluster::start(&app, Options::workers(1).flags(flags));
        let mut conn = open(&cluster.target(), &app);
        for _ in 0..5 {
            conn.who().expect("an answer");
            let worker = cluster.inspect_worker("0");
            assert!(worker["health"].is_null(), "{worker}");
        }
        cluster.stop();
    }
}
