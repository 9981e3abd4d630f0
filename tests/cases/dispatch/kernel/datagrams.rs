//! UDP sockets that workers share: each has its own, and the kernel chooses among them by flow. Flows and single requests go on through
//! reloads, scaling, cordons and deaths.

use super::udp::{AT_ONCE, LEVELS, SOON, STEERED, Served, WAYS, ask_on, each, wait_for_more};
use harness::{Answer, Flow, Options, PATIENCE, Pid, is_alive, pause, signal, wait_until};
use std::collections::BTreeSet;

#[test]
fn each_level_spreads_clients_and_says_what_it_is() {
    for (level, host, way) in [
        ("program", "127.0.0.1", WAYS[0]),
        ("random", "::1", WAYS[0]),
        ("shared", "0.0.0.0", WAYS[0]),
        ("program", "::", WAYS[0]),
        ("program", "0.0.0.0", WAYS[1]),
        ("random", "::", WAYS[1]),
        ("shared", "127.0.0.1", WAYS[1]),
    ] {
        let Some(served) = Served::at(host, 4, level, |options| options.flags(way)) else { continue };
        let mut answers: Vec<Answer> = Vec::new();
        for mut flow in served.flows(200) {
            answers.push(flow.ask());
        }
        let ids: BTreeSet<&str> = answers.iter().map(|answer| answer.id.as_str()).collect();
        assert_eq!(ids.len(), 4, "{level}: {ids:?}");
        let balancer = served.balancer();
        let name = match level {
            "program" => "flow:program",
            "random" => "flow:hash",
            _ => "flow:kernel",
        };
        assert_eq!(balancer["dispatch"], name);
        let reason = balancer["dispatch_reason"].as_str().expect("it is told");
        assert_eq!(reason.contains("flows move"), level != "program", "{reason}");
        assert!(served.cluster.order("status").contains(name));
        if level == "program" {
            wait_until("all flows are counted", PATIENCE, || served.balancer()["connections"] == 200);
        }
        served.cluster.stop();
    }
}

#[test]
fn a_reload_leaves_no_request_unanswered() {
    for (level, way) in each(&STEERED) {
        // A process that has received a datagram may take as long to answer it as this machine is busy.
        let flags = |options: Options| {
            options.flags("--max-surge 3 --min-healthy-time 50ms --idle-grace 4s").flags(way)
        };
        let Some(served) = Served::start(3, level, flags) else { continue };
        let before: BTreeSet<Pid> = served.cluster.started().into_values().collect();
        let ask = |flow: &mut Flow| {
            flow.send("who");
            flow.hear(PATIENCE)
        };
        let (done, failed) = ask_on(&served, ask, |done| {
            wait_for_more(done, 50);
            served.cluster.order("reload");
            wait_for_more(done, 50);
            wait_until("the old ones have ended", PATIENCE, || before.iter().all(|pid| !is_alive(*pid)));
            wait_for_more(done, 50);
        });
        assert_eq!(failed, 0, "{level}, {way}: {done} were answered");
        served.cluster.stop();
    }
}

#[test]
fn whoever_asks_twice_is_answered_though_workers_are_killed() {
    for (level, way) in each(&LEVELS) {
        let flags = |options: Options| options.flags(AT_ONCE).flags(way);
        let Some(mut served) = Served::start(3, level, flags) else { continue };
        let mut ready = 3;
        let mut cluster_ready = |served: &mut Served| {
            ready += 1;
            served.cluster.wait_ready(ready);
        };
        for round in 0..3 {
            let victim = served.cluster.started()[&round.to_string()];
            let (done, failed) = ask_on(&served, Flow::ask_twice, |done| {
                wait_for_more(done, 30);
                signal(victim, libc::SIGKILL);
                wait_for_more(done, 60);
            });
            assert_eq!(failed, 0, "{level}, {way}: {done} were answered");
            cluster_ready(&mut served);
        }
        served.cluster.stop();
    }
}

/// The process is one of those that are shown to drain.
fn drains(served: &Served, pid: Pid) -> bool {
    let workers = served.cluster.inspect()["workers"].clone();
    let besides = workers.as_array().expect("a list").iter().filter_map(|worker| worker["beside"].as_array());
    besides.flatten().any(|beside| beside["pid"] == pid && !beside["draining"].is_null())
}

/// Each asks again and again from one port, and is answered by the same process for as long as that lives.
#[test]
fn long_flows_stay_through_scaling_and_the_drain_of_a_reload() {
    let flags = |options: Options| {
        options.flags("--max-surge 3 --min-healthy-time 50ms --idle-grace 8s --drain-timeout 10m")
    };
    let Some(mut served) = Served::start(2, "program", flags) else { return };
    let mut flows = served.flows(24);
    let first: Vec<Answer> = flows.iter_mut().map(Flow::ask).collect();
    let old: BTreeSet<Pid> = first.iter().map(|answer| answer.pid).collect();
    assert_eq!(old.len(), 2);
    let mut number = 1;
    let mut go_on = |flows: &mut [Flow]| {
        number += 1;
        for (flow, first) in std::iter::zip(flows, &first) {
            let answer = flow.ask();
            assert_eq!(answer, Answer { number, ..first.clone() });
        }
    };
    served.cluster.signal(libc::SIGTTIN);
    served.cluster.wait_ready(3);
    served.wait_rotation(&["0", "1", "2"]);
    go_on(&mut flows);
    // A port that is used again is no new flow: these are kept until the end.
    let mut kept = Vec::new();
    wait_until("the new one has new flows", PATIENCE, || {
        kept.extend(served.flows(8));
        kept.iter_mut().rev().take(8).any(|flow: &mut Flow| flow.ask().id == "2")
    });
    go_on(&mut flows);
    // All three get a new process; those that have the flows drain.
    served.cluster.signal(libc::SIGHUP);
    wait_until("all new processes are ready", PATIENCE, || {
        go_on(&mut flows);
        served.cluster.ready_count() >= 6
    });
    wait_until("the old processes drain", PATIENCE, || {
        go_on(&mut flows);
        old.iter().all(|pid| drains(&served, *pid))
    });
    for _ in 0..5 {
        go_on(&mut flows);
        let mut new = served.flows(16);
        assert!(
            new.iter_mut().all(|flow| !old.contains(&flow.ask().pid)),
            "a new flow went to a process that drains"
        );
        kept.extend(new);
    }
    assert!(old.iter().all(|pid| is_alive(*pid)), "flows talk, and are waited for");
    // They fall silent.
    wait_until("the old ones have ended", PATIENCE, || old.iter().all(|pid| !is_alive(*pid)));
    for flow in &mut flows {
        let answer = flow.ask();
        assert!(!old.contains(&answer.pid) && answer.number == 1, "{answer:?}");
    }
    served.cluster.stop();
}

