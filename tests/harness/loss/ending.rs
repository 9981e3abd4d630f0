//! Clusters that are stopped under load: whoever had a connection gets its answer.

use super::clients::mix::Mix;
use super::orders::{note_the_left, order};
use super::row::Row;
use super::subject::{Subject, server};
use super::traffic::Traffic;
use std::time::{Duration, Instant};

const LIMIT: Duration = Duration::from_secs(60);

/// Starts and stops the cluster so many times, by turns with the command and with SIGTERM.
#[track_caller]
pub fn stop(subject: &Subject, flags: &str, mix: Mix, rounds: usize) -> Row {
    let mut row = Row::new(subject.name, "stops");
    for round in 0..rounds {
        let mut cluster = subject.start(2, flags);
        let traffic = Traffic::start(server(&cluster), mix);
        let start = traffic.begun;
        traffic.wait_begun();
        traffic.wait_more(50, &mut row);
        traffic.announce_end();
        let begun = Instant::now();
        if round % 2 == 0 {
            cluster.signal(libc::SIGTERM);
        } else {
            let (said, _) = order(&cluster, "stop --wait --wait-timeout 50s", LIMIT);
            if said.code != Some(0) {
                row.problems.push(format!("stop ended with {:?}: {}", said.code, said.err.trim_end()));
            }
        }
        let status = cluster.wait_exit();
        let ended = Instant::now();
        row.times.push(ended - begun);
        row.done += 1;
        let failed_before = (row.failed, row.reset);
        row.fill(traffic.finish(), start);
        if (row.failed, row.reset) != failed_before {
            row.problems.push(format!("round {round} lost requests"));
            row.particulars.push(format!(
                "round {round}: told to end at {:.4} s, ended at {:.4} s",
                (begun - start).as_secs_f64(),
                (ended - start).as_secs_f64()
            ));
        }
        if status.code() != Some(0) {
            row.problems.push(format!("the supervisor ended with {status}"));
        }
        note_the_left(&cluster, &mut row);
        if !row.problems.is_empty() {
            break;
        }
    }
    row.forbid_loss();
    row
}
