//! Clusters whose workers come and go for other reasons than a reload: scaled, or replaced for their memory, their age
//! or the connections that they have had.

use super::clients::mix::Mix;
use super::orders::{self, order, pids};
use super::row::Row;
use super::subject::{Subject, server};
use super::traffic::Traffic;
use crate::clients::http::{Target, get};
use crate::clusters::cluster::Cluster;
use std::collections::BTreeSet;
use std::io;
use std::net::SocketAddr;
use std::thread;
use std::time::{Duration, Instant};

const LIMIT: Duration = Duration::from_secs(60);

/// From four workers to one and back, so many times.
#[track_caller]
pub fn scale(subject: &Subject, flags: &str, mix: Mix, rounds: usize) -> Row {
    const MOST: usize = 4;
    let mut row = Row::new(subject.name, "times from 4 workers to 1 and back");
    let cluster = subject.start(MOST, flags);
    let traffic = Traffic::start(server(&cluster), mix);
    let start = traffic.begun;
    traffic.wait_begun();
    for _ in 0..rounds {
        let begun = Instant::now();
        for workers in [1, MOST] {
            traffic.wait_more(20, &mut row);
            let (said, _) = order(&cluster, &format!("scale {workers} --wait --wait-timeout 50s"), LIMIT);
            let left = pids(&cluster);
            if said.code != Some(0) || left.len() != workers {
                row.problems.push(format!("scale {workers}: {said:?}, and {left:?} run"));
            }
        }
        row.times.push(begun.elapsed());
        row.done += 1;
    }
    end(row, cluster, traffic, start)
}

/// Until so many workers have been replaced; `urge` is done meanwhile, again and again.
#[track_caller]
fn replaced(
    subject: &Subject,
    flags: &str,
    mix: Mix,
    count: usize,
    limit: Duration,
    urge: impl Fn(SocketAddr) -> io::Result<()>,
) -> Row {
    let mut row = Row::new(subject.name, "replacements");
    let cluster = subject.start(2, flags);
    let traffic = Traffic::start(server(&cluster), mix);
    let start = traffic.begun;
    traffic.wait_begun();
    let mut seen = pids(&cluster);
    let first = seen.len();
    while row.done < count && start.elapsed() < limit {
        if let Err(error) = urge(server(&cluster)) {
            row.problems.push(format!("a request beside the clients failed: {error}"));
        }
        let now: BTreeSet<_> = pids(&cluster);
        // In the list of those that run, old and new may overlap, but never is there none.
        if now.is_empty() {
            row.problems.push("there was no worker running".to_owned());
            break;
        }
        seen.extend(now);
        row.done = seen.len() - first;
        thread::sleep(Duration::from_millis(100));
    }
    if row.done < count {
        row.problems.push(format!("{} replacements in {limit:?}, not {count}", row.done));
    }
    end(row, cluster, traffic, start)
}

/// Workers that grow until they are replaced.
#[track_caller]
pub fn memory(subject: &Subject, flags: &str, mix: Mix, count: usize) -> Row {
    let limit = Duration::from_secs(30 + 10 * count as u64);
    replaced(subject, flags, mix, count, limit, |server| {
        // Asked of whoever accepts it.
        get(&Target::Tcp(server), "/leak?mb=20").map(|_| ())
    })
}

/// Workers that are replaced by themselves, as the flags say.
#[track_caller]
pub fn recycle(subject: &Subject, flags: &str, mix: Mix, count: usize) -> Row {
    replaced(subject, flags, mix, count, Duration::from_secs(30 + 8 * count as u64), |_| Ok(()))
}

#[track_caller]
fn end(mut row: Row, cluster: Cluster, traffic: Traffic, start: Instant) -> Row {
    traffic.wait_more(20, &mut row);
    row.fill(traffic.finish(), start);
    row.forbid_loss();
    orders::end(cluster, &mut row);
    row
}
