//! What `status` shows of clusters: lines on each, and tables of workers and load balancers. It asks nobody.

use super::hooks;
use crate::api::{
    Balancer, BalancerState, Beside, CauseKind, Draining, Inspection, LastReload, Rollout, Worker,
    WorkerState,
};
use crate::cli::output::table::{Cell, Column, Tone, render, span};
use crate::cli::views::events::{balancer_state, cluster_state, worker_state};
use crate::cli::views::{launch, schedules, trouble};
use crate::io::output::plain::Plain;

/// Nobody but the kernel sees connections of such a balancer.
const KERNEL: &str = "kernel";

/// What is known of one cluster, for the lines and rows on it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shown<'a> {
    pub(super) inspection: &'a Inspection,
    /// It is about the cluster and not about some of its workers.
    pub(super) whole: bool,
    /// Milliseconds since the Unix epoch: when it was so.
    pub(super) now: u64,
}

/// One cluster: lines on it unless a worker of it was asked for, its workers, its load balancers.
pub(super) fn one(shown: Shown<'_>, head: &str, colours: bool) -> String {
    let Shown { inspection, whole, now } = shown;
    let mut text = String::new();
    if whole {
        text = format!("{head}\n");
        text.push_str(&launch::lines(&inspection.launch));
        text.push_str(&changes(inspection, now));
    }
    text.push_str(&workers(&[("", shown)], &[], colours));
    if whole && !inspection.load_balancers.is_empty() {
        text.push('\n');
        text.push_str(&balancers(&[("", shown)], colours));
    }
    text.push_str(&trouble::words(inspection, now));
    text
}