#[test]
fn what_waits_for_a_worker_that_is_killed_waits_for_the_next() {
    for (level, way) in each(&LEVELS) {
        let flags = |options: Options| options.flags(AT_ONCE).flags(way);
        let Some(served) = Served::start(1, level, flags) else { continue };
        let victim = served.cluster.started()["0"];
        pause(victim);
        let flows = served.flows(20);
        flows.iter().for_each(|flow| flow.send("who"));
        signal(victim, libc::SIGKILL);
        for flow in flows {
            let answer = flow.hear(PATIENCE).expect("it was kept");
            assert!(answer.pid != victim && answer.number == 1);
        }
        served.cluster.stop();
    }
}

#[test]
fn a_socket_that_is_connected_or_closed_is_given_nothing_more() {
    for level in STEERED {
        for (host, request, way) in [
            ("127.0.0.1", "connect", WAYS[0]),
            ("0.0.0.0", "connect", WAYS[0]),
            ("127.0.0.1", "close", WAYS[0]),
            ("127.0.0.1", "connect", WAYS[1]),
            ("127.0.0.1", "close", WAYS[1]),
        ] {
            let Some(served) = Served::at(host, 2, level, |options| options.flags(way)) else { continue };
            let mut flow = served.flow();
            let gone = flow.ask();
            flow.send(request);
            let other = if gone.id == "0" { "1" } else { "0" };
            served.wait_rotation(&[other]);
            assert_eq!(served.ids_of_new(20), BTreeSet::from([other.to_owned()]), "{level}: {host}");
            if request == "connect" {
                // Its peer has it to himself.
                flow.hear(PATIENCE).expect("an answer");
                assert_eq!(flow.ask().pid, gone.pid);
            } else {
                assert_eq!(flow.ask().id, other);
            }
            served.cluster.stop();
        }
    }
}

#[test]
fn a_cordoned_worker_keeps_its_flows_and_gets_no_new_ones() {
    let Some(served) = Served::start(3, "program", |options| options) else { return };
    let mut flows = served.flows(30);
    let first: Vec<Pid> = flows.iter_mut().map(|flow| flow.ask().pid).collect();
    served.cluster.order("cordon /1");
    served.wait_rotation(&["0", "2"]);
    assert!(!served.ids_of_new(30).contains("1"));
    let second: Vec<Pid> = flows.iter_mut().map(|flow| flow.ask().pid).collect();
    assert_eq!(first, second);
    served.cluster.order("uncordon /1");
    wait_until("it gets some again", PATIENCE, || served.ids_of_new(10).contains("1"));
    served.cluster.stop();
}

#[test]
fn a_restart_and_a_stop_end_as_they_should() {
    for (level, way) in each(&LEVELS) {
        let flags = |options: Options| options.flags(SOON).flags(way);
        let Some(mut served) = Served::start(2, level, flags) else { continue };
        let before = served.cluster.started()["0"];
        served.cluster.order("restart /0");
        served.cluster.wait_ready(3);
        wait_until("the old one has ended", PATIENCE, || !is_alive(before));
        wait_until("both answer", PATIENCE, || served.ids_of_new(10).len() == 2);
        served.cluster.stop();
    }
}

#[test]
fn a_stop_waits_for_flows_no_longer_than_it_may() {
    let flags = |options: Options| options.flags("--idle-grace 1h --drain-timeout 1h --shutdown-timeout 2s");
    let Some(served) = Served::start(2, "program", flags) else { return };
    served.flow().ask();
    served.cluster.stop();
}

#[test]
fn flows_stay_where_they_are_when_the_supervisor_is_killed() {
    // A worker that is out of rotation when the supervisor dies gets no new flows: on a busy machine one may lag.
    let keep = |options: Options| options.flags("--on-supervisor-death keep --lag-limit 0 --hang-limit 0");
    let Some(served) = Served::start(2, "program", keep) else { return };
    served.wait_rotation(&["0", "1"]);
    let mut flows = served.flows(20);
    let first: Vec<Pid> = flows.iter_mut().map(|flow| flow.ask().pid).collect();
    signal(served.cluster.pid(), libc::SIGKILL);
    wait_until("it is gone", PATIENCE, || !served.cluster.is_alive());
    let second: Vec<Pid> = flows.iter_mut().map(|flow| flow.ask().pid).collect();
    assert_eq!(first, second);
    assert_eq!(served.ids_of_new(20).len(), 2);
}
