//! Answers who asks for the last lines that workers and the supervisor wrote. It keeps none itself, and reads no file.

use super::super::Shell;
use super::super::os::Os;
use super::waits::Asker;
use crate::api::{Logs, Reply, Target};

impl<O: Os> Shell<O> {
    /// Answers by the last lines; who follows, by a control socket, gets what is written from then on.
    pub(super) fn answer_by_lines(&mut self, asker: Asker, target: &Target, lines: u32, follow: bool) {
        if let Err(failure) = self.slots(target) {
            return self.tell(asker, &Err(failure));
        }
        let worker = match target {
            Target::Cluster => None,
            Target::Worker(id) => Some(id.as_str()),
        };
        let (lines, next) = self.recent.last(lines as usize, worker);
        let logs = Logs { lines, captured: self.outputs.are_captured() };
        match (asker, &mut self.control) {
            (Asker::Client(client), Some(control)) if follow => {
                control.reply_and_go_on(client, logs, (next, worker.map(str::to_owned)));
            }
            (asker, _) => self.tell(asker, &Ok(Reply::Logs(logs))),
        }
    }

    /// What was written since goes to those who follow.
    pub(in crate::event_loop) fn tell_lines(&mut self) {
        if let Some(control) = &mut self.control {
            control.tell_lines(&self.recent);
        }
    }
}
