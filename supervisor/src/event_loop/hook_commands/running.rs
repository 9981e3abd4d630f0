//! Which commands are run when something happens, and what has come of them. It never waits: what cannot be taken now is counted.

use super::super::Shell;
use super::super::os::Os;
use crate::api::{CauseKind, ClusterState, Event, HookFailure, HookReport, WorkerState};
use crate::config::{CommandLine, HookEvent};
use crate::io::control::wire;
use crate::io::hook_commands::runner::{MOST, NotRun};
use crate::io::hook_commands::{Finished, Job};
use crate::io::output::plain::Plain;

/// So many of the last lines stand in a sentence.
const SHOWN: usize = 3;

/// What commands can be run on, that this is.
fn hook_event(event: &Event) -> Option<HookEvent> {
    match event {
        Event::Cluster { state: ClusterState::Running } => Some(HookEvent::Start),
        Event::Cluster { state: ClusterState::Stopping } => Some(HookEvent::Draining),
        Event::Standby { .. } => Some(HookEvent::Stop),
        Event::Worker { state: WorkerState::Running, .. } => Some(HookEvent::WorkerReady),
        Event::Worker { state: WorkerState::Standby, .. } => Some(HookEvent::WorkerExit),
        Event::Worker {
            state: WorkerState::Stopping,
            kind: Some(CauseKind::Hung | CauseKind::Unwell | CauseKind::StartTimeout),
            ..
        }
        | Event::Rotation { in_rotation: false, kind: Some(CauseKind::Lag | CauseKind::Stuck), .. } => {
            Some(HookEvent::Unhealthy)
        }
        Event::Reload { outcome, .. } if outcome == "failed" => Some(HookEvent::ReloadFailed),
        _ => None,
    }
}

impl<O: Os> Shell<O> {
    /// Has the commands run that are for this event.
    pub(in crate::event_loop) fn run_hooks(&mut self, event: &Event) {
        if self.config.settings.hook_commands.on.is_empty() {
            return;
        }
        let Some(hook) = hook_event(event) else { return };
        match hook {
            HookEvent::Start => self.hook_commands.has_begun = true,
            HookEvent::Draining => self.hook_commands.stopping_since = Some(self.now),
            // It is told of at the very end: see `finishing`.
            HookEvent::Stop => return,
            _ => {}
        }
        if !self.hook_commands.has_begun {
            return;
        }
        let commands: Vec<CommandLine> = self.config.settings.hook_commands.of(hook).cloned().collect();
        for command in commands {
            let Some(job) = self.job(hook.as_str(), command, event) else { continue };
            match self.hook_commands.runner.enqueue(job) {
                Ok(()) => self.reports.is_news = true,
                Err(refused) => self.not_run(hook.as_str(), &refused),
            }
        }
    }

    fn not_run(&mut self, hook: &str, refused: &NotRun) {
        self.hook_commands.dropped += 1;
        self.reports.is_news = true;
        if let Some(hushed) = self.hook_commands.drops.ask(self.now) {
            match refused {
                NotRun::Full => log::warn!(
                    "hook {hook}: not run, as {MOST} runs of its command wait already; {} were dropped so far{hushed}",
                    self.hook_commands.dropped
                ),
                NotRun::Os(error) => log::warn!("hook {hook}: not run: {error}{hushed}"),
            }
        }
    }

    /// One run of a command, told of the event. `None` where workers are of no version, which is never so.
    pub(super) fn job(&mut self, hook: &'static str, command: CommandLine, event: &Event) -> Option<Job> {
        let template = self.launching.templates.get(&self.pool.version());
        let template = template.or_else(|| self.launching.templates.values().next())?;
        let template = template.for_hooks();
        self.hook_commands.last_number += 1;
        Some(Job {
            number: self.hook_commands.last_number,
            hook,
            command,
            template,
            cluster: self.config.name.clone(),
            input: wire::hook(&self.config.name, hook, event, self.wall_clock.wall(self.now)),
            limit: self.config.settings.hook_commands.hook_timeout,
        })
    }

    /// Takes in what has come of runs that have ended.
    pub(in crate::event_loop) fn on_hooks(&mut self) {
        while let Some(finished) = self.hook_commands.runner.next() {
            self.has_run(finished);
        }
    }

    pub(super) fn has_run(&mut self, finished: Finished) {
        self.reports.is_news = true;
        let Finished { hook, command, fault, took, .. } = &finished;
        match fault {
            None => {
                self.hook_commands.done += 1;
                log::debug!("hook {hook}: {command} has ended well after {} ms", took.as_millis());
            }
            Some(fault) => {
                self.hook_commands.failed += 1;
                let cause = format!("{command} {fault}");
                log::warn!("hook {hook}: {}", Plain(&cause));
                let at = self.wall_clock.wall(self.now);
                self.hook_commands.last_failure = Some(HookFailure { at, hook: (*hook).to_owned(), cause });
            }
        }
        self.has_answered(finished);
    }

    /// How hooks are doing; `None` where there are none.
    pub(in crate::event_loop) fn hook_report(&self) -> Option<Box<HookReport>> {
        let options = &self.config.settings.hook_commands;
        let is_any =
            !options.on.is_empty() || options.before_start.is_some() || options.before_reload.is_some();
        is_any.then(|| {
            let hooks = &self.hook_commands;
            Box::new(HookReport {
                done: hooks.done,
                failed: hooks.failed,
                dropped: hooks.dropped,
                under_way: hooks.runner.under_way(),
                gate: hooks.asked.as_ref().map(|asked| self.describe_asked(asked)),
                last_failure: hooks.last_failure.clone(),
            })
        })
    }
}

/// What a command wrote last, for the end of a sentence.
pub(super) fn last_words(lines: &[String]) -> String {
    match lines {
        [] => String::new(),
        lines => format!(": {}", lines[lines.len().saturating_sub(SHOWN)..].join(" | ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_told_from_each_other() {
        let worker =
            |state, kind| hook_event(&Event::Worker { id: "0".into(), state, pid: None, cause: None, kind });
        assert_eq!(worker(WorkerState::Running, None), Some(HookEvent::WorkerReady));
        assert_eq!(worker(WorkerState::Standby, Some(CauseKind::Signal)), Some(HookEvent::WorkerExit));
        assert_eq!(worker(WorkerState::Stopping, Some(CauseKind::Hung)), Some(HookEvent::Unhealthy));
        assert_eq!(worker(WorkerState::Stopping, Some(CauseKind::Reload)), None);
        assert_eq!(worker(WorkerState::Starting, None), None);
        let out = |in_rotation, kind| {
            let (id, address, cause) = ("0".to_owned(), String::new(), String::new());
            hook_event(&Event::Rotation { id, address, in_rotation, cause, kind })
        };
        assert_eq!(out(false, Some(CauseKind::Lag)), Some(HookEvent::Unhealthy));
        assert_eq!(out(false, Some(CauseKind::Cordoned)), None);
        assert_eq!(out(true, None), None);
        let reload = |outcome: &str| {
            hook_event(&Event::Reload { outcome: outcome.into(), cause: None, stderr: Vec::new() })
        };
        assert_eq!((reload("failed"), reload("aborted")), (Some(HookEvent::ReloadFailed), None));
    }

    #[test]
    fn the_last_words_are_few() {
        let lines: Vec<String> = (0..9).map(|number| number.to_string()).collect();
        assert_eq!(last_words(&lines), ": 6 | 7 | 8");
        assert_eq!(last_words(&[]), "");
    }
}
