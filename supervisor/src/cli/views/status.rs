//! `clustermon status`: a cluster or a worker of it, as a table, as JSON or as an exit code.

mod hooks;
mod launch;

use crate::api::{
    Balancer, BalancerState, Beside, CauseKind, ClusterState, Draining, Inspection, LastReload, Rollout,
    Worker, WorkerState,
};
use crate::cli::connection::target::Whom;
use crate::cli::output::failed::Failed;
use crate::cli::output::out;
use crate::cli::output::table::{Cell, Column, Tone, render, span};
use crate::cli::views::events::{balancer_state, cluster_state, worker_state};
use crate::cli::views::inspect::{Pss, chosen, print_json};
use crate::io::machine::wall_clock::milliseconds;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Nobody but the kernel sees connections of such a balancer.
const KERNEL: &str = "kernel";

const REDRAW: Duration = Duration::from_secs(1);

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    #[command(flatten)]
    whom: Whom,
    /// JSON, as `inspect` prints it
    #[arg(long, conflicts_with_all = ["watch", "quiet"])]
    json: bool,
    /// Show it anew each second until interrupted
    #[arg(long, conflicts_with = "quiet")]
    watch: bool,
    #[command(flatten)]
    pss: Pss,
    /// Print nothing: exit code 0 if every worker is running, 1 if not, or if one is out of rotation because it is busy or
    /// takes nothing
    #[arg(short, long)]
    quiet: bool,
}

impl Args {
    pub(in crate::cli) fn run(&self) -> Result<(), Failed> {
        if self.json {
            return print_json(&self.whom, &self.pss);
        }
        if self.quiet {
            let inspection = chosen(&self.whom)?;
            return if is_as_wanted(&inspection) { Ok(()) } else { Err(Failed::silent(1)) };
        }
        let (colours, terminal) = (out::colours(), out::is_terminal());
        loop {
            let inspection = self.pss.measure(chosen(&self.whom)?);
            let text = table(&inspection, self.whom.target.id.is_none(), now_ms(), colours);
            if !self.watch {
                return out::print(&text);
            }
            if terminal {
                // Line by line over what was there, so that nothing flickers.
                out::print(&format!("\x1b[H{}\x1b[J", text.replace('\n', "\x1b[K\n")))?;
            } else {
                out::print(&format!("{text}\n"))?;
            }
            pause();
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "a person watches, once a second")]
fn pause() {
    std::thread::sleep(REDRAW);
}

/// Milliseconds since the Unix epoch.
#[expect(clippy::disallowed_methods, reason = "shown to a person, who has the same clock")]
pub(in crate::cli) fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    milliseconds(since)
}

fn is_as_wanted(inspection: &Inspection) -> bool {
    // One that somebody has cordoned is as they want it.
    let is_suspect = |worker: &Worker| {
        let cause = worker.out_of_rotation.as_ref();
        cause.is_some_and(|cause| matches!(cause.kind, CauseKind::Lag | CauseKind::Stuck))
    };
    inspection.state == ClusterState::Running
        && inspection.workers.iter().all(|worker| worker.state == WorkerState::Running && !is_suspect(worker))
}

/// What is shown: a line on the cluster unless one worker was asked for, its workers, its load balancers.
fn table(inspection: &Inspection, whole: bool, now: u64, colours: bool) -> String {
    let mut text = String::new();
    if whole {
        let up = inspection.started_at.map(|at| format!(", up {}", span(now.saturating_sub(at))));
        text = format!(
            "{}: {}, pid {}{}, {} of {} workers running\n",
            inspection.name,
            cluster_state(inspection.state),
            inspection.pid,
            up.unwrap_or_default(),
            inspection.count_running_workers(),
            inspection.count_workers(),
        );
        text.push_str(&launch::lines(&inspection.launch));
        if let Some(Rollout { purpose, done, under_way, waiting, draining }) = &inspection.rollout {
            let drains = if *draining > 0 { "; old processes drain" } else { "" };
            text.push_str(&format!(
                "{purpose}: {done} done, {under_way} under way, {waiting} waiting{drains}\n"
            ));
        }
        text.extend(inspection.last_reload.as_ref().and_then(|last| last_reload(last, now)));
        text.push_str(
            &inspection.hooks.as_deref().map_or_else(String::new, |hooks| hooks::lines(hooks, now)),
        );
    }
    let is_seen = !inspection.load_balancers.iter().any(|balancer| balancer.dispatch == KERNEL);
    let counted = inspection.workers.iter().any(|worker| worker.open_connections.is_some());
    let mut columns: Vec<Column> = vec![
        ("ID", false),
        ("STATE", false),
        ("PID", true),
        ("UPTIME", true),
        ("RESTARTS", true),
        ("CONNECTIONS", true),
    ];
    columns.extend(counted.then_some(("OPEN", true)));
    let measured = inspection.workers.iter().any(|worker| worker.pss.is_some());
    columns.extend(measured.then_some(("PSS", true)));
    let sampled = inspection.workers.iter().any(|worker| worker.health.is_some());
    columns.extend([("CPU", true), ("MEMORY", true)].into_iter().filter(|_| sampled));
    columns.push(("LAST EXIT", false));
    let mut rows = Vec::new();
    for worker in &inspection.workers {
        rows.push(worker_row(worker, [is_seen, counted, measured, sampled], now));
        let empty = columns.len() - 5;
        rows.extend(worker.beside.iter().map(|beside| beside_row(worker, beside, empty, now)));
    }
    text.push_str(&render(&columns, &rows, colours));
    if whole && !inspection.load_balancers.is_empty() {
        let columns = [
            ("ADDRESS", false),
            ("STATE", false),
            ("DISPATCH", false),
            ("POLICY", false),
            ("QUEUED", true),
            ("CONNECTIONS", true),
        ];
        let rows = inspection.load_balancers.iter().map(balancer_row);
        text.push('\n');
        text.push_str(&render(&columns, &rows.collect::<Vec<_>>(), colours));
    }
    text
}

