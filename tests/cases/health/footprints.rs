//! Memory over the limit: a worker counts by its own and its part of what it shares, and is not replaced again and again where
//! another process would hold as much.

use harness::{Cluster, Options, PATIENCE, TempDir, app_dir, interpreter, require, signal, wait_until};
use std::ffi::OsString;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// Two samples, so that one that comes between two steps of a worker decides nothing.
const FLAGS: &str =
    "--pulse 50ms --memory-samples 2 --idle-grace 100ms --min-healthy-time 50ms --memory-limit 100M";
/// More than the limit for each; of two and more that map it, less.
const SHARED: u64 = 128 << 20;

fn program() -> [OsString; 2] {
    [interpreter("python3"), app_dir().join("python/footprint.py").into()]
}

/// A file, and a process that has mapped it: no worker is the only one.
fn shared(folder: &Path) -> (OsString, Child) {
    let path = folder.join("model");
    File::create(&path).and_then(|file| file.set_len(SHARED)).expect("a folder to write in");
    let [python, script] = program();
    let mut holder = Command::new(python);
    holder.arg(script).arg("hold").env("MAPPED", &path).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut holder = holder.spawn().expect("it starts");
    let mut line = String::new();
    BufReader::new(holder.stdout.take().expect("a pipe")).read_line(&mut line).expect("it says so");
    assert_eq!(line, "held\n");
    (path.into(), holder)
}

/// Waits until the memory of the worker has been looked at so many times more.
fn pulses(cluster: &Cluster, id: &str, count: usize) {
    let reported = || cluster.inspect_worker(id)["health"]["reported_at"].as_u64();
    for _ in 0..count {
        let last = reported();
        wait_until("there is another pulse", PATIENCE, || reported() > last);
    }
}

#[test]
fn what_is_shared_counts_in_part_and_what_is_added_in_full() {
    if !require("python3") {
        return;
    }
    let folder = TempDir::new();
    let (path, mut holder) = shared(folder.path());
    // Its own is nothing at first, and much later.
    let options = Options::workers(2).flags(FLAGS).env("MAPPED", path).env("GROWS", "100");
    let cluster = Cluster::start_command(&program(), options);
    for id in ["0", "1"] {
        cluster.log().wait_for(&format!("worker {id} has "));
        assert!(cluster.inspect_worker(id)["health"]["rss"].as_u64() > Some(SHARED));
    }
    let said = cluster.log().lines_with("MB in memory and stays");
    assert!(said.len() == 2 && said.iter().all(|line| line.contains("the limit is 100 MB")), "{said:?}");
    pulses(&cluster, "1", 4);
    assert_eq!(cluster.log().count("is replaced"), 0, "{}", cluster.log().text());
    assert_eq!(cluster.log().count("in memory and stays"), 2, "it is said once of each");

    signal(cluster.started()["1"], libc::SIGUSR2);
    cluster.log().wait_for("worker 1 is replaced: memory: it holds ");
    assert_eq!(cluster.log().count("worker 0 is replaced"), 0);
    cluster.stop();
    drop(holder.stdin.take());
    assert!(holder.wait().expect("it is ours").success());
}

#[test]
fn a_process_that_is_no_better_than_the_one_before_stays() {
    if !require("python3") {
        return;
    }
    let cluster = Cluster::start_command(&program(), Options::workers(1).flags(FLAGS).env("OWN", "120"));
    cluster.log().wait_for("worker 0 is replaced: memory: it holds ");
    cluster.log().wait_for("worker 0 took the place of one that was replaced for its memory");
    let said = cluster.log().lines_with("took the place");
    assert!(said[0].contains("the limit is 100 MB) and is left alone for 1m00s"), "{said:?}");
    pulses(&cluster, "0", 5);
    assert_eq!(cluster.log().count("worker 0 is replaced"), 1, "{}", cluster.log().text());
    assert_eq!(cluster.log().count("took the place"), 1, "it is said once");
    // One that grows on is replaced all the same.
    signal(cluster.started()["0"], libc::SIGUSR2);
    cluster.log().wait_for_count("worker 0 is replaced: memory", 2, PATIENCE);
    cluster.stop();
}

#[test]
fn where_the_part_cannot_be_read_all_counts_and_that_is_said() {
    if !require("python3") || !require("setpriv") {
        return;
    }
    // SAFETY: asks for a number only.
    let is_root = unsafe { libc::geteuid() } == 0;
    // Root may look at anybody, unless it gives up each of the privileges that are enough for it.
    let without = "--bounding-set=-sys_ptrace,-perfmon,-sys_admin";
    let below: &[&str] = if is_root { &["setpriv", without, "--"] } else { &["env"] };
    let folder = TempDir::new();
    let (path, mut holder) = shared(folder.path());
    let options = Options::workers(1).flags(FLAGS).env("MAPPED", path).env("HIDDEN", "1").below(below);
    let cluster = Cluster::start_command(&program(), options);
    cluster.log().wait_for("worker 0 is replaced: memory: it holds ");
    let said = cluster.log().lines_with("is replaced: memory");
    assert!(said[0].contains("all that it shares included, as its part of that cannot be read"), "{said:?}");
    cluster.stop();
    drop(holder.stdin.take());
    assert!(holder.wait().expect("it is ours").success());
}
