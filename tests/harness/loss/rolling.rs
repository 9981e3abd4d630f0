//! Rolling reloads under load: of good versions, and of broken ones, which must change nothing.

use super::clients::mix::Mix;
use super::orders::{self, order, pids};
use super::row::Row;
use super::subject::{Subject, server};
use super::traffic::Traffic;
use crate::clusters::cluster::Cluster;
use crate::programs::places::app_dir;
use crate::system::temp::TempDir;
use std::fs;
use std::path::Path;
use std::time::Duration;

/// What `reload --wait` itself waits at most, and what we wait for it.
const RELOAD: &str = "reload --wait --wait-timeout 90s";
const RELOAD_LIMIT: Duration = Duration::from_secs(100);
const WORKERS: usize = 2;

/// Which clients may lose nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Promise {
    All,
    /// Those with a connection for each request; the others are counted.
    Closing,
}

/// Reloads the cluster so many times.
#[track_caller]
pub fn reload(subject: &Subject, flags: &str, mix: Mix, rounds: usize, promise: Promise) -> Row {
    let mut row = Row::new(subject.name, "reloads");
    let cluster = subject.start(WORKERS, flags);
    let traffic = Traffic::start(server(&cluster), mix);
    let start = traffic.begun;
    traffic.wait_begun();
    for round in 1..=rounds {
        if !traffic.wait_more(20, &mut row) {
            break;
        }
        let before = pids(&cluster);
        let (said, took) = order(&cluster, RELOAD, RELOAD_LIMIT);
        if said.code != Some(0) {
            row.problems.push(format!("reload {round} ended with {:?}: {}", said.code, said.err.trim_end()));
            break;
        }
        row.times.push(took);
        row.done += 1;
        let after = pids(&cluster);
        if after.len() != WORKERS || !after.is_disjoint(&before) {
            row.problems.push(format!("reload {round} left {before:?} as {after:?}"));
            break;
        }
    }
    traffic.wait_more(20, &mut row);
    let tally = traffic.finish();
    match promise {
        Promise::All => {
            row.fill(tally, start);
            row.forbid_loss();
        }
        Promise::Closing => {
            row.forbid_loss_of_closing(&tally);
            row.fill(tally, start);
        }
    }
    note_moves(&cluster, &mut row);
    orders::end(cluster, &mut row);
    row
}

/// What the log tells of connections that were moved: how often a worker was stopped for it, and what that took.
fn note_moves(cluster: &Cluster, row: &mut Row) {
    let number = |line: &str, before: &str| {
        let rest = line.split_once(before)?.1;
        rest.split_once(|c: char| !c.is_ascii_digit() && c != '.')?.0.parse::<f64>().ok()
    };
    let lines = cluster.log().lines_with("connections go to others (");
    let spread = |before: &str| {
        let mut values: Vec<f64> = lines.iter().filter_map(|line| number(line, before)).collect();
        values.sort_by(f64::total_cmp);
        format!("{} / {}", values.get(values.len() / 2).unwrap_or(&0.0), values.last().unwrap_or(&0.0))
    };
    if !lines.is_empty() {
        let stops: f64 = lines.iter().filter_map(|line| number(line, " ms, ")).sum();
        row.notes.push(format!(
            "{} moves with {stops} stops (median / longest in ms: whole {}, stood still {}, requests kept {})",
            lines.len(),
            spread("after "),
            spread("stops of "),
            spread("kept for ")
        ));
    }
    let refused = cluster.log().count("connections cannot be moved");
    if refused > 0 {
        row.notes.push(format!("{refused} workers drained without a move"));
    }
}

/// In how many ways a version can be broken, and what it says of it.
const BROKEN: [&str; 3] = [
    "process.stderr.write('deliberately broken\\n'); process.exit(7);\n",
    "console.error('deliberately broken'); setInterval(() => {}, 1000);\n",
    "throw new Error('deliberately broken');\n",
];

/// Replaces the program by a broken one and reloads, so many times; at the end by the good one.
#[track_caller]
pub fn broken(flags: &str, mix: Mix, rounds: usize) -> Option<Row> {
    let temp = TempDir::new();
    let source = app_dir().join("node");
    for name in ["http.js", "contract.js"] {
        fs::copy(source.join(name), temp.path().join(name)).expect("the temporary directory is writable");
    }
    let script = temp.path().join("http.js");
    let good = fs::read_to_string(&script).expect("it was copied");
    let subject = Subject::node()?.with_script(&script);

    let mut row = Row::new(subject.name, "broken versions");
    let cluster = subject.start(WORKERS, flags);
    let traffic = Traffic::start(server(&cluster), mix);
    let start = traffic.begun;
    traffic.wait_begun();
    let before = pids(&cluster);
    for round in 0..rounds {
        if !traffic.wait_more(20, &mut row) {
            break;
        }
        replace(&script, BROKEN[round % BROKEN.len()]);
        let (said, took) = order(&cluster, RELOAD, RELOAD_LIMIT);
        row.times.push(took);
        row.done += 1;
        if said.code != Some(5) || !said.err.contains("deliberately broken") {
            row.problems.push(format!("reload of a broken version: {:?} {:?}", said.code, said.err));
        }
        let after = pids(&cluster);
        if after != before {
            row.problems.push(format!("a broken version left {before:?} as {after:?}"));
            break;
        }
    }
    replace(&script, &good);
    let (said, _) = order(&cluster, RELOAD, RELOAD_LIMIT);
    let after = pids(&cluster);
    if said.code != Some(0) || after.len() != WORKERS || !after.is_disjoint(&before) {
        row.problems.push(format!("the good version: {said:?}, {before:?} became {after:?}"));
    }
    traffic.wait_more(20, &mut row);
    row.fill(traffic.finish(), start);
    row.forbid_loss();
    orders::end(cluster, &mut row);
    Some(row)
}

/// Puts another file in the place of the script, so that whoever reads it reads one of them whole.
fn replace(script: &Path, text: &str) {
    let new = script.with_extension("new");
    fs::write(&new, text).and_then(|()| fs::rename(&new, script)).expect("the directory is ours");
}