/// A reload that came to nothing, until another has not.
fn last_reload(last: &LastReload, now: u64) -> Option<String> {
    if last.outcome == "done" {
        return None;
    }
    let ago = span(now.saturating_sub(last.ended_at));
    let cause = last.cause.as_deref().unwrap_or(&last.outcome);
    Some(format!("last reload, {ago} ago: {cause}\n"))
}

/// Of what is not always known, and the columns for it, `optional` says what is.
fn worker_row(worker: &Worker, optional: [bool; 4], now: u64) -> Vec<Cell> {
    let [is_seen, counted, measured, sampled] = optional;
    let tone = match worker.state {
        WorkerState::Running if worker.cordoned => Tone::Changing,
        WorkerState::Running => Tone::Good,
        WorkerState::Starting | WorkerState::Stopping => Tone::Changing,
        WorkerState::Standby => Tone::Bad,
    };
    let uptime = worker.pid.and(worker.started_at).map(|at| span(now.saturating_sub(at)));
    let mut row = vec![
        Cell::new(&worker.id),
        Cell::toned(if worker.draining.is_some() { "draining" } else { worker_state(worker.state) }, tone),
        Cell::maybe(worker.pid),
        Cell::maybe(uptime),
        Cell::new(worker.restarts),
        Cell::maybe(is_seen.then_some(worker.connections)),
    ];
    row.extend(counted.then(|| Cell::maybe(worker.open_connections)));
    row.extend(measured.then(|| Cell::maybe(worker.pss.map(|bytes| format!("{} MiB", bytes >> 20)))));
    if sampled {
        // A pulse of one that has ended is of no interest.
        let health = worker.health.filter(|_| worker.pid.is_some());
        let share = |permille: u64| format!("{}.{}%", permille / 10, permille % 10);
        row.push(Cell::maybe(health.map(|health| share(health.cpu_permille))));
        row.push(Cell::maybe(health.map(|health| format!("{} MiB", health.rss >> 20))));
    }
    row.push(Cell::new(remark(worker, now)));
    row
}

/// Another process of the same id; it has nothing to show in so many columns.
fn beside_row(worker: &Worker, beside: &Beside, empty: usize, now: u64) -> Vec<Cell> {
    let (state, remark) = match &beside.draining {
        Some(draining) => ("draining", drain(draining, now)),
        None if beside.state == WorkerState::Stopping => {
            (worker_state(beside.state), "is replaced".to_owned())
        }
        None => (worker_state(beside.state), "is to take its place".to_owned()),
    };
    let mut row = vec![
        Cell::new(&worker.id),
        Cell::toned(state, Tone::Changing),
        Cell::maybe(beside.pid),
        Cell::maybe(beside.started_at.map(|at| span(now.saturating_sub(at)))),
    ];
    row.extend((0..empty).map(|_| Cell::new("")));
    row.push(Cell::new(remark));
    row
}

/// `3 connections, 1 at work, 12s left`.
fn drain(draining: &Draining, now: u64) -> String {
    let left = span(draining.until.saturating_sub(now));
    match (draining.connections, draining.busy) {
        (Some(connections), Some(busy)) => format!("{connections} connections, {busy} at work, {left} left"),
        _ => format!("{left} left"),
    }
}

/// How the last process ended, and what else is to be said.
fn remark(worker: &Worker, now: u64) -> String {
    let left = |at: u64| span(at.saturating_sub(now));
    let mut parts = Vec::new();
    parts.extend(worker.last_exit.clone());
    parts.extend(worker.reason.clone());
    parts.extend(worker.starting_at.map(|at| format!("starts in {}", left(at))));
    if worker.state == WorkerState::Stopping {
        parts.extend(worker.draining.as_ref().map(|draining| drain(draining, now)));
        parts.extend(worker.forced_stop.then(|| "killed".to_owned()));
        parts.extend(worker.force_stop_at.map(|at| format!("will be killed in {}", left(at))));
    }
    parts.extend(worker.suspended.clone());
    parts.extend(worker.is_debugging.then(|| "debugging".to_owned()));
    parts.extend(worker.status_text.as_ref().map(|text| format!("says: {text}")));
    parts.extend(worker.out_of_rotation.as_ref().map(|cause| match cause.kind {
        CauseKind::Cordoned => cause.text.clone(),
        _ => format!("out of rotation: {cause}"),
    }));
    if worker.out_of_rotation.is_none() && worker.cordoned {
        parts.push("cordoned".to_owned());
    }
    if parts.is_empty() { "-".to_owned() } else { parts.join("; ") }
}

fn balancer_row(balancer: &Balancer) -> Vec<Cell> {
    let tone = match balancer.state {
        BalancerState::Running => Tone::Good,
        BalancerState::Starting | BalancerState::Stopping => Tone::Changing,
        BalancerState::Standby => Tone::Bad,
    };
    vec![
        Cell::new(&balancer.address),
        Cell::toned(balancer_state(balancer.state), tone),
        Cell::new(&balancer.dispatch),
        Cell::new(&balancer.policy),
        Cell::new(balancer.queued),
        Cell::maybe((balancer.dispatch != KERNEL).then_some(balancer.connections)),
    ]
}

#[cfg(test)]
pub(in crate::cli) mod tests;
