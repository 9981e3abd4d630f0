//! What a cluster that did not end well leaves behind for people: why, and how its workers were. It ends nothing.

use super::super::Shell;
use super::super::os::Os;
use super::endings::ending;
use crate::io::control::last_end::LastEnd;
use crate::pool::Outcome;

impl<O: Os> Shell<O> {
    /// The exit code and the cause, where the cluster did not just end as it was to.
    pub(in crate::event_loop) fn what_went_wrong(&self, outcome: Outcome) -> Option<(u8, String)> {
        let cause = match outcome {
            Outcome::Stopped | Outcome::Finished => return None,
            Outcome::Exhausted => {
                let last = self.pool.workers().find_map(|worker| self.last_exit(worker.id()));
                let last = last.map_or_else(String::new, |last| format!("; the last end of one: {last}"));
                format!("the restarts of every worker are spent{last}")
            }
            Outcome::NeverStarted { exit: None, .. } => "no worker could be started".to_owned(),
            Outcome::NeverStarted { worker, exit: Some(exit) } => {
                // The cause says more than the end, where it is known.
                let last = self.last_exit(worker).unwrap_or_else(|| ending(&exit));
                let wrote = self.reports.causes.last_stderr(worker).pop();
                let wrote =
                    wrote.map_or_else(String::new, |line| format!("; it wrote last: {}", line.trim()));
                format!(
                    "no worker has come so far as to listen, and each has exited; the last: {last}{wrote}"
                )
            }
        };
        Some((outcome.code(), cause))
    }

    /// Leaves word of the end beside the control socket, if there is one; or of none, where all went well.
    pub(in crate::event_loop) fn leave_word(&self, wrong: Option<(u8, String)>) {
        let Some(control) = &self.control else { return };
        let end =
            wrong.map(|(code, cause)| LastEnd::now(&self.config.name, code, cause, Some(self.inspection())));
        control.leave_word(end.as_ref());
    }
}
