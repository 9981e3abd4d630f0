//! Programs with the seccomp filter that listen more than once, by sockets of different kinds, or not at all for a while.

use crate::dispatch::kernel::levels::{LEVELS, PATIENT, SPLIT, answers, balancer, burst, has};
use crate::intercept::filtered::{all_answer, fixed};
use harness::{Cluster, Conn, Listen, Load, Options, PATIENCE, has_mptcp, signal, wait_until, who};
use std::collections::BTreeSet;

fn options(workers: usize, level: &str) -> Options {
    Options::workers(workers).env("CLUSTERMON_STEERING", level).flags(PATIENT)
}

#[test]
fn one_that_executes_itself_with_its_listener_goes_on_as_the_same_worker() {
    let Some(program) = fixed() else { return };
    for level in LEVELS.into_iter().filter(|level| has(level)) {
        let cluster = Cluster::start_command(&[&program], options(2, level));
        let load = Load::start(&cluster.target(), 2, "/");
        for (round, (_, pid)) in cluster.started().into_iter().enumerate() {
            signal(pid, libc::SIGUSR1);
            cluster.stdout().wait_for_count("listens again", round + 1, PATIENCE);
        }
        all_answer(&cluster.target(), 2);
        load.finish_unharmed();
        let inspection = cluster.inspect();
        let rotation = inspection["load_balancers"][0]["rotation"].as_array().map(Vec::len);
        assert_eq!(rotation, Some(2), "{level}: {inspection:#}");
        assert!(!cluster.log().text().contains("no longer listens"), "{}", cluster.log().text());
        cluster.stop();
    }
}

/// What a program does that wants nobody for a moment.
#[test]
fn one_that_shuts_its_listener_down_and_listens_on_it_again_is_served_again() {
    let Some(program) = fixed() else { return };
    for level in SPLIT.into_iter().filter(|level| has(level)) {
        for listen in [Listen::Host("127.0.0.1"), Listen::Zero("0.0.0.0")] {
            let cluster = Cluster::start_command(&[&program], options(2, level).listen(listen));
            for round in 1..=2 {
                signal(cluster.started()["0"], libc::SIGUSR2);
                cluster.stdout().wait_for_count("listens again", round, PATIENCE);
                all_answer(&cluster.target(), 2);
            }
            cluster.stop();
        }
    }
}

#[test]
fn children_that_listen_by_themselves_have_their_own_turn() {
    let Some(program) = fixed() else { return };
    for level in SPLIT.into_iter().filter(|level| has(level)) {
        let cluster = Cluster::start_command(&[&program], options(1, level));
        signal(cluster.started()["0"], libc::SIGHUP);
        let mut pids = BTreeSet::new();
        wait_until("both answer", PATIENCE, || {
            pids.insert(who(&cluster.target()).expect("an answer").pid);
            pids.len() == 2
        });
        let child = *pids.iter().find(|pid| **pid != cluster.started()["0"]).expect("there are two");
        // What waits for it is not lost with it: it moves, or is there for the next one that listens.
        signal(child, libc::SIGKILL);
        if level == "program" {
            answers(burst(&cluster.target(), 10));
        }
        cluster.stop();
    }
}

#[test]
fn while_no_worker_is_up_clients_are_held_or_refused() {
    let Some(program) = fixed() else { return };
    for level in LEVELS.into_iter().filter(|level| has(level)) {
        for what in ["hold", "refuse"] {
            let flags = format!("--when-no-worker {what}");
            let cluster = Cluster::start_command(&[&program], options(2, level).flags(&flags));
            let target = cluster.target();
            for worker in ["/0", "/1"] {
                cluster.order(&format!("stop {worker} --wait"));
            }
            // With the program the client is refused in the handshake; else it is let in and then refused.
            let asked = Conn::open(&target).and_then(|mut conn| {
                conn.last_request("/")?;
                Ok(conn)
            });
            if what == "hold" {
                let asked = asked.expect("the supervisor has the socket");
                assert!(!asked.is_readable(), "neither served nor refused");
                cluster.order("start /1 --wait");
                assert_eq!(answers(vec![asked]), BTreeSet::from(["1".to_owned()]), "{level}");
            } else {
                assert!(asked.and_then(|mut conn| conn.response()).is_err(), "{level}");
                cluster.order("start /1 --wait");
                wait_until("it is served again", PATIENCE, || who(&target).is_ok_and(|who| who.id == "1"));
            }
            cluster.stop();
        }
    }
}

/// As a worker does that was built by another version of Go than its siblings.
#[test]
fn workers_may_listen_by_mptcp_and_by_tcp_at_one_address() {
    let Some(program) = fixed() else { return };
    if !has_mptcp() {
        return;
    }
    for (first, second) in [("0", "1"), ("1", "0")] {
        let script = format!("[ $PROCESS_LOGICAL_ID = {second} ] || export MPTCP=1; exec \"$0\"");
        let command = ["sh".to_owned(), "-c".to_owned(), script, program.display().to_string()];
        let options =
            Options::workers(2).flags(&format!("{PATIENT} --intercept seccomp --min-healthy-time 50ms"));
        let cluster = Cluster::start_command(&command, options);
        for _ in 0..2 {
            assert_eq!(all_answer(&cluster.target(), 2).len(), 2, "{first}");
            let load = Load::start(&cluster.target(), 4, "/");
            cluster.order("reload --wait");
            load.finish_unharmed();
        }
        cluster.stop();
    }
}

#[test]
fn of_mptcp_the_kernel_takes_a_random_one_and_it_is_said_why() {
    let Some(program) = fixed() else { return };
    if !has_mptcp() {
        return;
    }
    for listen in [Listen::Host("127.0.0.1"), Listen::Host("::1"), Listen::Zero("::")] {
        let options = Options::workers(3).env("MPTCP", "1").flags("--min-healthy-time 50ms").listen(listen);
        let cluster = Cluster::start_command(&[&program], options);
        assert_eq!(balancer(&cluster, "dispatch"), "kernel:random");
        if has("program") {
            let reason = balancer(&cluster, "dispatch_reason");
            assert!(reason.contains("cannot choose sockets of MPTCP"), "{reason}");
        }
        cluster.order("cordon /1");
        let seen: BTreeSet<_> = (0..60).map(|_| who(&cluster.target()).expect("an answer").id).collect();
        assert_eq!(seen, BTreeSet::from(["0".to_owned(), "2".to_owned()]));
        cluster.order("uncordon /1");
        let load = Load::start(&cluster.target(), 4, "/");
        wait_until("the clients are at it", PATIENCE, || load.done() > 50);
        cluster.order("reload --wait");
        load.finish_unharmed();
        cluster.stop();
    }
}
