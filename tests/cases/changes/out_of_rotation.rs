//! Who drains is given nobody any more: clients connect without a pause while workers are taken out of rotation again and
//! again, and none of them accepts after it is known to be out.

use harness::{
    Cluster, Load, Options, PATIENCE, Pid, RawControl, Target, Who, c_program, get, require, wait_until,
};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};

/// Nanoseconds on the clock that all processes share.
fn monotonic() -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the call writes one timespec, which lives through it.
    let result = unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut time) };
    assert_eq!(result, 0);
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// When each process was known to be stopping, which is after it was taken out of rotation, and when to be gone.
#[derive(Debug, Default)]
struct Known {
    out: BTreeMap<Pid, u64>,
    gone: BTreeMap<Pid, u64>,
}

/// Follows the events until the supervisor ends.
fn follow(cluster: &Cluster) -> JoinHandle<Known> {
    let mut control = RawControl::open(&cluster.runtime_dir().join("web.sock"));
    control.say(b"{\"v\":1,\"do\":\"events\"}\n");
    assert!(control.hear().contains("\"ok\":true"));
    thread::spawn(move || {
        let mut known = Known::default();
        let mut running = BTreeMap::<String, Pid>::new();
        loop {
            let line = control.hear();
            let heard = monotonic();
            if line.is_empty() {
                return known;
            }
            let event: Value = serde_json::from_str(&line).expect("events are JSON");
            if event["event"] != "worker" {
                continue;
            }
            let id = event["id"].as_str().expect("a worker has one").to_owned();
            let pid = event["pid"].as_u64().map(|pid| pid as Pid);
            match (event["state"].as_str(), pid) {
                (Some("stopping"), Some(pid)) => {
                    known.out.entry(pid).or_insert(heard);
                    running.insert(id, pid);
                }
                (Some("standby"), _) => {
                    if let Some(pid) = running.remove(&id) {
                        known.gone.entry(pid).or_insert(heard);
                    }
                }
                _ => {}
            }
        }
    })
}

/// Clients one after the other that keep a connection for a while, so that a worker which drains has something to wait for.
fn linger(target: &Target, stop: &Arc<AtomicBool>) -> JoinHandle<Vec<Who>> {
    let (target, stop) = (target.clone(), stop.clone());
    thread::spawn(move || {
        let mut answers = Vec::new();
        while !stop.load(Ordering::Relaxed) {
            let answer = get(&target, "/slow?ms=120").and_then(|response| response.who());
            answers.push(answer.expect("an answer"));
        }
        answers
    })
}

#[test]
fn none_accepts_after_it_is_out_of_rotation() {
    if !require("cc") {
        return;
    }
    const ROUNDS: usize = 8;
    let flags = "--name web --min-healthy-time 1ms --min-uptime 1ms --restart-delay 1ms --idle-grace 50ms";
    let command = [c_program("stamps", &[])];
    let mut cluster = Cluster::start_command(&command, Options::workers(3).flags(flags));
    let events = follow(&cluster);
    let (target, stop) = (cluster.target(), Arc::new(AtomicBool::new(false)));
    // More clients than the workers have places: where all are full, what waits in a lane has nowhere else to go at once.
    let load = Load::start(&target, 24, "/stamp");
    let lingering: Vec<_> = (0..6).map(|_| linger(&target, &stop)).collect();
    for round in 0..ROUNDS {
        let done = load.done();
        wait_until("the clients go on", PATIENCE, || load.done() >= done + 100);
        if round % 4 == 3 {
            cluster.order("reload --wait");
        } else {
            cluster.order(&format!("restart /{} --wait", round % 3));
        }
    }
    let answers = load.finish_unharmed();
    stop.store(true, Ordering::Relaxed);
    let slow: Vec<_> =
        lingering.into_iter().flat_map(|client| client.join().expect("no answer was missing")).collect();
    cluster.signal(libc::SIGTERM);
    assert_eq!(cluster.wait_exit().code(), Some(0));
    let known = events.join().expect("it read to the end");

    // A moment before the accept and a moment after the removal: any order but this one is a proof.
    let stamp = |who: &Who| who.id.parse::<u64>().expect("the answer has a moment");
    let late = |who: &&Who| known.out.get(&who.pid).is_some_and(|out| stamp(who) > *out);
    let all = || answers.iter().chain(&slow);
    let late: Vec<_> = all().filter(late).collect();
    assert!(late.is_empty(), "{} of {} came late: {late:?}", late.len(), answers.len());
    // It would have shown: while those lived on that were out, the others were given many.
    let meanwhile = |who: &&Who| {
        let lived = known.gone.iter().filter_map(|(pid, gone)| Some((known.out.get(pid)?, gone)));
        let stamp = stamp(who);
        lived.into_iter().any(|(out, gone)| *out < stamp && stamp < *gone)
    };
    let meanwhile = all().filter(meanwhile).count();
    assert!(known.out.len() >= ROUNDS && meanwhile >= 50, "{} out, {meanwhile} meanwhile", known.out.len());
}
