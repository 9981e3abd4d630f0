//! The command that has to allow a start or a reload: it is run when the core asks, ended when nobody waits for it any more, and its answer is
//! told.

use super::super::Shell;
use super::super::os::Os;
use super::running::last_words;
use super::state::Asked;
use crate::api::{Event, GateReport, GateState};
use crate::error::Error;
use crate::io::hook_commands::Finished;
use crate::io::output::plain::Plain;
use crate::pool::{Gate, Input};

impl<O: Os> Shell<O> {
    /// Runs the command that is to allow this.
    pub(in crate::event_loop) fn ask_gate(&mut self, gate: Gate) {
        let options = &self.config.settings.hook_commands;
        let (hook, command, version) = match gate {
            Gate::Start => ("before_start", options.before_start.clone(), self.pool.version()),
            Gate::Reload { version, .. } => ("before_reload", options.before_reload.clone(), version),
        };
        // The core asks only where there is one.
        let Some(command) = command else { return self.pool.handle(self.now, Input::Allowed { gate }) };
        let event =
            Event::Hook { hook: hook.to_owned(), state: GateState::Running, cause: None, output: Vec::new() };
        let Some(mut job) = self.job(hook, command.clone(), &event) else { return };
        if let Some(template) = self.launching.templates.get(&version) {
            // It is to find what it is run for.
            job.template = template.for_hooks();
        }
        log::info!("{hook}: running {}", Plain(&command.to_string()));
        let number = job.number;
        let command = command.to_string();
        self.hook_commands.asked = Some(Asked { gate, hook, command, number, since: self.now });
        self.publish(&event);
        if let Err(error) = self.hook_commands.runner.run_now(job) {
            self.hook_commands.asked = None;
            self.deny(gate, hook, &format!("no thread could be started: {error}"), Vec::new());
        }
    }

    /// Nobody waits for the answer any more.
    pub(in crate::event_loop) fn drop_gate(&mut self, gate: Gate) {
        if let Some(asked) = self.hook_commands.asked.take_if(|asked| asked.gate == gate) {
            log::info!("{}: ended, as nobody waits for it any more", asked.hook);
            self.hook_commands.runner.end(asked.number);
        }
    }

    /// A run has ended, which may be the one that is waited for.
    pub(super) fn has_answered(&mut self, finished: Finished) {
        let Finished { number, hook, command, fault, last_lines, took } = finished;
        let Some(asked) = self.hook_commands.asked.take_if(|asked| asked.number == number) else { return };
        let gate = asked.gate;
        match fault {
            None => {
                log::info!("{hook}: done after {} ms", took.as_millis());
                self.publish(&Event::Hook {
                    hook: hook.to_owned(),
                    state: GateState::Done,
                    cause: None,
                    output: Vec::new(),
                });
                self.input(Input::Allowed { gate });
            }
            Some(fault) => {
                self.deny(gate, hook, &format!("{command} {fault}{}", last_words(&last_lines)), last_lines);
                self.carry_out();
            }
        }
    }

    fn deny(&mut self, gate: Gate, hook: &str, why: &str, output: Vec<String>) {
        let error = format!("{hook}: {}", Plain(why));
        let cause = Some(error.clone());
        let told = output.clone();
        self.publish(&Event::Hook { hook: hook.to_owned(), state: GateState::Failed, cause, output });
        match gate {
            Gate::Start => self.hook_commands.denied = Some(Error::BeforeStart { what: error.clone() }),
            Gate::Reload { .. } => self.hook_commands.last_lines = told,
        }
        self.pool.handle(self.now, Input::Denied { gate, error });
    }

    pub(super) fn describe_asked(&self, asked: &Asked) -> GateReport {
        let (hook, command) = (asked.hook.to_owned(), asked.command.clone());
        GateReport { hook, command, since: self.wall_clock.wall(asked.since) }
    }
}
