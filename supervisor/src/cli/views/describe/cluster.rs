//! A whole cluster in words: what it runs and with which options, versions, files, listeners, restarts and what it takes. It asks nobody.

use super::fields::Fields;
use crate::api::{Balancer, Inspection, Launch, Worker};
use crate::cli::output::shell::quoted;
use crate::cli::output::table::span;
use crate::cli::views::events::balancer_state;
use crate::cli::views::{launch, schedules, trouble};
use crate::io::output::stamp;
use nix::sys::utsname::uname;
use std::ffi::OsStr;

/// So many workers are spoken of one by one.
const MOST: usize = 10;

pub(super) fn text(inspection: &Inspection, now: u64) -> String {
    let Inspection { launch, workers, load_balancers, .. } = inspection;
    let mut fields = Fields::default();
    fields.add("command", launch::command(launch));
    fields.add("directory", launch.directory.clone());
    fields.add_all("options", options(launch));
    fields.add_all("versions", versions(launch));
    fields.add("log", launch::log(launch));
    fields.add("control", launch.control.clone());
    fields.add("started", inspection.started_at.map(stamp::of));
    fields.add("listeners", launch.intercept.as_ref().map(|how| taken_in(how, launch)));
    fields.add_all("addresses", load_balancers.iter().flat_map(address));
    fields.add("uses", uses(workers));
    fields.add("restarts", restarts(workers));
    fields.add_all("last ends", few(workers.iter().filter_map(|worker| last_end(worker, now))));
    fields.add_all("not well", few(workers.iter().filter_map(not_well)));
    fields.add("last reload", last_reload(inspection, now));
    fields.add_all("scheduled", schedules::lines(launch, now));
    fields.text() + &trouble::words(inspection, now)
}

/// As they would be written; of variables only the file is an option.
fn options(launch: &Launch) -> Vec<String> {
    let written = launch.options.iter().map(|(name, value)| match value.as_str() {
        "true" => format!("--{name}"),
        value => format!("--{name} {}", quoted(OsStr::new(value))),
    });
    let all: Vec<String> = written.collect();
    if all.is_empty() && launch.version.is_some() { vec!["all as by default".to_owned()] } else { all }
}

/// Of the supervisor, and of this program where that is another; of the library and the kernel.
fn versions(launch: &Launch) -> Vec<String> {
    let own = env!("CARGO_PKG_VERSION");
    let mut versions = vec![match launch.version.as_deref() {
        Some(theirs) if theirs == own => format!("clustermon {own}"),
        Some(theirs) => format!("clustermon {theirs}; this command line is of {own}"),
        None => format!("an older clustermon, which does not say; this command line is of {own}"),
    }];
    let protocol = launch.thunk_protocol.map(|version| format!(", protocol {version}"));
    let thunk = launch.thunk.as_ref();
    versions.extend(thunk.map(|path| format!("library {path}{}", protocol.unwrap_or_default())));
    versions.extend(
        uname()
            .ok()
            .map(|name| format!("{} {}", name.sysname().to_string_lossy(), name.release().to_string_lossy())),
    );
    versions
}

fn taken_in(how: &str, launch: &Launch) -> String {
    let way = match how {
        "preload" => "by the preloaded library",
        "seccomp" => "by a seccomp filter",
        other => other,
    };
    let because = launch.intercept_reason.as_deref().filter(|because| !because.is_empty());
    format!("{way}{}", because.map_or_else(String::new, |because| format!(": {because}")))
}

fn address(balancer: &Balancer) -> Vec<String> {
    let Balancer { address, state, dispatch, policy, queued, backlog, connections, .. } = balancer;
    let queue = if *backlog > 0 { format!(", {queued} of {backlog} wait") } else { String::new() };
    let state = balancer_state(*state);
    let what =
        format!("{address}: {state}, dispatch {dispatch}, policy {policy}{queue}, {connections} connections");
    let reason = balancer.dispatch_reason.as_ref().map(|reason| format!("  {reason}"));
    [what].into_iter().chain(reason).collect()
}

/// Processor and memory of all workers together, where pulses are taken.
fn uses(workers: &[Worker]) -> Option<String> {
    let pulses: Vec<_> =
        workers.iter().filter(|worker| worker.pid.is_some()).filter_map(|worker| worker.health).collect();
    let cpu: u64 = pulses.iter().map(|pulse| pulse.cpu_permille).sum();
    let memory: u64 = pulses.iter().map(|pulse| pulse.rss).sum();
    let told = format!("{}.{}% of a processor, {} MiB", cpu / 10, cpu % 10, memory >> 20);
    (!pulses.is_empty()).then_some(told)
}

fn restarts(workers: &[Worker]) -> String {
    let all: u64 = workers.iter().map(|worker| worker.restarts).sum();
    let mut most: Vec<&Worker> = workers.iter().filter(|worker| worker.restarts > 0).collect();
    most.sort_by_key(|worker| std::cmp::Reverse(worker.restarts));
    let each: Vec<_> =
        most.iter().take(MOST).map(|worker| format!("{} of worker {}", worker.restarts, worker.id)).collect();
    if each.is_empty() { all.to_string() } else { format!("{all}: {}", each.join(", ")) }
}

fn last_end(worker: &Worker, now: u64) -> Option<String> {
    let end = worker.last_exit.as_ref()?;
    let since = worker
        .pid
        .and(worker.started_at)
        .map(|at| format!("; its process is up {}", span(now.saturating_sub(at))));
    Some(format!("worker {}: {end}{}", worker.id, since.unwrap_or_default()))
}

fn not_well(worker: &Worker) -> Option<String> {
    let out = worker.out_of_rotation.as_ref().map(|cause| format!("out of rotation: {cause}"));
    let what = out.or_else(|| trouble::descriptors(worker)).or_else(|| trouble::busy(worker))?;
    Some(format!("worker {}: {what}", worker.id))
}

fn last_reload(inspection: &Inspection, now: u64) -> Option<String> {
    let last = inspection.last_reload.as_ref()?;
    let ago = span(now.saturating_sub(last.ended_at));
    let cause = last.cause.as_ref().map_or_else(String::new, |cause| format!(": {cause}"));
    Some(format!("{}, {ago} ago{cause}", last.outcome))
}

/// The first ones, and how many more there are.
fn few(lines: impl Iterator<Item = String>) -> Vec<String> {
    let mut lines: Vec<_> = lines.collect();
    let more = lines.len().saturating_sub(MOST);
    lines.truncate(MOST);
    lines.extend((more > 0).then(|| format!("and of {more} more: see `clustermon status`")));
    lines
}
