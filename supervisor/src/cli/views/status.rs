//! `clustermon status`: clusters or workers of them, as a table, as JSON or as an exit code. Those that have ended badly are told of, too.

mod hooks;
mod table;

pub(in crate::cli) use table::head;

use crate::api::{CauseKind, ClusterState, Inspection, Worker, WorkerState};
use crate::cli::connection::at_once;
use crate::cli::connection::target::Whom;
use crate::cli::output::failed::Failed;
use crate::cli::output::out;
use crate::cli::views::json::{Pss, print_json};
use crate::cli::views::seen::{self, Seen, State};
use crate::cli::views::trouble;
use crate::io::control::last_end::LastEnd;
use crate::io::machine::wall_clock;
use crate::io::output::plain::Plain;
use std::time::Duration;
use table::Shown;

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
        let (colours, terminal) = (out::colours(), out::is_terminal());
        loop {
            let seen = self.pss.measure(seen::all(&self.whom)?);
            let code = at_once::code(seen.iter().filter_map(Seen::code));
            if self.quiet {
                let is_as_wanted = |one: &Seen| match &one.state {
                    State::Runs(inspection) => is_as_wanted(inspection),
                    State::Ended(_) | State::Killed(_) | State::Unknown(_) => false,
                };
                return match code {
                    0 if seen.iter().all(is_as_wanted) => Ok(()),
                    code => Err(seen::failure(seen, code.max(1))),
                };
            }
            let text = text(&seen, wall_clock::now(), colours);
            // There is nothing left to watch where none of them runs.
            if !self.watch || !seen.iter().any(Seen::runs) {
                out::print(&text)?;
                return if code == 0 { Ok(()) } else { Err(seen::failure(seen, code)) };
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

/// A cluster that has failed and is gone.
pub(in crate::cli) fn of_end(end: &LastEnd, now: u64, colours: bool) -> String {
    let head = Plain(&format!("{}: {}", end.name, trouble::when_and_why(end, now))).to_string();
    match &end.inspection {
        Some(inspection) => table::one(Shown { inspection, whole: true, now: end.ended_at }, &head, colours),
        None => format!("{head}\n"),
    }
}

/// What is shown of these; nothing of the only one where that could not be asked, for it is told of as a failure.
fn text(seen: &[Seen], now: u64, colours: bool) -> String {
    let shown = |one: &'_ Seen, inspection| Shown { inspection, whole: one.is_whole(), now };
    match seen {
        [one] => match &one.state {
            State::Runs(inspection) => {
                table::one(shown(one, inspection), &table::head(inspection, now), colours)
            }
            State::Ended(end) => of_end(end, now, colours),
            State::Killed(_) | State::Unknown(_) => String::new(),
        },
        _ => {
            let (mut running, mut others) = (Vec::new(), Vec::new());
            for one in seen {
                match &one.state {
                    State::Runs(inspection) => {
                        running.push((one.name.as_str(), Shown { inspection, whole: one.is_whole(), now }))
                    }
                    State::Ended(end) => {
                        others.push((one.label.as_str(), "failed", trouble::when_and_why(end, now)));
                    }
                    State::Killed(failed) | State::Unknown(failed) => {
                        let why = failed.message.clone().unwrap_or_default();
                        let is_killed = matches!(one.state, State::Killed(_));
                        let state = if is_killed { "failed" } else { "unknown" };
                        others.push((one.label.as_str(), state, why));
                    }
                }
            }
            table::several(&running, &others, colours)
        }
    }
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

#[cfg(test)]
pub(in crate::cli) mod tests;
