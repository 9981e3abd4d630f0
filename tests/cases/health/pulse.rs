//! The pulse: how often the health of a worker is looked at, and that it is not where nobody wants it.

use harness::{Cluster, Log, Options, PATIENCE, app, cli_command, open, wait_until};
use serde_json::Value;
use std::process::Stdio;

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

#[test]
fn of_memory_that_is_shared_takes_a_part_for_who_asks() {
    let Some(app) = app("node-http") else { return };
    let cluster = Cluster::start(&app, Options::workers(2).flags("--pulse 50ms"));
    wait_until("there is a pulse", PATIENCE, || !cluster.inspect_worker("0")["health"].is_null());
    // The program text of Node alone is some 50 MiB, which both have. What a pulse counted of a
    // worker that still started is less than it has when it is asked: a newer one comes.
    wait_until("a part is less than the whole", PATIENCE, || {
        let asked: Value = serde_json::from_str(&cluster.order("inspect --pss")).expect("JSON");
        [0, 1].into_iter().all(|id| {
            let worker = &asked["workers"][id];
            let pss = worker["pss"].as_u64().expect("it is measured");
            pss > 5 << 20 && Some(pss + (10 << 20)) < worker["health"]["rss"].as_u64()
        })
    });
    let shown = cluster.order("status --pss");
    // For each of two its PSS and its memory.
    assert!(shown.contains("  PSS ") && shown.matches(" MiB").count() == 4, "{shown}");
    assert!(cluster.inspect_worker("0")["pss"].is_null(), "nobody asked");
    cluster.stop();
}

#[test]
fn is_told_as_an_event() {
    let Some(app) = app("c-epoll") else { return };
    let cluster = Cluster::start(&app, Options::workers(2).flags("--pulse 20ms"));
    let mut follower = cli_command(&cluster.runtime_dir(), "events --json");
    let mut follower = follower.stdout(Stdio::piped()).spawn().expect("it starts");
    let (told, reader) = Log::collect(follower.stdout.take().expect("it is piped"));
    for id in ["0", "1"] {
        let part = format!("\"event\":\"health\",\"id\":\"{id}\"");
        told.wait_for_count(&part, 3, PATIENCE);
        let line = told.lines_with(&part).remove(0);
        let event: Value = serde_json::from_str(&line).expect("JSON");
        assert!(event["health"]["rss"].as_u64() > Some(0), "{line}");
    }
    cluster.stop();
    assert_eq!(follower.wait().expect("it is ours").code(), Some(0));
    reader.join().expect("it has ended");
}
