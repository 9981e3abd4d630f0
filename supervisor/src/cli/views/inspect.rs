//! `clustermon inspect`: all that is known of a cluster or a worker of it, as JSON. It measures by itself what the supervisor does not.

use crate::api::Inspection;
use crate::cli::connection::target::Whom;
use crate::cli::output::failed::{ABSENT, Failed};
use crate::cli::output::out;
use crate::io::output::plain;
use crate::io::process::pss::pss;
use serde::Serialize;

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    #[command(flatten)]
    whom: Whom,
    #[command(flatten)]
    pss: Pss,
}

#[derive(Debug, clap::Args)]
pub(super) struct Pss {
    /// Measure each worker's proportional memory too: this takes the kernel about 13 ms for each GiB, and a worker that
    /// maps memory meanwhile waits
    #[arg(long)]
    pss: bool,
}

impl Pss {
    /// In this process, not in the supervisor.
    pub(super) fn measure(&self, mut inspection: Inspection) -> Inspection {
        for worker in inspection.workers.iter_mut().filter(|_| self.pss) {
            worker.pss = pss(worker.pids());
        }
        inspection
    }
}

impl Args {
    pub(in crate::cli) fn run(&self) -> Result<(), Failed> {
        print_json(&self.whom, &self.pss)
    }
}

/// The cluster, with no other worker than the one that was asked for, if one was.
pub(super) fn chosen(whom: &Whom) -> Result<Inspection, Failed> {
    let mut inspection = whom.connect()?.inspect()?;
    if let Some(id) = &whom.target.id {
        if !inspection.workers.iter().any(|worker| worker.id == *id) {
            let known: Vec<_> = inspection.workers.iter().map(|worker| worker.id.as_str()).collect();
            return Err(Failed::new(ABSENT, format!("no worker {id}; there are {}", known.join(", "))));
        }
        inspection.workers.retain(|worker| worker.id == *id);
    }
    Ok(inspection)
}

pub(super) fn print_json(whom: &Whom, pss: &Pss) -> Result<(), Failed> {
    let mut inspection = pss.measure(chosen(whom)?);
    match (&whom.target.id, inspection.workers.pop()) {
        (Some(_), Some(worker)) => json(&worker),
        (_, worker) => {
            inspection.workers.extend(worker);
            json(&inspection)
        }
    }
}

fn json(value: &impl Serialize) -> Result<(), Failed> {
    let text = serde_json::to_string_pretty(value);
    let text = text.map_err(|error| Failed::new(1, format!("this is no JSON: {error}")))?;
    out::print(&format!("{}\n", plain::json(&text)))
}
