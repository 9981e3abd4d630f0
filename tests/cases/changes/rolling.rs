//! Processes replaced one after the other for other reasons than the command: a signal, old age, connections had. And
//! programs of which no two can run at a time.

use harness::{App, Cluster, Load, Options, PATIENCE, Port, app, app_dir, wait_for_ids, wait_until};
use std::collections::BTreeSet;
use std::ffi::OsString;

const SOON: &str = "--min-healthy-time 50ms --idle-grace 100ms";

/// A cluster of two, and clients that must not notice anything.
fn under_load(app: &App, flags: &str) -> (Cluster, Load) {
    let cluster = Cluster::start(app, Options::workers(2).flags(SOON).flags(flags));
    let load = Load::start(&cluster.target(), 4, "/");
    wait_until("the clients are at it", PATIENCE, || load.done() > 50);
    (cluster, load)
}

#[test]
fn a_hang_up_from_a_process_reloads() {
    let Some(app) = app("c-epoll") else { return };
    let (cluster, load) = under_load(&app, "-v");
    let before: BTreeSet<_> = cluster.started().into_values().collect();
    for round in 1..=3 {
        cluster.signal(libc::SIGHUP);
        cluster.log().wait_for_count("reload: done, 2 workers have a new process", round, PATIENCE);
    }
    let after: BTreeSet<_> = cluster.started().into_values().collect();
    assert!(after.len() == 2 && after.is_disjoint(&before), "{before:?} became {after:?}");
    load.finish_unharmed();
    cluster.stop();
}

#[test]
fn signals_scale_it_without_a_failed_request() {
    let Some(app) = app("c-epoll") else { return };
    let (mut cluster, load) = under_load(&app, "-v");
    for round in 1..=3 {
        cluster.signal(libc::SIGTTIN);
        cluster.wait_ready(2 + round);
        wait_for_ids(&cluster.target(), &app, 3);
        cluster.signal(libc::SIGTTOU);
        // The youngest, and nobody else.
        cluster.log().wait_for_count("worker 2 exited: ", round, PATIENCE);
        wait_for_ids(&cluster.target(), &app, 2);
    }
    assert_eq!(cluster.log().count(" exited: "), 3, "{}", cluster.log().text());
    load.finish_unharmed();
    cluster.stop();
}

#[track_caller]
fn replaced_for(flags: &str, why: &str) {
    let Some(app) = app("c-epoll") else { return };
    let (cluster, load) = under_load(&app, flags);
    let before: BTreeSet<_> = cluster.started().into_values().collect();
    cluster.log().wait_for_count(&format!(" is replaced: {why}"), 4, PATIENCE);
    wait_until("neither of the first two is left", PATIENCE, || {
        before.iter().all(|pid| !harness::is_alive(*pid))
    });
    // One at a time, the new one first: two always serve.
    let seen = load.finish_unharmed();
    assert!(seen.iter().map(|who| who.pid).collect::<BTreeSet<_>>().len() >= 4);
    assert_eq!(cluster.log().count(" exited: signal SIGKILL"), 0, "{}", cluster.log().text());
    cluster.stop();
}

#[test]
fn old_processes_are_replaced() {
    replaced_for("--max-lifetime 600ms", "lifetime: it is ");
}

#[test]
fn processes_that_have_had_enough_are_replaced() {
    replaced_for("--recycle-after-connections 200", "connections: it was given ");
}

/// Each worker takes a port of its own before it serves.
const ALONE: &str = "const own = process.argv[1].split(',')[process.env.PROCESS_LOGICAL_ID]; \
     require('net').createServer().listen(own, '127.0.0.1', () => require(process.argv[2]));";

#[test]
fn programs_that_cannot_overlap_stop_before_they_start() {
    let Some(app) = app("node-http") else { return };
    let [first, second] = [Port::free(), Port::free()];
    let own = format!("{},{}", first.number(), second.number());
    let private = format!("--private 127.0.0.1:{} --private 127.0.0.1:{}", first.number(), second.number());
    let script = app_dir().join("node/http.js").into_os_string();
    let command: [OsString; 5] = ["node".into(), "-e".into(), ALONE.into(), own.into(), script];
    for (surge, code) in [("-v", 5), ("--no-surge", 0)] {
        let options = Options::workers(2).flags(SOON).flags(&private).flags(surge);
        let cluster = Cluster::start_command(&command, options);
        let before: BTreeSet<_> = cluster.started().into_values().collect();
        let load = Load::start(&cluster.target(), 4, "/");
        let said = cluster.cli("reload --wait");
        assert_eq!(said.code, Some(code), "{surge}: {said:?}");
        // Side by side they cannot be, and the lines of stderr that come with it tell why.
        assert_eq!(said.err.contains("EADDRINUSE"), code == 5, "{surge}: {said:?}");
        let seen: BTreeSet<_> = load.finish_unharmed().into_iter().map(|who| who.pid).collect();
        wait_for_ids(&cluster.target(), &app, 2);
        let left = before.iter().filter(|pid| harness::is_alive(**pid)).count();
        assert_eq!(left, if code == 5 { 2 } else { 0 }, "{surge}: of {before:?}");
        assert!(!seen.is_empty());
        cluster.stop();
    }
}
