//! The end of a cluster as its hooks see it: those for its rest are run, and all that still run are ended in time. It is the one place where
//! hooks are waited for, and nobody is served any more by then.

use super::super::Shell;
use super::super::os::Os;
use super::super::report::announce::rest;
use crate::config::{CommandLine, HookEvent};
use crate::io::events::signals::{Event, Signals};
use crate::pool::Outcome;
use std::time::{Duration, Instant};

/// How long those may take that were to be run before.
const OTHERS: Duration = Duration::from_secs(2);
/// What those for the rest have at least, also where the stop has used up its time.
const LEAST: Duration = Duration::from_millis(500);
/// From the order to end until all have ended, with something to spare.
const END: Duration = Duration::from_secs(2);
/// How long one of several is waited for.
const STEP: Duration = Duration::from_millis(50);

impl<O: Os> Shell<O> {
    /// The cluster has come to rest. Bounded in time; a signal that asks for the end ends the hooks at once.
    pub(in crate::event_loop) fn finish_hooks(&mut self, outcome: Outcome) {
        let begun = self.os.now();
        let stops = self.begin_stop_hooks(outcome);
        let mut ends_at = self.hooks_end_at(begun);
        let mut others_end_at = ends_at.min(begun + OTHERS);
        let mut is_ended = [false; 2];
        while !self.hook_commands.runner.is_idle() {
            self.now = self.os.now();
            self.reports.notifier.handle_timeout(self.now);
            if self.is_told_again() {
                (ends_at, others_end_at) = (self.now.min(ends_at), self.now.min(others_end_at));
            }
            if others_end_at <= self.now && !std::mem::replace(&mut is_ended[0], true) {
                self.hook_commands.runner.end_queued();
            }
            if ends_at <= self.now && !std::mem::replace(&mut is_ended[1], true) {
                stops.iter().for_each(|number| self.hook_commands.runner.end(*number));
            }
            if ends_at + END <= self.now {
                log::warn!("a hook could not be ended");
                break;
            }
            if let Some(finished) = self.hook_commands.runner.wait(STEP) {
                self.has_run(finished);
            }
        }
    }

    fn begin_stop_hooks(&mut self, outcome: Outcome) -> Vec<u64> {
        let mut numbers = Vec::new();
        if !self.hook_commands.has_begun {
            return numbers;
        }
        let event = rest(outcome);
        let commands = self.config.settings.hook_commands.of(HookEvent::Stop);
        for command in commands.cloned().collect::<Vec<CommandLine>>() {
            let Some(job) = self.job(HookEvent::Stop.as_str(), command, &event) else { continue };
            let number = job.number;
            match self.hook_commands.runner.run_now(job) {
                Ok(()) => numbers.push(number),
                Err(error) => log::warn!("hook stop: not run: {error}"),
            }
        }
        numbers
    }

    /// When hooks have had their time: their own, and no longer than the whole stop may take.
    fn hooks_end_at(&self, begun: Instant) -> Instant {
        let own = begun + self.config.settings.hook_commands.hook_timeout;
        let stop = self.config.settings.stop.shutdown_within();
        match (self.hook_commands.stopping_since, stop) {
            (Some(since), Some(limit)) => own.min((since + limit).max(begun + LEAST)),
            _ => own,
        }
    }

    /// Somebody asks for the end again.
    fn is_told_again(&self) -> bool {
        let mut is_told = false;
        while let Some(event) = self.signals.as_ref().and_then(Signals::next) {
            is_told |= matches!(event, Event::Stop(_));
        }
        is_told
    }
}
