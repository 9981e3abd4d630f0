//! Kernel dispatch: each worker has a listening socket of its own, and the kernel chooses among them. Each way in which it can choose is
//! forced by the variable `CLUSTERMON_STEERING` of the supervisor: `program`, `random` or `shared`.

use crate::dispatch::kernel::levels::{
    LEVELS, PATIENT, SPLIT, answers, balancer, burst, has, moves_by_itself,
};
use harness::{
    App, Cluster, Conn, Listen, Load, Options, PATIENCE, app, ask_in_turn, c_program, cli, each, is_alive,
    pause, resume, shares, signal, wait_for, wait_for_ids, wait_until, who,
};
use std::collections::BTreeSet;
use std::time::Instant;

/// Replaced without waiting, however young.
const AT_ONCE: &str = "--min-uptime 1ms --restart-delay 1ms";
const SOON: &str = "--min-healthy-time 50ms --idle-grace 100ms";

fn options(workers: usize, level: &str) -> Options {
    Options::workers(workers).flags("--dispatch kernel").env("CLUSTERMON_STEERING", level)
}

#[test]
fn a_program_rotates_exactly() {
    let Some(app) = app("c-epoll").filter(|_| has("program")) else { return };
    let cluster = Cluster::start(&app, options(4, "program").flags(PATIENT));
    wait_for_ids(&cluster.target(), &app, 4);
    let answers: Vec<_> = (0..400).map(|_| who(&cluster.target()).expect("an answer")).collect();
    let shares = shares(&answers);
    assert!(shares.len() == 4 && shares.values().all(|count| *count == 100), "{shares:?}");
    assert_eq!(balancer(&cluster, "dispatch"), "kernel:program");
    cluster.stop();
}

#[test]
fn each_level_serves_and_says_why_it_is_no_better() {
    let Some(app) = app("c-epoll") else { return };
    for level in LEVELS.into_iter().filter(|level| has(level)) {
        let cluster = Cluster::start(&app, options(2, level));
        assert_eq!(balancer(&cluster, "dispatch"), format!("kernel:{level}"));
        let reason = balancer(&cluster, "dispatch_reason");
        assert_eq!(reason.contains("CLUSTERMON_STEERING"), level != "program", "{reason}");
        assert!(cluster.order("status").contains(&format!("kernel:{level}")));
        let load = Load::start(&cluster.target(), 4, "/");
        wait_until("some are answered", PATIENCE, || load.done() > 100);
        load.finish_unharmed();
        cluster.stop();
    }
}

#[test]
fn programs_of_all_kinds_accept_from_their_own_sockets() {
    let shapes = |app: &App| {
        ["c-epoll", "node-http", "python-asyncio", "python-threads", "python-blocking", "rust-tokio"]
            .contains(&app.name)
    };
    each(shapes, |app| {
        for (level, host) in [("program", "127.0.0.1"), ("random", "::"), ("shared", "127.0.0.1")] {
            if !has(level) {
                continue;
            }
            let cluster = Cluster::start(&app, options(2, level).listen(Listen::Host(host)));
            let seen = wait_for("both answer", PATIENCE, || {
                let ids = burst(&cluster.target(), 8);
                let ids = answers(ids);
                (ids.len() == 2 || level == "shared").then_some(ids)
            });
            assert!(!seen.is_empty(), "{} by {level}", app.name);
            cluster.stop();
        }
    });
}

#[test]
fn a_cordoned_worker_gets_nothing() {
    let Some(app) = app("c-epoll") else { return };
    for level in SPLIT.into_iter().filter(|level| has(level)) {
        let cluster = Cluster::start(&app, options(3, level).flags(PATIENT));
        wait_for_ids(&cluster.target(), &app, 3);
        cluster.order("cordon /1");
        let ids: BTreeSet<String> =
            ask_in_turn(&cluster.target(), &app, 100).into_iter().map(|who| who.id).collect();
        assert_eq!(ids, BTreeSet::from(["0".to_owned(), "2".to_owned()]), "{level}");
        cluster.order("uncordon /1");
        wait_for_ids(&cluster.target(), &app, 3);
        cluster.stop();
    }
}

