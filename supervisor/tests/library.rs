//! The library's handle on real processes: what the original's API promises, called from a program of one's own.

#![allow(clippy::disallowed_methods, reason = "a test reads the clock for its deadlines")]

mod common;

use clustermon::Outcome;
use clustermon::api::{Action, Event, Failure, Reply, Target, WorkerState};
use clustermon::config::Builder;
use clustermon::{Cluster, Environment};
use common::{LIMIT, demo, port};
use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

fn builder(port: u16) -> Builder {
    unsized_builder(port).workers(3)
}

fn unsized_builder(port: u16) -> Builder {
    Cluster::builder([demo()])
        .max_starting(3)
        .environment(move |_| Environment::Inherited(vec![("PORT".into(), port.to_string().into())]))
}

/// Starts it and waits until every worker is ready.
fn running(builder: Builder) -> Cluster {
    let cluster = builder.start().unwrap();
    cluster.command(Action::Start { target: Target::Cluster }, Some(LIMIT)).unwrap();
    cluster
}

fn get(port: u16) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.set_read_timeout(Some(LIMIT)).unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + LIMIT;
    while !condition() {
        assert!(Instant::now() < deadline, "{what}: not within {LIMIT:?}");
        std::thread::park_timeout(Duration::from_millis(5));
    }
}

fn is_alive(pid: u32) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
}

fn pids(cluster: &Cluster) -> BTreeSet<u32> {
    cluster.inspect().workers.iter().filter_map(|worker| worker.pid).collect()
}

#[test]
fn counts_and_visits() {
    let port = port();
    let cluster = running(builder(port));
    assert_eq!(
        (cluster.count_workers(), cluster.count_running_workers(), cluster.count_active_workers()),
        (3, 3, 3)
    );
    assert_eq!((cluster.count_running_load_balancers(), cluster.count_active_load_balancers()), (1, 1));
    let mut ids = Vec::new();
    cluster.for_each_worker(|worker| ids.push(worker.id().to_owned()));
    assert_eq!(ids, ["0", "1", "2"]);
    let mut addresses = Vec::new();
    cluster.for_each_load_balancer(|balancer| addresses.push(balancer.address));
    assert_eq!(addresses, [format!("127.0.0.1:{port}")]);
    assert!(get(port).starts_with("HTTP/1.1 200"));
    assert!(cluster.worker("1").unwrap().pss().is_some_and(|bytes| bytes > 100_000));
    cluster.stop();
    let report = cluster.wait().unwrap();
    assert_eq!((report.outcome, report.code(), report.last_exits.len()), (Outcome::Stopped, 0, 3));
    assert_eq!((cluster.count_active_workers(), cluster.count_active_load_balancers()), (0, 0));
}

#[test]
fn starts_again_after_a_stop() {
    let port = port();
    let cluster = running(builder(port).workers(1));
    let first = pids(&cluster);
    cluster.stop();
    cluster.wait().unwrap();
    assert!(first.iter().all(|pid| !is_alive(*pid)));
    cluster.start().unwrap();
    cluster.start().unwrap();
    cluster.command(Action::Start { target: Target::Cluster }, Some(LIMIT)).unwrap();
    assert!(pids(&cluster).is_disjoint(&first));
    assert!(get(port).contains("200 OK"));
}

#[test]
fn dropping_the_last_clone_leaves_nothing() {
    let port = port();
    let threads = || std::fs::read_dir("/proc/self/task").unwrap().count();
    let cluster = running(builder(port));
    let (clone, processes) = (cluster.clone(), pids(&cluster));
    drop(cluster);
    assert!(get(port).contains("200 OK"), "a clone keeps it");
    let with = threads();
    drop(clone);
    assert!(processes.iter().all(|pid| !is_alive(*pid)), "no process is left");
    assert!(threads() < with, "its threads have ended");
    assert!(TcpStream::connect(("127.0.0.1", port)).is_err(), "nobody listens");
}

#[test]
fn tells_what_happens() {
    let port = port();
    let cluster = running(builder(port).workers(1));
    let events = cluster.events();
    let pid = *pids(&cluster).first().unwrap();
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid as i32), nix::sys::signal::Signal::SIGKILL)
        .unwrap();
    let mut states = Vec::new();
    while !states.contains(&(WorkerState::Running, true)) {
        if let Event::Worker { state, pid: now, cause, .. } = events.recv_timeout(LIMIT).unwrap() {
            if state == WorkerState::Standby {
                assert!(cause.unwrap().contains("SIGKILL"), "the cause names the signal");
            }
            states.push((state, now.is_some() && now != Some(pid)));
        }
    }
    assert_eq!(states.first(), Some(&(WorkerState::Standby, false)));
    cluster.stop();
    until(
        "standby is told",
        || matches!(events.recv_timeout(LIMIT), Ok(Event::Standby { outcome }) if outcome == "stopped"),
    );
}

