//! `clustermon describe`: what a cluster or a worker is and how it is, in words, a subject a line. Numbers to go on with are for `inspect`.

mod cluster;
mod fields;
mod worker;

use crate::api::Inspection;
use crate::cli::connection::at_once;
use crate::cli::connection::target::Whom;
use crate::cli::output::complaint::complain;
use crate::cli::output::failed::Failed;
use crate::cli::output::out;
use crate::cli::views::seen::{self, Seen, State};
use crate::cli::views::status;
use crate::cli::views::status::head;
use crate::io::machine::wall_clock;

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    #[command(flatten)]
    whom: Whom,
}

impl Args {
    pub(in crate::cli) fn run(&self) -> Result<(), Failed> {
        let seen = seen::all(&self.whom)?;
        let now = wall_clock::now();
        let mut texts = Vec::new();
        for one in &seen {
            match &one.state {
                State::Runs(inspection) => texts.push(text(one, inspection, now)),
                State::Ended(end) => texts.push(status::of_end(end, now, out::colours())),
                State::Killed(failed) | State::Unknown(failed) if seen.len() > 1 => {
                    let why = failed.message.as_deref().unwrap_or("it is not known why");
                    complain(format_args!("{}: {why}", one.label));
                }
                State::Killed(_) | State::Unknown(_) => {}
            }
        }
        out::print(&texts.join("\n"))?;
        match at_once::code(seen.iter().filter_map(Seen::code)) {
            0 => Ok(()),
            code => Err(seen::failure(seen, code)),
        }
    }
}

fn text(seen: &Seen, inspection: &Inspection, now: u64) -> String {
    match inspection.workers.first() {
        Some(one) if !seen.is_whole() => worker::text(inspection, one, now),
        _ => format!("{}\n{}", head(inspection, now), cluster::text(inspection, now)),
    }
}

#[cfg(test)]
mod tests;
