//! A program that starts and stops clusters again and again keeps nothing of them. Alone in its binary: it counts what
//! the whole process has.

#![allow(clippy::disallowed_methods, reason = "a test reads the clock for its deadlines")]

mod common;

use clustermon::api::{Action, Target};
use clustermon::{Cluster, Environment};
use common::{LIMIT, demo, port};
use std::time::Instant;

fn cluster(name: &str, port: u16, workers: u32) -> Cluster {
    Cluster::builder([demo()])
        .name(name)
        .workers(workers)
        .environment(move |_| Environment::Inherited(vec![("PORT".into(), port.to_string().into())]))
        .start()
        .unwrap()
}

fn wait_ready(cluster: &Cluster) {
    cluster.command(Action::Start { target: Target::Cluster }, Some(LIMIT)).unwrap();
}

/// Descriptors and children of this process, once no thread but the harness's own two is left: one that was joined may
/// be shown for a moment more.
fn held() -> (usize, String) {
    let threads = || std::fs::read_dir("/proc/self/task").unwrap().count();
    let deadline = Instant::now() + LIMIT;
    while threads() > 2 {
        assert!(Instant::now() < deadline, "{} threads are left", threads());
        std::thread::yield_now();
    }
    let mut children = String::new();
    for task in std::fs::read_dir("/proc/self/task").unwrap().flatten() {
        children += &std::fs::read_to_string(task.path().join("children")).unwrap_or_default();
    }
    (std::fs::read_dir("/proc/self/fd").unwrap().count(), children)
}

fn resident() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    statm.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4096
}

#[test]
fn fifty_clusters_leave_nothing_behind() {
    let ports = [port(), port()];
    // What is made once for all stays.
    drop(cluster("cycles", ports[0], 1));
    let (before, memory) = (held(), resident());
    for round in 0..50 {
        let one = cluster("cycles", ports[0], 2);
        match round % 5 {
            // Dropped while its workers start.
            0 => {}
            1 => {
                wait_ready(&one);
                let other = cluster("cycles-too", ports[1], 1);
                wait_ready(&other);
                assert_eq!((one.count_running_workers(), other.count_running_workers()), (2, 1));
            }
            2 => {
                wait_ready(&one);
                one.stop();
                one.wait().unwrap();
                one.start().unwrap();
                wait_ready(&one);
            }
            3 => one.kill(),
            _ => wait_ready(&one),
        }
    }
    assert_eq!(held(), before, "descriptors and children");
    let grown = resident().saturating_sub(memory);
    assert!(grown < 4 << 20, "{grown} bytes more are resident");
}
