//! Commands to a cluster with a deadline, and what its workers are meanwhile.

use super::row::Row;
use crate::clusters::cli::{Said, cli_command};
use crate::clusters::cluster::Cluster;
use crate::system::process::{Pid, wait_or_kill};
use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};

/// Runs `clustermon WORDS` for this cluster; kills it after the limit, and then has no code. Returns how long it took.
pub(super) fn order(cluster: &Cluster, words: &str, limit: Duration) -> (Said, Duration) {
    let begun = Instant::now();
    let mut command = cli_command(&cluster.runtime_dir(), words);
    let mut child =
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("clustermon is built");
    // Read beside the wait: what it says may be longer than a pipe holds.
    let read = |pipe: Option<Box<dyn Read + Send>>| {
        thread::spawn(move || {
            let mut text = Vec::new();
            let _ = pipe.map(|mut pipe| pipe.read_to_end(&mut text));
            String::from_utf8_lossy(&text).into_owned()
        })
    };
    let out = read(child.stdout.take().map(|pipe| Box::new(pipe) as _));
    let err = read(child.stderr.take().map(|pipe| Box::new(pipe) as _));
    let status = wait_or_kill(&mut child, limit).expect("it is our child, and nobody else waits for it");
    let took = begun.elapsed();
    let text = |reader: thread::JoinHandle<String>| reader.join().expect("a reader never panics");
    (Said { code: status.and_then(|status| status.code()), out: text(out), err: text(err) }, took)
}

/// The processes of the workers that run and are ready, by logical id.
pub(super) fn running(cluster: &Cluster) -> BTreeMap<String, BTreeSet<Pid>> {
    let (said, _) = order(cluster, "inspect", Duration::from_secs(30));
    let inspection: serde_json::Value = serde_json::from_str(&said.out).unwrap_or_default();
    let mut found = BTreeMap::<String, BTreeSet<Pid>>::new();
    for worker in inspection["workers"].as_array().into_iter().flatten() {
        if let (Some("running"), Some(id), Some(pid)) =
            (worker["state"].as_str(), worker["id"].as_str(), worker["pid"].as_u64())
        {
            found.entry(id.to_owned()).or_default().insert(pid as Pid);
        }
    }
    found
}

/// The same processes, of whatever worker.
pub(super) fn pids(cluster: &Cluster) -> BTreeSet<Pid> {
    running(cluster).into_values().flatten().collect()
}

/// Ends the cluster, which must leave nothing behind. If the row has problems, it gets the end of the log.
pub(super) fn end(mut cluster: Cluster, row: &mut Row) {
    cluster.signal(libc::SIGTERM);
    let status = cluster.wait_exit();
    if status.code() != Some(0) {
        row.problems.push(format!("the supervisor ended with {status}"));
    }
    note_the_left(&cluster, row);
}

/// For a supervisor that has ended.
pub(super) fn note_the_left(cluster: &Cluster, row: &mut Row) {
    let (left, files) = (cluster.processes(), cluster.temp().socket_files());
    if !left.is_empty() || !files.is_empty() {
        row.problems.push(format!("left behind: processes {left:?}, files {files:?}"));
    }
    if !row.problems.is_empty() {
        let text = cluster.log().text();
        let lines: Vec<_> = text.lines().collect();
        let tail = lines.iter().skip(lines.len().saturating_sub(60));
        row.particulars.extend(tail.map(|line| format!("log: {line}")));
    }
}
