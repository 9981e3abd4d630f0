//! What is wrong with a cluster, beyond the columns of a table: what a worker that ended wrote last, descriptors that are spent, a log
//! whose disk is full, and how a cluster ended that is gone. It asks no supervisor.

use crate::api::{Inspection, Launch, Worker, WorkerState};
use crate::cli::output::table::span;
use crate::cli::views::logs::wanted::time_of;
use crate::io::control::last_end::LastEnd;
use crate::io::machine::disk;
use crate::io::output::plain::Plain;
use crate::io::process::limits;
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

/// So many lines of what was written last are shown.
const LINES: usize = 12;
/// So much of a log is looked at, from its end.
const BLOCK: u64 = 64 * 1024;
/// What is done in less is told of nobody, in milliseconds.
const BUSY: u64 = 1_000;
/// A worker that has run for so long again is over what ended it before.
const OVER: u64 = 60_000;

/// What workers that are not well wrote last: of several that wrote the same once.
pub(in crate::cli) fn words(inspection: &Inspection, now: u64) -> String {
    let mut text = String::new();
    let mut told: Vec<&[String]> = Vec::new();
    let ended = inspection.workers.iter().filter(|worker| has_just_ended(worker, now));
    for worker in ended.clone().filter(|worker| !worker.last_stderr.is_empty()) {
        let skipped = worker.last_stderr.len().saturating_sub(LINES);
        let lines = &worker.last_stderr[skipped..];
        if told.contains(&lines) {
            continue;
        }
        told.push(lines);
        text.push_str(&format!("\nworker {} wrote last:\n", worker.id));
        text.extend(lines.iter().map(|line| format!("  {}\n", Plain(line))));
    }
    // Where workers write to the log by themselves nobody knows which of them wrote what.
    let unheard = told.is_empty() && ended.count() > 0;
    let lines = inspection.launch.log.as_deref().filter(|_| unheard).map(last_of).unwrap_or_default();
    if !lines.is_empty() {
        text.push_str("\nthe log ends with:\n");
        text.extend(lines.iter().map(|line| format!("  {}\n", Plain(line))));
    }
    text
}

fn has_just_ended(worker: &Worker, now: u64) -> bool {
    let is_over = || worker.started_at.is_some_and(|at| now.saturating_sub(at) > OVER);
    worker.last_exit.is_some() && !(worker.state == WorkerState::Running && is_over())
}

/// The last lines of the file that the supervisor has not written itself: what it knows is shown already.
fn last_of(log: &str) -> Vec<String> {
    let read = || {
        let is_file = fs::metadata(log)?.is_file();
        let mut file = if is_file { File::open(log)? } else { return Ok(String::new()) };
        let end = file.seek(SeekFrom::End(0))?;
        file.seek(SeekFrom::Start(end.saturating_sub(BLOCK)))?;
        let mut bytes = Vec::new();
        file.take(BLOCK).read_to_end(&mut bytes)?;
        io::Result::Ok(String::from_utf8_lossy(&bytes).into_owned())
    };
    // Where it cannot be read there is nothing to show of it.
    let text = read().unwrap_or_default();
    let of_workers = |line: &&str| time_of(line).is_none() && !line.is_empty();
    let mut lines: Vec<_> = text.lines().filter(of_workers).map(str::to_owned).collect();
    lines.drain(..lines.len().saturating_sub(LINES));
    lines
}

/// Said of a worker that has as many descriptors open as it may.
pub(in crate::cli) fn descriptors(worker: &Worker) -> Option<String> {
    let open = worker.health?.descriptors;
    let limit = limits::descriptors(worker.pid?)?;
    // The last few go as the program opens and closes what it works with.
    (open + 1 >= limit).then(|| format!("its descriptors are spent: {open} are open, {limit} is its limit"))
}

/// Said of a worker that has not looked for new work for long, and that nobody has taken out of rotation for it: of several one is.
pub(in crate::cli) fn busy(worker: &Worker) -> Option<String> {
    let lag = worker.lag_ms.filter(|lag| *lag >= BUSY && worker.out_of_rotation.is_none())?;
    (worker.state == WorkerState::Running).then(|| format!("busy for {}", span(lag)))
}

/// Said of a log that cannot be written any more.
pub(in crate::cli) fn log(launch: &Launch) -> Option<&'static str> {
    let log = launch.log.as_deref()?;
    disk::is_full(Path::new(log)).then_some("its disk is full: what is written now is lost")
}

/// `failed 3m20s ago: why`.
pub(in crate::cli) fn when_and_why(end: &LastEnd, now: u64) -> String {
    let ago = span(now.saturating_sub(end.ended_at));
    let what = if end.inspection.is_some() { "failed" } else { "not started" };
    format!("{what}, {ago} ago: {}", Plain(&end.cause))
}
