//! Reloads over one another and aborted ones, what is shown of those that came to nothing, and what slots are made of then.

use harness::{
    Cluster, Deployment, Options, PATIENCE, RawControl, Said, app, ask_in_turn, cli, conn_to, wait_for,
    wait_until,
};
use serde_json::Value;
use std::collections::BTreeSet;
use std::thread::{self, JoinHandle};

const SOON: &str = "--name web --min-healthy-time 50ms --idle-grace 100ms";
/// It never listens.
const HANGS: &str = "exec sleep 1000\n";

/// A script that becomes a server which calls itself by its logical id and the version.
fn server(version: &str) -> Option<String> {
    let program = app("c-epoll")?.default_command()[0].display().to_string();
    Some(format!("PROCESS_LOGICAL_ID=$PROCESS_LOGICAL_ID-{version} exec {program}\n"))
}

/// Waits until each of so many workers has answered, and each as this version.
#[track_caller]
fn all_are(cluster: &Cluster, count: usize, version: &str) {
    let app = app("c-epoll").expect("it runs");
    let mut seen = BTreeSet::new();
    wait_until("each worker answers", PATIENCE, || {
        seen.extend(ask_in_turn(&cluster.target(), &app, 2 * count).into_iter().map(|who| who.id));
        seen.len() >= count
    });
    let expected: BTreeSet<_> = (0..count).map(|id| format!("{id}-{version}")).collect();
    assert_eq!(seen, expected);
}

/// `clustermon reload` of a version that hangs, once its first process has been started.
fn reload_that_hangs(cluster: &Cluster, deployment: &Deployment, version: &str) -> JoinHandle<Said> {
    deployment.deploy(version, HANGS);
    let started = cluster.log().count("worker 0 started, pid ");
    let folder = cluster.runtime_dir();
    let reload = thread::spawn(move || cli(&folder, "reload"));
    cluster.log().wait_for_count("worker 0 started, pid ", started + 1, PATIENCE);
    reload
}

#[test]
fn a_newer_one_takes_the_place_of_one_that_hangs() {
    let Some(good) = server("good") else { return };
    let deployment = Deployment::new("good", &good);
    // Longer than any test: who waits for the one that hangs fails.
    let cluster = deployment.start(Options::workers(2).flags(SOON).flags("--start-timeout 10m"));
    let older = reload_that_hangs(&cluster, &deployment, "hangs");
    deployment.deploy("better", &good.replace("good", "better"));
    let told = cluster.order("reload");
    assert_eq!(told, "clustermon web: reloaded: 2 workers have a new process\n");
    let older = older.join().expect("it never panics");
    assert!(older.refusal(5).contains("a newer reload has taken the place of this one"), "{older:?}");
    all_are(&cluster, 2, "better");
    assert_eq!(cluster.processes().len(), 3, "the one that hangs was left running");
    cluster.stop();
}

#[test]
fn one_is_aborted_and_the_old_processes_go_on() {
    let Some(good) = server("good") else { return };
    let deployment = Deployment::new("good", &good);
    let cluster = deployment.start(Options::workers(2).flags(SOON).flags("--start-timeout 10m"));
    let before = cluster.started();
    assert!(cluster.cli("reload --abort").refusal(1).contains("no reload is under way"));
    let mut events = RawControl::open(&cluster.runtime_dir().join("web.sock"));
    events.say(b"{\"v\":1,\"do\":\"events\"}\n");
    let reload = reload_that_hangs(&cluster, &deployment, "hangs");
    assert_eq!(cluster.order("reload --abort"), "clustermon web: the reload was aborted\n");
    let told = reload.join().expect("it never panics");
    assert_eq!(told.refusal(5), "clustermon: reload aborted; the old processes go on");
    let event = wait_for("the event comes", PATIENCE, || {
        let event: Value = serde_json::from_str(&events.hear()).expect("events are JSON");
        (event["event"] == "reload").then_some(event)
    });
    assert_eq!(event["outcome"], "aborted", "{event}");
    assert!(cluster.order("status").contains(" ago: reload aborted; the old processes go on\n"));
    wait_until("only the old processes are left", PATIENCE, || cluster.processes().len() == 3);
    let left: BTreeSet<_> = cluster.processes().into_iter().collect();
    assert!(before.values().all(|pid| left.contains(pid)), "{before:?} {left:?}");
    all_are(&cluster, 2, "good");
    cluster.stop();
}

#[test]
fn one_that_failed_is_shown_until_another_has_not() {
    let Some(good) = server("good") else { return };
    let deployment = Deployment::new("good", &good);
    let cluster = deployment.start(Options::workers(2).flags(SOON));
    assert!(cluster.inspect()["last_reload"].is_null());
    deployment.deploy("bad", "exit 7\n");
    assert_eq!(cluster.order("reload --no-wait"), "clustermon web: reloading\n");
    let last = wait_for("it fails", PATIENCE, || {
        Some(cluster.inspect()["last_reload"].clone()).filter(|last| !last.is_null())
    });
    assert_eq!(last["outcome"], "failed", "{last}");
    assert!(last["cause"].as_str().is_some_and(|cause| cause.contains("exited: code 7")), "{last}");
    assert!(last["ended_at"].is_u64(), "{last}");
    let status = cluster.order("status");
    assert!(
        status.contains(" ago: reload failed: the new worker 0 exited: code 7; the old processes go on\n"),
        "{status}"
    );
    // Who comes now is of the version that works.
    assert_eq!(cluster.order("scale 3"), "clustermon web: 3 workers run\n");
    cluster.order("restart /1");
    all_are(&cluster, 3, "good");
    deployment.deploy("better", &good.replace("good", "better"));
    cluster.order("reload");
    assert_eq!(cluster.inspect()["last_reload"]["outcome"], "done");
    assert!(!cluster.order("status").contains("last reload"));
    all_are(&cluster, 3, "better");
    cluster.stop();
}

#[test]
fn each_worker_counts_once_while_an_old_process_drains() {
    let Some(app) = app("c-epoll") else { return };
    let flags =
        "--name web --min-healthy-time 50ms --idle-grace 10m --drain-timeout 10m --shutdown-timeout 1s";
    let cluster = Cluster::start(&app, Options::workers(2).flags(flags));
    let kept: Vec<_> = ["0", "1"].map(|id| conn_to(&cluster.target(), &app, id)).into();
    let told = cluster.cli("reload --wait-timeout 3s");
    assert!(told.refusal(4).contains(" of 2 workers have a new process"), "{told:?}");
    let rollout = wait_for("an old process drains", PATIENCE, || {
        Some(cluster.inspect()["rollout"].clone()).filter(|rollout| rollout["draining"] == 1)
    });
    let counts = ["done", "under_way", "waiting"].map(|key| rollout[key].as_u64().expect("a number"));
    assert_eq!(counts, [1, 0, 1], "{rollout}");
    let status = cluster.order("status");
    assert!(status.contains("reload: 1 done, 0 under way, 1 waiting; old processes drain\n"), "{status}");
    drop(kept);
    wait_until("it is done", PATIENCE, || cluster.inspect()["last_reload"]["outcome"] == "done");
    cluster.stop();
}