#[test]
fn reloads_fail_no_request() {
    let Some(app) = app("c-epoll") else { return };
    // On a socket that all share a worker accepts until it is told to stop.
    for level in SPLIT.into_iter().filter(|level| has(level)) {
        let cluster = Cluster::start(&app, options(2, level).flags(SOON));
        let load = Load::start(&cluster.target(), 4, "/");
        wait_until("the clients are at it", PATIENCE, || load.done() > 50);
        let before: BTreeSet<_> = cluster.started().into_values().collect();
        for _ in 0..2 {
            cluster.order("reload --wait");
        }
        wait_until("the first two have ended", PATIENCE, || before.iter().all(|pid| !is_alive(*pid)));
        let seen: BTreeSet<_> = load.finish_unharmed().into_iter().map(|who| who.pid).collect();
        assert!(seen.len() >= 4, "{level}: {seen:?}");
        cluster.stop();
    }
}

#[test]
fn scaling_fails_no_request() {
    let Some(app) = app("c-epoll") else { return };
    for level in SPLIT.into_iter().filter(|level| has(level)) {
        let mut cluster = Cluster::start(&app, options(2, level).flags(SOON));
        let load = Load::start(&cluster.target(), 4, "/");
        for round in 1..=2 {
            cluster.signal(libc::SIGTTIN);
            cluster.wait_ready(2 + round);
            let goal = load.done() + 50;
            wait_until("some more are answered", PATIENCE, || load.done() >= goal);
            cluster.signal(libc::SIGTTOU);
            cluster.log().wait_for_count("worker 2 exited: ", round, PATIENCE);
        }
        load.finish_unharmed();
        cluster.stop();
    }
}

#[test]
fn what_waits_for_a_worker_that_is_killed_is_answered() {
    let Some(app) = app("c-epoll") else { return };
    for workers in [1, 2] {
        for level in LEVELS.into_iter().filter(|level| has(level)) {
            let cluster = Cluster::start(&app, options(workers, level).flags(AT_ONCE).flags(PATIENT));
            wait_for_ids(&cluster.target(), &app, workers);
            let victim = cluster.started()["0"];
            pause(victim);
            let clients = burst(&cluster.target(), 40);
            signal(victim, libc::SIGKILL);
            answers(clients);
            wait_for_ids(&cluster.target(), &app, workers);
            cluster.stop();
        }
    }
}

/// Only what a worker that serves one at a time had accepted may be lost.
#[test]
fn kills_under_load_cost_only_what_was_accepted() {
    let Some(app) = app("python-blocking") else { return };
    for level in SPLIT.into_iter().filter(|level| has(level)) {
        let mut cluster = Cluster::start(&app, options(3, level).flags(AT_ONCE));
        let load = Load::start(&cluster.target(), 12, "/slow?ms=2");
        let kills = 6;
        for round in 0..kills {
            let goal = load.done() + 30;
            wait_until("some more are answered", PATIENCE, || load.done() >= goal);
            signal(cluster.started()[&(round % 3).to_string()], libc::SIGKILL);
            cluster.wait_ready(3 + round + 1);
        }
        let samples = load.finish();
        assert!(samples.iter().all(|sample| sample.connected), "a connection was refused");
        let failures: Vec<_> = samples.iter().filter_map(|sample| sample.result.as_ref().err()).collect();
        assert!(
            failures.len() <= kills,
            "{level}: {} of {} failed: {failures:?}",
            failures.len(),
            samples.len()
        );
        wait_for_ids(&cluster.target(), &app, 3);
        cluster.stop();
    }
}

#[test]
fn children_that_accept_from_their_parents_socket_belong_to_the_worker() {
    for level in SPLIT.into_iter().filter(|level| has(level)) {
        let cluster = Cluster::start_command(&[c_program("prefork", &[])], options(1, level));
        let load = Load::start(&cluster.target(), 4, "/");
        wait_until("some children are members", PATIENCE, || {
            let worker = cluster.inspect_worker("0");
            worker["members"].as_array().is_some_and(|members| members.len() >= 2)
        });
        load.finish_unharmed();
        cluster.stop();
    }
}

