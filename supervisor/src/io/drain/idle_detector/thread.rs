//! The thread that looks: when to look again, and what is worth a report. All watched workers are looked at together, so
//! that the kernel's tables are read once for all.

use super::snapshot::{self, Entry, LookOutcome};
use super::{DetectorCommand, Report};
use crate::ids::WorkerId;
use crossbeam_channel::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

/// Time between two looks.
const SHORTEST: Duration = Duration::from_millis(20);
const LONGEST: Duration = Duration::from_millis(250);
/// A look may take this part of the time.
const SHARE: u32 = 10;
/// Looks less than this apart are one.
const LEAST: Duration = Duration::from_millis(1);

/// Ends when nobody can give commands any more, or `report` answers false.
pub(super) fn run(commands: &Receiver<DetectorCommand>, mut report: impl FnMut(WorkerId, Report) -> bool) {
    let mut entries: Vec<Entry> = Vec::new();
    let mut due: Option<Instant> = None;
    loop {
        let first = match due {
            Some(due) => commands.recv_deadline(due),
            None => commands.recv().map_err(|_| RecvTimeoutError::Disconnected),
        };
        match first {
            Ok(first) => {
                let mut fresh = apply(first, &mut entries);
                for command in commands.try_iter() {
                    fresh |= apply(command, &mut entries);
                }
                if !fresh && due.is_some_and(|due| now() < due) && !entries.is_empty() {
                    continue;
                }
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
        let begin = now();
        let outcomes = snapshot::at_all(&mut entries, begin);
        let end = now();
        due = outcomes
            .iter()
            .filter(|outcome| !outcome.report.quiet)
            .map(|outcome| next(outcome, begin, end))
            .min();
        let mut outcomes = outcomes.into_iter();
        let mut all_told = true;
        entries.retain_mut(|entry| {
            // There is one for each entry, in their order.
            let Some(LookOutcome { report: found, .. }) = outcomes.next() else { return true };
            let quiet = found.quiet;
            if entry.told.as_ref() != Some(&found) {
                entry.told = Some(found.clone());
                all_told &= report(entry.watched.worker, found);
            }
            !quiet
        });
        if !all_told {
            return;
        }
    }
}

/// True if there is something to look at at once.
fn apply(command: DetectorCommand, entries: &mut Vec<Entry>) -> bool {
    match command {
        DetectorCommand::Watch(watched) => {
            entries.retain(|entry| entry.watched.worker != watched.worker);
            entries.push(Entry::new(*watched));
            return true;
        }
        DetectorCommand::Update(worker, pids) => {
            if let Some(entry) = entries.iter_mut().find(|entry| entry.watched.worker == worker) {
                entry.watched.pids = pids;
            }
        }
        DetectorCommand::Forget(worker) => entries.retain(|entry| entry.watched.worker != worker),
    }
    false
}

/// When to look again at a worker that is not quiet.
fn next(outcome: &LookOutcome, begin: Instant, end: Instant) -> Instant {
    let usual = end + ((end - begin) * SHARE).clamp(SHORTEST, LONGEST);
    // Where only time is missing, it is known how much.
    outcome.in_time.map_or(usual, |missing| usual.min((begin + missing).max(end + LEAST)))
}

#[expect(clippy::disallowed_methods, reason = "this thread paces itself; the loop's clock is not its own")]
fn now() -> Instant {
    Instant::now()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looks_cost_a_tenth_of_the_time_and_hit_the_end_of_the_silence() {
        let begin = now();
        let ms = Duration::from_millis;
        let report = Report { connections: 1, busy: 1, quiet: false, blind: None };
        let at = |in_time, cost: u64| {
            next(&LookOutcome { report: report.clone(), in_time }, begin, begin + ms(cost)) - begin
        };
        assert_eq!(at(None, 0), ms(20));
        assert_eq!(at(None, 10), ms(110));
        assert_eq!(at(None, 100), ms(350));
        assert_eq!(at(Some(ms(7)), 0), ms(7));
        assert_eq!(at(Some(ms(7)), 100), ms(101));
        assert_eq!(at(Some(ms(700)), 0), ms(20));
    }
}
