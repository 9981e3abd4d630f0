//! One worker in words: its process, how it is, how it ended before, and what it takes. It asks nobody.

use super::fields::Fields;
use crate::api::{Inspection, Worker};
use crate::cli::output::table::span;
use crate::cli::views::events::worker_state;
use crate::cli::views::{launch, trouble};
use crate::io::output::stamp;
use crate::io::process::limits;

pub(super) fn text(inspection: &Inspection, worker: &Worker, now: u64) -> String {
    let ago = |at: u64| span(now.saturating_sub(at));
    let left = |at: u64| span(at.saturating_sub(now));
    let mut fields = Fields::default();
    let pid = worker.pid.map(|pid| format!(", pid {pid}"));
    let up = worker.pid.and(worker.started_at).map(|at| format!(", up {}", ago(at)));
    let state = worker_state(worker.state);
    let head = format!(
        "{}/{}: {state}{}{}\n",
        inspection.name,
        worker.id,
        pid.unwrap_or_default(),
        up.unwrap_or_default()
    );
    fields.add("command", launch::command(&inspection.launch));
    fields.add("started", worker.pid.and(worker.started_at).map(stamp::of));
    fields.add("why", worker.reason.clone());
    fields.add("starts in", worker.starting_at.map(left));
    fields.add("start timeout", worker.start_timeout_at.map(|at| format!("{} left", left(at))));
    fields.add("told to stop", worker.stop_requested_at.map(|at| format!("{} ago", ago(at))));
    fields.add("killed in", worker.force_stop_at.map(left));
    let others = worker.members.iter().filter(|member| Some(**member) != worker.pid).map(u32::to_string);
    fields.add("also listen", Some(others.collect::<Vec<_>>().join(", ")));
    fields.add("suspended", worker.suspended.clone());
    fields.add("says", worker.status_text.clone());
    fields.add("out of rotation", worker.out_of_rotation.as_ref().map(ToString::to_string));
    fields.add("not well", trouble::descriptors(worker).or_else(|| trouble::busy(worker)));
    fields.add("restarts", worker.restarts.to_string());
    fields.add("last end", worker.last_exit.clone());
    let serves = inspection.load_balancers.iter().filter(|balancer| balancer.rotation.contains(&worker.id));
    fields.add_all("serves", serves.map(|balancer| balancer.address.clone()));
    let open = worker.open_connections.map(|open| format!(", {open} of them open"));
    fields.add("connections", format!("{}{}", worker.connections, open.unwrap_or_default()));
    fields.add("uses", worker.pid.and_then(|pid| uses(worker, pid)));
    head + &fields.text() + &trouble::words(inspection, now)
}

/// What the last pulse has found.
fn uses(worker: &Worker, pid: u32) -> Option<String> {
    let pulse = worker.health?;
    let limit = limits::descriptors(pid).map(|limit| format!(" of {limit}"));
    Some(format!(
        "{}.{}% of a processor, {} MiB, {} threads, {}{} descriptors",
        pulse.cpu_permille / 10,
        pulse.cpu_permille % 10,
        pulse.rss >> 20,
        pulse.threads,
        pulse.descriptors,
        limit.unwrap_or_default()
    ))
}