#[test]
fn who_is_stopped_gets_nothing_and_what_waited_moves() {
    for listen in [Listen::Host("127.0.0.1"), Listen::Zero("0.0.0.0")] {
        for victim in ["0", "1"] {
            stopped(listen, victim);
        }
    }
}

/// Of two sockets with a port that the system has chosen, one was bound without naming it.
#[track_caller]
fn stopped(listen: Listen, victim: &str) {
    let Some(app) = app("c-epoll").filter(|_| has("program")) else { return };
    let flags = "--lag-limit 300ms --hang-limit 0";
    let cluster = Cluster::start(&app, options(2, "program").flags(flags).listen(listen));
    wait_for_ids(&cluster.target(), &app, 2);
    let other = if victim == "0" { "1" } else { "0" }.to_owned();
    let victim = cluster.started()[victim];
    pause(victim);
    let since = Instant::now();
    let clients = burst(&cluster.target(), 20);
    // It never goes on, and half of them were for it.
    assert_eq!(answers(clients), BTreeSet::from([other.clone()]));
    eprintln!(
        "what waited for a stopped worker was answered after {:?}, at a limit of 300 ms",
        since.elapsed()
    );
    wait_until("it is out of rotation", PATIENCE, || {
        cluster.inspect()["load_balancers"][0]["rotation"] == serde_json::json!([other])
    });
    assert_eq!(answers(burst(&cluster.target(), 20)), BTreeSet::from([other]));
    resume(victim);
    wait_for_ids(&cluster.target(), &app, 2);
    cluster.stop();
}

#[test]
fn where_nothing_moves_what_waits_is_told_and_served_in_the_end() {
    let Some(app) = app("c-epoll") else { return };
    if moves_by_itself() {
        return;
    }
    let cluster = Cluster::start(&app, options(2, "random").flags("--lag-limit 300ms --hang-limit 0"));
    wait_for_ids(&cluster.target(), &app, 2);
    let victim = cluster.started()["0"];
    pause(victim);
    let clients = burst(&cluster.target(), 40);
    wait_until("it is told that some wait", PATIENCE, || {
        balancer(&cluster, "dispatch_reason").contains("wait for worker 0, which takes none")
    });
    assert_eq!(answers(burst(&cluster.target(), 20)), BTreeSet::from(["1".to_owned()]));
    resume(victim);
    assert_eq!(answers(clients).len(), 2, "some waited for it");
    wait_for_ids(&cluster.target(), &app, 2);
    cluster.stop();
}

#[test]
fn a_stop_serves_who_was_let_in() {
    let Some(app) = app("c-epoll") else { return };
    for level in LEVELS.into_iter().filter(|level| has(level)) {
        let cluster = Cluster::start(&app, options(2, level));
        let mut clients: Vec<Conn> = burst(&cluster.target(), 1);
        let slow = |_| {
            let mut conn = Conn::open(&cluster.target()).expect("somebody listens");
            conn.last_request("/slow?ms=300").expect("it is written");
            conn
        };
        clients.extend((0..4).map(slow));
        cluster.signal(libc::SIGTERM);
        for mut client in clients {
            client.response().expect("an answer");
        }
        let mut cluster = cluster;
        assert_eq!(cluster.wait_exit().code(), Some(0), "{level}");
        cluster.assert_nothing_left();
    }
}

#[test]
fn what_the_kernel_cannot_do_is_refused_in_one_line() {
    for (flags, option) in [
        ("--max-connections 5", "--max-connections"),
        ("--policy least-connections", "--policy"),
        ("--policy source-hash", "--policy"),
        ("--ready tcp", "--ready"),
        ("--drain move", "--drain"),
    ] {
        let said = cli(std::path::Path::new("/"), &format!("run --dispatch kernel {flags} -- true"));
        let line = said.refusal(2);
        assert!(line.contains(option) && line.contains("--dispatch kernel"), "{line}");
    }
}
