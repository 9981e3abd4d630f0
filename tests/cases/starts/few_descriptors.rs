//! A limit on descriptors that is too low is what the first line is about, with the way to raise it.

use harness::{Cluster, Options, clustermon, require};
use std::process::{Command, Stdio};

/// What `clustermon run` says under this limit, in which nothing can be started.
#[track_caller]
fn refusal(limit: u64) -> String {
    let output = Command::new("prlimit")
        .arg(format!("--nofile={limit}"))
        .arg(clustermon())
        .args(["run", "--name", "web", "--", "sleep", "1000"])
        .stdin(Stdio::null())
        .output()
        .expect("it starts");
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert_eq!(told.lines().count(), 1, "{told}");
    assert!(told.contains(&format!("this process may have {limit} descriptors and needs ")), "{told}");
    assert!(told.contains("raise its limit (ulimit -n, LimitNOFILE=)"), "{told}");
    told
}

/// Workers that never listen, under this limit.
fn start(workers: usize, limit: u64) -> Cluster {
    let limit = format!("--nofile={limit}");
    let options = Options::workers(workers).at_once().below(&["prlimit", &limit, "--"]);
    Cluster::start_command(&["sleep", "1000"], options)
}

#[test]
fn too_low_a_limit_is_told_and_what_is_said_to_be_enough_is() {
    if !require("prlimit") {
        return;
    }
    let told = refusal(10);
    let needed = told.split_once(" and needs ").and_then(|(_, rest)| rest.split(' ').next()?.parse().ok());
    let needed: u64 = needed.unwrap_or_else(|| panic!("{told}"));
    refusal(needed - 1);
    let cluster = start(1, needed);
    cluster.log().wait_for("worker 0 started");
    assert_eq!(cluster.log().count("error"), 0, "{}", cluster.log().text());
    cluster.stop();
    // Some of forty find room.
    let limit = needed + 10;
    let cluster = start(40, limit);
    cluster.log().wait_for(&format!(
        "could not be started: Too many open files (os error 24): this process may have {limit} descriptors; raise its limit"
    ));
    assert!(cluster.log().count(" started, pid ") >= 1, "{}", cluster.log().text());
    cluster.stop();
}
