//! What people see of a cluster: how it was started, what its workers use, and each thing that happens once and with its
//! time.

use harness::{Cluster, Options, PATIENCE, RawControl, app, wait_for, wait_until};
use serde_json::Value;

#[test]
fn status_tells_what_runs_where_and_what_it_uses() {
    let Some(app) = app("c-epoll") else { return };
    let cluster = Cluster::start(&app, Options::workers(2).flags("--pulse 50ms"));
    let found = cluster.inspect();
    let program = found["command"][0].as_str().expect("a command").to_owned();
    assert!(program.ends_with("epoll"), "{found}");
    let directory = found["directory"].as_str().expect("a directory");
    let link = std::fs::read_link(format!("/proc/{}/cwd", found["workers"][0]["pid"])).expect("it runs");
    assert_eq!(link.to_str(), Some(directory));
    assert_eq!(found["log"], Value::Null, "a pipe is no file");
    wait_until("a pulse has come", PATIENCE, || cluster.order("status").contains(" MiB"));
    let shown = cluster.order("status");
    for part in
        [&format!("\ncommand: {program}"), &format!("\ndirectory: {directory}\n"), "MEMORY  LAST EXIT\n"]
    {
        assert!(shown.contains(part), "{part:?} is not in {shown}");
    }
    assert!(shown.contains("  CPU  "), "{shown}");
    cluster.stop();
}

#[test]
fn a_worker_that_stops_is_told_of_once() {
    let Some(app) = app("c-epoll") else { return };
    let cluster = Cluster::start(&app, Options::workers(2).flags("--name web"));
    let mut events = RawControl::open(&cluster.runtime_dir().join("web.sock"));
    events.say(b"{\"v\":1,\"do\":\"events\"}\n");
    assert!(events.hear().contains("\"ok\":true"));
    cluster.order("restart /0 --wait");
    cluster.order("stop /1 --wait");
    let mut told = Vec::new();
    wait_for("the last one is down", PATIENCE, || {
        let event: Value = serde_json::from_str(&events.hear()).expect("events are JSON");
        assert!(event["at"].as_u64().is_some_and(|at| at > 1_700_000_000_000), "{event}");
        if event["event"] == "worker" {
            told.push((event["id"].clone(), event["state"].clone()));
        }
        (event["id"] == "1" && event["state"] == "standby").then_some(())
    });
    let of = |id: &str| -> Vec<&str> {
        told.iter().filter(|(of, _)| of == id).filter_map(|(_, state)| state.as_str()).collect()
    };
    assert_eq!(of("0"), ["stopping", "standby", "starting", "running"]);
    assert_eq!(of("1"), ["stopping", "standby"]);
    cluster.stop();
}
