//! Clusters and workers as JSON, for the commands that print them so. It measures by itself what the supervisors do not.

use crate::api::{Inspection, Worker};
use crate::cli::connection::at_once;
use crate::cli::connection::target::Whom;
use crate::cli::output::complaint::complain;
use crate::cli::output::failed::Failed;
use crate::cli::output::out;
use crate::cli::views::seen::{self, Seen, State};
use crate::io::control::last_end::LastEnd;
use crate::io::output::plain;
use crate::io::process::pss::pss;
use serde::Serialize;

#[derive(Debug, clap::Args)]
pub(super) struct Pss {
    /// Measure each worker's proportional memory too: this takes the kernel about 13 ms for each GiB, and a worker that
    /// maps memory meanwhile waits
    #[arg(long)]
    pss: bool,
}

impl Pss {
    /// In this process, not in the supervisor.
    pub(super) fn measure(&self, mut seen: Vec<Seen>) -> Vec<Seen> {
        for one in seen.iter_mut().filter(|_| self.pss) {
            if let State::Runs(inspection) = &mut one.state {
                measure(inspection);
            }
        }
        seen
    }
}

fn measure(inspection: &mut Inspection) {
    for worker in &mut inspection.workers {
        worker.pss = pss(worker.pids());
    }
}

/// One object if one is meant, else an array of them. What could not be asked is told of beside it.
pub(super) fn print_json(whom: &Whom, pss: &Pss) -> Result<(), Failed> {
    let seen = pss.measure(seen::all(whom)?);
    let mut parts = Vec::new();
    for one in &seen {
        match &one.state {
            State::Runs(inspection) => match (one.is_whole(), inspection.workers.first()) {
                (false, Some(worker)) if seen.len() == 1 => parts.push(Part::Worker(worker)),
                _ => parts.push(Part::Cluster(inspection)),
            },
            State::Ended(end) => parts.push(Part::Ended(end)),
            State::Killed(failed) | State::Unknown(failed) if seen.len() > 1 => {
                complain(format_args!("{}: {}", one.label, failed.message.as_deref().unwrap_or("unknown")));
            }
            State::Killed(_) | State::Unknown(_) => {}
        }
    }
    match (&seen[..], &parts[..]) {
        ([_], [only]) => json(only)?,
        ([_], _) => {}
        (_, parts) => json(&parts)?,
    }
    match at_once::code(seen.iter().filter_map(Seen::code)) {
        0 => Ok(()),
        code => Err(seen::failure(seen, code)),
    }
}

/// What is printed of one.
#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Part<'a> {
    Worker(&'a Worker),
    Cluster(&'a Inspection),
    Ended(&'a LastEnd),
}

fn json(value: &impl Serialize) -> Result<(), Failed> {
    let text = serde_json::to_string_pretty(value);
    let text = text.map_err(|error| Failed::new(1, format!("this is no JSON: {error}")))?;
    out::print(&format!("{}\n", plain::json(&text)))
}
