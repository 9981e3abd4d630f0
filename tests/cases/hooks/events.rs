//! Hooks on events: each is told what has happened as JSON, in the order in which it happened.

use super::{Scripts, on};
use harness::{Cluster, Deployment, Options, PATIENCE, app, c_program, open, require, signal, wait_until};
use serde_json::Value;

const EVENTS: [&str; 7] =
    ["start", "worker_ready", "worker_exit", "unhealthy", "reload_failed", "draining", "stop"];

fn text<'a>(told: &'a Value, key: &str) -> &'a str {
    told[key].as_str().unwrap_or_default()
}

#[test]
fn a_life_is_told_in_its_order() {
    let Some(app) = app("c-epoll") else { return };
    let scripts = Scripts::new();
    // One command for all, so that one run follows the other.
    let all = scripts.noting("all");
    let options = Options::workers(2).flags("--name web --idle-grace 100ms");
    let options = EVENTS.iter().fold(options, |options, event| on(options, event, &all));
    let cluster = Cluster::start(&app, options);
    scripts.wait_for("all", PATIENCE, |told| told["hook"] == "worker_ready" && told["id"] == "1");
    scripts.wait_for("all", PATIENCE, |told| told["hook"] == "worker_ready" && told["id"] == "0");
    let victim = cluster.started()["1"];
    signal(victim, libc::SIGKILL);
    let exit = scripts.wait_for("all", PATIENCE, |told| told["hook"] == "worker_exit");
    assert_eq!((text(&exit, "id"), text(&exit, "state"), text(&exit, "kind")), ("1", "standby", "signal"));
    assert!(text(&exit, "cause").contains("SIGKILL"), "{exit}");
    let again = |told: &&Value| told["hook"] == "worker_ready" && told["id"] == "1";
    wait_until("its successor is told of", PATIENCE, || {
        scripts.told("all").iter().filter(again).count() == 2
    });
    open(&cluster.target(), &app).who().expect("an answer");
    cluster.stop();

    let told = scripts.told("all");
    assert!(told.iter().all(|told| told["cluster"] == "web" && told["v"] == 1 && told["at"].is_u64()));
    let names: Vec<&str> = told.iter().map(|told| text(told, "hook")).collect();
    assert_eq!(names[0], "start");
    assert_eq!(told[0]["state"], "running");
    let at = |name: &str| {
        names.iter().position(|found| *found == name).unwrap_or_else(|| panic!("no {name}: {names:?}"))
    };
    let draining = at("draining");
    assert!(at("worker_exit") < draining, "{names:?}");
    assert_eq!(told[draining]["state"], "stopping");
    let ended = &told[at("stop")];
    assert_eq!((text(ended, "event"), text(ended, "outcome")), ("standby", "stopped"));
    let exits = names[draining..].iter().filter(|name| **name == "worker_exit").count();
    assert_eq!(exits, 2, "{names:?}");
    assert!(!names.contains(&"unhealthy") && !names.contains(&"reload_failed"), "{names:?}");
}

#[test]
fn a_reload_that_fails_is_told() {
    if !require("cc") {
        return;
    }
    let scripts = Scripts::new();
    let program = c_program("epoll", &[]).display().to_string();
    let deployment = Deployment::new("one", &format!("exec {program}\n"));
    let options = on(Options::workers(1), "reload_failed", &scripts.noting("failed"));
    let options = on(options, "worker_exit", &scripts.noting("exits"));
    let cluster = deployment.start(options.flags("--min-healthy-time 50ms --idle-grace 100ms"));
    deployment.deploy("two", "echo no such table >&2; exit 3\n");
    assert_eq!(cluster.cli("reload").code, Some(5));
    let failed = scripts.wait_for("failed", PATIENCE, |_| true);
    assert_eq!((text(&failed, "event"), text(&failed, "outcome")), ("reload", "failed"));
    assert_eq!(failed["stderr"][0], "no such table");
    deployment.deploy("three", &format!("exec {program}\n"));
    cluster.order("reload");
    cluster.stop();
    assert_eq!(scripts.told("failed").len(), 1, "one that is done is not told");
    let exits = scripts.told("exits");
    assert_eq!(exits.len(), 1, "an old process that was replaced is not told of: {exits:?}");
}

#[test]
fn one_that_hangs_is_told() {
    let Some(app) = app("c-epoll") else { return };
    let scripts = Scripts::new();
    let options = Options::workers(2).flags("--lag-limit 200ms");
    let cluster = Cluster::start(&app, on(options, "unhealthy", &scripts.noting("unhealthy")));
    let victim = cluster.started()["0"];
    harness::pause(victim);
    let target = cluster.target();
    let unhealthy = harness::wait_for("it is told", PATIENCE, || {
        // Something has to wait for it.
        let _ = harness::Conn::open(&target);
        scripts.told("unhealthy").into_iter().next()
    });
    assert_eq!(text(&unhealthy, "id"), "0", "{unhealthy}");
    harness::resume(victim);
    cluster.stop();
}
