//! Programs with the seccomp filter at each level at which the kernel can choose among them: what they get, and their whole life.

use crate::dispatch::kernel::levels::{
    LEVELS, PATIENT, SPLIT, answers, balancer, burst, has, moves_by_itself,
};
use crate::intercept::filtered::{all_answer, fixed};
use harness::{
    Cluster, Conn, Listen, Load, Options, PATIENCE, Pid, is_alive, pause, resume, shares, signal, wait_until,
    who,
};
use std::collections::BTreeSet;
use std::fs;
use std::time::Instant;

/// Replaced without waiting, however young.
const AT_ONCE: &str = "--min-uptime 1ms --restart-delay 1ms";
const SOON: &str = "--min-healthy-time 50ms --idle-grace 100ms";

fn options(workers: usize, level: &str) -> Options {
    Options::workers(workers).env("CLUSTERMON_STEERING", level)
}

fn levels<'a>(of: &'a [&'a str]) -> impl Iterator<Item = &'a str> {
    of.iter().copied().filter(|level| has(level))
}

/// The sockets that a process has.
fn sockets(pid: Pid) -> BTreeSet<String> {
    let folder = fs::read_dir(format!("/proc/{pid}/fd")).expect("it lives");
    let links = folder.filter_map(|entry| fs::read_link(entry.ok()?.path()).ok());
    links.map(|link| link.display().to_string()).filter(|link| link.starts_with("socket:")).collect()
}

#[test]
fn each_worker_has_its_own_socket_of_which_the_supervisor_has_a_copy() {
    let Some(program) = fixed() else { return };
    for level in levels(&LEVELS) {
        let cluster = Cluster::start_command(&[&program], options(3, level));
        assert_eq!(balancer(&cluster, "dispatch"), format!("kernel:{level}"));
        let reason = balancer(&cluster, "dispatch_reason");
        assert_eq!(reason.contains("CLUSTERMON_STEERING"), level != "program", "{reason}");
        let copies = sockets(cluster.pid());
        let each: Vec<_> = cluster.started().into_values().map(sockets).collect();
        let own: BTreeSet<_> = each.iter().flat_map(|own| own.intersection(&copies).cloned()).collect();
        assert_eq!(own.len(), if level == "shared" { 1 } else { 3 }, "{level}: {each:?} {copies:?}");
        assert_eq!(all_answer(&cluster.target(), 3).len(), 3);
        cluster.stop();
    }
}

#[test]
fn the_program_rotates_exactly_whatever_dispatch_is_asked_for() {
    let Some(program) = fixed().filter(|_| has("program")) else { return };
    for dispatch in ["auto", "kernel", "credit"] {
        let flags = format!("{PATIENT} --dispatch {dispatch}");
        let cluster = Cluster::start_command(&[&program], Options::workers(4).flags(&flags));
        all_answer(&cluster.target(), 4);
        let answers: Vec<_> = (0..400).map(|_| who(&cluster.target()).expect("an answer")).collect();
        let shares = shares(&answers);
        assert!(shares.len() == 4 && shares.values().all(|count| *count == 100), "{shares:?}");
        let is_told = cluster.log().text().contains("where the kernel brings connections: --dispatch");
        assert_eq!(is_told, dispatch == "credit");
        cluster.stop();
    }
}

#[test]
fn one_that_is_cordoned_gets_nothing() {
    let Some(program) = fixed() else { return };
    for level in levels(&SPLIT) {
        let cluster = Cluster::start_command(&[&program], options(3, level).flags(PATIENT));
        cluster.order("cordon /1");
        let seen: BTreeSet<_> = (0..60).map(|_| who(&cluster.target()).expect("an answer").id).collect();
        assert_eq!(seen, BTreeSet::from(["0".to_owned(), "2".to_owned()]), "{level}");
        cluster.order("uncordon /1");
        all_answer(&cluster.target(), 3);
        cluster.stop();
    }
}

#[test]
fn reloads_and_scaling_fail_no_request() {
    let Some(program) = fixed() else { return };
    for level in levels(&LEVELS) {
        let mut cluster = Cluster::start_command(&[&program], options(2, level).flags(SOON));
        let load = Load::start(&cluster.target(), 4, "/");
        wait_until("the clients are at it", PATIENCE, || load.done() > 50);
        let before: BTreeSet<_> = cluster.started().into_values().collect();
        for _ in 0..2 {
            cluster.order("reload --wait");
        }
        wait_until("the first two have ended", PATIENCE, || before.iter().all(|pid| !is_alive(*pid)));
        cluster.signal(libc::SIGTTIN);
        cluster.wait_ready(7);
        let goal = load.done() + 50;
        wait_until("some more are answered", PATIENCE, || load.done() >= goal);
        cluster.signal(libc::SIGTTOU);
        cluster.log().wait_for("worker 2 exited: ");
        let seen: BTreeSet<_> = load.finish_unharmed().into_iter().map(|who| who.pid).collect();
        assert!(seen.len() >= 4, "{level}: {seen:?}");
        cluster.stop();
    }
}

#[test]
fn what_waits_for_one_that_is_killed_is_answered() {
    let Some(program) = fixed() else { return };
    for workers in [1, 2] {
        for level in levels(&LEVELS) {
            let flags = format!("{AT_ONCE} {PATIENT}");
            let cluster = Cluster::start_command(&[&program], options(workers, level).flags(&flags));
            let victim = cluster.started()["0"];
            pause(victim);
            let clients = burst(&cluster.target(), 40);
            signal(victim, libc::SIGKILL);
            answers(clients);
            all_answer(&cluster.target(), workers);
            cluster.stop();
        }
    }
}

/// Of two sockets with a port that the system has chosen, one was bound without naming it.
#[test]
fn what_waits_for_one_that_is_stopped_moves() {
    let Some(program) = fixed().filter(|_| has("program")) else { return };
    for (listen, victim) in [(Listen::Host("127.0.0.1"), "1"), (Listen::Zero("0.0.0.0"), "0")] {
        let flags = "--lag-limit 300ms --hang-limit 0";
        let cluster = Cluster::start_command(&[&program], options(2, "program").flags(flags).listen(listen));
        all_answer(&cluster.target(), 2);
        let other = if victim == "0" { "1" } else { "0" }.to_owned();
        let victim = cluster.started()[victim];
        pause(victim);
        let since = Instant::now();
        // It never goes on, and half of them were for it.
        assert_eq!(answers(burst(&cluster.target(), 20)), BTreeSet::from([other.clone()]));
        eprintln!("what waited was answered after {:?}, at a limit of 300 ms", since.elapsed());
        wait_until("it is out of rotation", PATIENCE, || {
            cluster.inspect()["load_balancers"][0]["rotation"] == serde_json::json!([other])
        });
        resume(victim);
        all_answer(&cluster.target(), 2);
        cluster.stop();
    }
}

/// Behind a wrapper nobody tells the supervisor of the stop: it shows in the queue alone. What the worker does with the next connection
/// shows whether it goes on.
#[test]
fn the_age_of_its_queue_shows_that_one_takes_nothing() {
    let Some(program) = fixed().filter(|_| has("program")) else { return };
    let script = "\"$0\"; exit $?";
    let command = ["sh", "-c", script, program.to_str().expect("plain")];
    let flags = "--intercept seccomp --lag-limit 300ms --hang-limit 0";
    let cluster = Cluster::start_command(&command, options(2, "program").flags(flags));
    all_answer(&cluster.target(), 2);
    let victim = loop {
        let answered = who(&cluster.target()).expect("an answer");
        if answered.id == "0" {
            break answered.pid;
        }
    };
    pause(victim);
    for _ in 0..3 {
        assert_eq!(answers(burst(&cluster.target(), 20)), BTreeSet::from(["1".to_owned()]));
    }
    cluster.log().wait_for("worker 0 has been busy for ");
    assert!(!cluster.log().text().contains("is stopped (SIGSTOP)"), "{}", cluster.log().text());
    resume(victim);
    all_answer(&cluster.target(), 2);
    cluster.stop_by(libc::SIGINT);
}

#[test]
fn where_nothing_moves_what_waits_is_told_and_served_in_the_end() {
    let Some(program) = fixed().filter(|_| !moves_by_itself()) else { return };
    let flags = "--lag-limit 300ms --hang-limit 0";
    let cluster = Cluster::start_command(&[&program], options(2, "random").flags(flags));
    all_answer(&cluster.target(), 2);
    let victim = cluster.started()["0"];
    pause(victim);
    let clients = burst(&cluster.target(), 40);
    wait_until("it is told that some wait", PATIENCE, || {
        balancer(&cluster, "dispatch_reason").contains("wait for worker 0, which takes none")
    });
    assert_eq!(answers(burst(&cluster.target(), 20)), BTreeSet::from(["1".to_owned()]));
    resume(victim);
    assert_eq!(answers(clients).len(), 2, "some waited for it");
    all_answer(&cluster.target(), 2);
    cluster.stop();
}

#[test]
fn a_stop_serves_who_was_let_in() {
    let Some(program) = fixed() else { return };
    for level in levels(&SPLIT) {
        let mut cluster = Cluster::start_command(&[&program], options(2, level).flags(PATIENT));
        let mut clients = burst(&cluster.target(), 1);
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
        assert_eq!(cluster.wait_exit().code(), Some(0), "{level}");
        cluster.assert_nothing_left();
    }
}