/// Several clusters in one table, under the names that they have there, and what became of those that could not be asked.
pub(super) fn several(shown: &[(&str, Shown<'_>)], others: &[(&str, &str, String)], colours: bool) -> String {
    let mut text = workers(shown, others, colours);
    if shown.iter().any(|(_, shown)| shown.whole && !shown.inspection.load_balancers.is_empty()) {
        text.push('\n');
        text.push_str(&balancers(shown, colours));
    }
    for (name, Shown { inspection, now, .. }) in shown {
        // Where it is nobody asks who sees many.
        if launch::faults_of_log(&inspection.launch).is_some() {
            let log = launch::log(&inspection.launch).unwrap_or_default();
            text.push_str(&format!("{name}: log: {}\n", Plain(&log)));
        }
        let more = changes(inspection, *now) + &trouble::words(inspection, *now);
        let lines = more.lines().filter(|line| !line.is_empty());
        text.extend(lines.map(|line| format!("{name}: {line}\n")));
    }
    text
}

/// The first line on a cluster that runs.
pub(in crate::cli) fn head(inspection: &Inspection, now: u64) -> String {
    let up = inspection.started_at.map(|at| format!(", up {}", span(now.saturating_sub(at))));
    format!(
        "{}: {}, pid {}{}, {} of {} workers running",
        inspection.name,
        cluster_state(inspection.state),
        inspection.pid,
        up.unwrap_or_default(),
        inspection.count_running_workers(),
        inspection.count_workers(),
    )
}

/// What is being replaced, and a replacement that came to nothing.
fn changes(inspection: &Inspection, now: u64) -> String {
    let mut text = String::new();
    if let Some(Rollout { purpose, done, under_way, waiting, draining }) = &inspection.rollout {
        let drains = if *draining > 0 { "; old processes drain" } else { "" };
        text.push_str(&format!("{purpose}: {done} done, {under_way} under way, {waiting} waiting{drains}\n"));
    }
    text.extend(inspection.last_reload.as_ref().and_then(|last| last_reload(last, now)));
    text.extend(schedules::lines(&inspection.launch, now).into_iter().map(|line| line + "\n"));
    text.extend(inspection.hooks.as_deref().map(|hooks| hooks::lines(hooks, now)));
    text
}

/// Which of the columns there are that not every cluster has.
#[derive(Clone, Copy, Debug)]
struct Columns {
    seen: bool,
    counted: bool,
    measured: bool,
    sampled: bool,
}

/// The table of workers, each under the name of its cluster where there are several; and those clusters of which no workers are known.
fn workers(shown: &[(&str, Shown<'_>)], others: &[(&str, &str, String)], colours: bool) -> String {
    let all = || shown.iter().flat_map(|(_, shown)| &shown.inspection.workers);
    let balancers = || shown.iter().flat_map(|(_, shown)| &shown.inspection.load_balancers);
    let known = Columns {
        seen: shown.len() != 1 || !balancers().any(|balancer| balancer.dispatch == KERNEL),
        counted: all().any(|worker| worker.open_connections.is_some()),
        measured: all().any(|worker| worker.pss.is_some()),
        sampled: all().any(|worker| worker.health.is_some()),
    };
    let mut columns: Vec<Column> = vec![
        ("ID", false),
        ("STATE", false),
        ("PID", true),
        ("UPTIME", true),
        ("RESTARTS", true),
        ("CONNECTIONS", true),
    ];
    columns.extend(known.counted.then_some(("OPEN", true)));
    columns.extend(known.measured.then_some(("PSS", true)));
    columns.extend([("CPU", true), ("MEMORY", true)].into_iter().filter(|_| known.sampled));
    columns.push(("LAST EXIT", false));
    let mut rows = Vec::new();
    for (name, Shown { inspection, now, .. }) in shown {
        let seen = !inspection.load_balancers.iter().any(|balancer| balancer.dispatch == KERNEL);
        for worker in &inspection.workers {
            let id = if name.is_empty() { worker.id.clone() } else { format!("{name}/{}", worker.id) };
            rows.push(worker_row(&id, worker, Columns { seen: seen && known.seen, ..known }, *now));
            let empty = columns.len() - 5;
            rows.extend(worker.beside.iter().map(|beside| beside_row(&id, beside, empty, *now)));
        }
    }
    for (name, state, why) in others {
        let mut row = vec![Cell::new(name), Cell::toned(state, Tone::Bad)];
        row.extend((3..columns.len()).map(|_| Cell::maybe(None::<&str>)));
        row.push(Cell::new(why));
        rows.push(row);
    }
    render(&columns, &rows, colours)
}

fn balancers(shown: &[(&str, Shown<'_>)], colours: bool) -> String {
    let mut columns: Vec<Column> = vec![
        ("ADDRESS", false),
        ("STATE", false),
        ("DISPATCH", false),
        ("POLICY", false),
        ("QUEUED", true),
        ("CONNECTIONS", true),
    ];
    let named = shown.iter().any(|(name, _)| !name.is_empty());
    columns.splice(0..0, named.then_some(("CLUSTER", false)));
    let mut rows = Vec::new();
    for (name, Shown { inspection, .. }) in shown.iter().filter(|(_, shown)| shown.whole) {
        rows.extend(inspection.load_balancers.iter().map(|balancer| {
            let mut row = balancer_row(balancer);
            row.splice(0..0, named.then(|| Cell::new(name)));
            row
        }));
    }
    render(&columns, &rows, colours)
}

/// A reload that came to nothing, until another has not.
fn last_reload(last: &LastReload, now: u64) -> Option<String> {
    if last.outcome == "done" {
        return None;
    }
    let ago = span(now.saturating_sub(last.ended_at));
    let cause = last.cause.as_deref().unwrap_or(&last.outcome);
    Some(format!("last reload, {ago} ago: {}\n", Plain(cause)))
}

fn worker_row(id: &str, worker: &Worker, columns: Columns, now: u64) -> Vec<Cell> {
    let Columns { seen, counted, measured, sampled } = columns;
    let tone = match worker.state {
        WorkerState::Running if worker.cordoned => Tone::Changing,
        WorkerState::Running => Tone::Good,
        WorkerState::Starting | WorkerState::Stopping => Tone::Changing,
        WorkerState::Standby => Tone::Bad,
    };
    let uptime = worker.pid.and(worker.started_at).map(|at| span(now.saturating_sub(at)));
    let mut row = vec![
        Cell::new(id),
        Cell::toned(if worker.draining.is_some() { "draining" } else { worker_state(worker.state) }, tone),
        Cell::maybe(worker.pid),
        Cell::maybe(uptime),
        Cell::new(worker.restarts),
        Cell::maybe(seen.then_some(worker.connections)),
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
fn beside_row(id: &str, beside: &Beside, empty: usize, now: u64) -> Vec<Cell> {
    let (state, remark) = match &beside.draining {
        Some(draining) => ("draining", drain(draining, now)),
        None if beside.state == WorkerState::Stopping => {
            (worker_state(beside.state), "is replaced".to_owned())
        }
        None => (worker_state(beside.state), "is to take its place".to_owned()),
    };
    let mut row = vec![
        Cell::new(id),
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
    if worker.state == WorkerState::Starting {
        parts.extend(
            worker
                .start_timeout_at
                .map(|at| format!("not ready yet, {} left of its start timeout", left(at))),
        );
    }
    if worker.state == WorkerState::Stopping {
        parts.extend(worker.draining.as_ref().map(|draining| drain(draining, now)));
        parts.extend(worker.forced_stop.then(|| "killed".to_owned()));
        parts.extend(worker.force_stop_at.map(|at| format!("will be killed in {}", left(at))));
    }
    parts.extend(worker.suspended.clone());
    parts.extend(worker.is_debugging.then(|| "debugging".to_owned()));
    parts.extend(trouble::descriptors(worker));
    parts.extend(trouble::busy(worker));
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