#[test]
fn commands_of_a_worker() {
    let port = port();
    let cluster = running(builder(port));
    let worker = cluster.worker("1").unwrap();
    let before = worker.seen().pid;
    worker.restart_and_wait(LIMIT).unwrap();
    let after = worker.inspect().unwrap();
    assert_ne!(after.pid, before);
    assert_eq!((after.state, after.restarts), (WorkerState::Running, 1));
    worker.stop().unwrap();
    until("it is down", || worker.inspect().unwrap().state == WorkerState::Standby);
    assert_eq!((cluster.count_running_workers(), cluster.count_active_workers()), (2, 2));
    assert_eq!(worker.inspect().unwrap().starting_at, None, "it stays down");
    worker.start().unwrap();
    until("it is up", || worker.inspect().unwrap().state == WorkerState::Running);
    worker.cordon().unwrap();
    assert!(worker.inspect().unwrap().cordoned);
    cluster.for_each_load_balancer(|balancer| assert!(!balancer.rotation.contains(&"1".to_owned())));
    worker.uncordon().unwrap();
    worker.signal(nix::libc::SIGKILL).unwrap();
    until("a signal of the user's is a death like any other", || worker.inspect().unwrap().restarts == 3);
    assert!(matches!(
        cluster.command(Action::Stop { target: Target::Worker("9".into()) }, None),
        Err(Failure::NoSuchWorker { .. })
    ));
    assert!(cluster.worker("9").is_none());
}

#[test]
fn scales_with_the_smallest_unused_ids() {
    let port = port();
    let cluster = running(unsized_builder(port).logical_ids(["a", "1"]));
    cluster.scale(4).unwrap();
    until("four run", || cluster.count_running_workers() == 4);
    let ids =
        |cluster: &Cluster| cluster.inspect().workers.into_iter().map(|worker| worker.id).collect::<Vec<_>>();
    assert_eq!(ids(&cluster), ["a", "1", "0", "2"]);
    cluster.scale(1).unwrap();
    until("one is left", || cluster.count_workers() == 1);
    assert_eq!(ids(&cluster), ["a"]);
    assert!(cluster.scale(0).is_err());
}

#[test]
fn on_start_is_called_once_for_each_start_with_the_cluster() {
    let port = port();
    let called = Arc::new(AtomicUsize::new(0));
    let counter = called.clone();
    let cluster = builder(port)
        .on_start(move |cluster| {
            assert_eq!(cluster.count_workers(), 3);
            counter.fetch_add(1, Ordering::SeqCst);
        })
        .start()
        .unwrap();
    until("it is called", || called.load(Ordering::SeqCst) == 1);
    cluster.stop();
    cluster.wait().unwrap();
    assert_eq!(called.load(Ordering::SeqCst), 1);
}

#[test]
fn an_exhaustive_environment_holds_nothing_else() {
    let port = port();
    let cluster = running(builder(port).workers(1).environment(move |id| {
        Environment::Exhaustive(vec![("PORT".into(), port.to_string().into()), ("ME".into(), id.into())])
    }));
    let pid = *pids(&cluster).first().unwrap();
    let bytes = std::fs::read(format!("/proc/{pid}/environ")).unwrap();
    let names: BTreeSet<String> = bytes
        .split(|byte| *byte == 0)
        .filter(|entry| !entry.is_empty())
        .map(|entry| String::from_utf8_lossy(entry).split('=').next().unwrap_or("").to_owned())
        .collect();
    assert!(names.contains("ME") && names.contains("PROCESS_LOGICAL_ID"), "{names:?}");
    let known = |name: &String| {
        ["ME", "PORT", "PROCESS_LOGICAL_ID", "LD_PRELOAD"].contains(&name.as_str())
            || name.starts_with("CLUSTERMON_")
    };
    let strange: Vec<_> = names.iter().filter(|name| !known(name)).collect();
    assert_eq!(strange, [""; 0]);
}

#[test]
fn a_handle_shows_no_secret() {
    // A command may hold what no log should.
    let command: [std::ffi::OsString; 3] = ["env".into(), "TOKEN=of-the-command".into(), demo().into()];
    let port = port().to_string();
    let made = Cluster::builder(command)
        .name("web")
        .workers(1)
        .environment(move |_| Environment::Inherited(vec![("PORT".into(), port.clone().into())]));
    let cluster = running(made);
    let worker = cluster.worker("0").unwrap();
    for shown in [format!("{worker:?}"), format!("{cluster:?}")] {
        assert!(shown.contains("web") && shown.len() < 200 && !shown.contains("of-the-command"), "{shown}");
    }
    assert!(format!("{worker:?}").contains("id: \"0\", state: Running"), "{worker:?}");
}

#[test]
fn several_clusters_live_in_one_process() {
    let (a, b) = (port(), port());
    let first = running(builder(a).name("first").workers(1));
    let second = running(builder(b).name("second").workers(2));
    assert!(get(a).contains("200 OK") && get(b).contains("200 OK"));
    drop(first);
    assert!(get(b).contains("200 OK"));
    assert_eq!(second.count_running_workers(), 2);
}

#[test]
fn what_is_wrong_is_told_before_anything_starts() {
    let error = Cluster::builder(["/nonexistent/program"]).workers(2).start().unwrap_err();
    assert_eq!(error.exit_code(), 2);
    assert!(Cluster::builder([demo()]).workers(0).start().is_err());
}

#[test]
fn a_command_to_a_cluster_at_rest_says_so() {
    let cluster = running(builder(port()).workers(1));
    cluster.stop();
    cluster.wait().unwrap();
    assert_eq!(cluster.command(Action::Inspect, None), Err(Failure::NotRunning));
    assert_eq!(cluster.scale(2), Err(Failure::NotRunning));
    assert!(cluster.wait_timeout(LIMIT).unwrap().is_ok());
}

#[test]
fn a_handle_may_be_used_by_any_thread() {
    fn check<T: Send + Sync + Clone + 'static>(_: &T) {}
    let cluster = running(builder(port()).workers(1));
    check(&cluster);
    let other = cluster.clone();
    let answer = std::thread::spawn(move || other.command(Action::Inspect, None)).join().unwrap();
    assert!(matches!(answer, Ok(Reply::Inspection(_))));
}
