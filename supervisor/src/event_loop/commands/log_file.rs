//! The file that the log goes to, where there is one: opened anew when somebody has moved it away. Workers that write to it
//! themselves hold the old one; nothing here can change that.

use super::super::Shell;
use super::super::os::Os;
use super::waits::{Asker, Emptying, Goal, Wait};
use crate::api::{Failure, Reply};
use crate::config::Capture;
use crate::io::output::log_file::place;
use crate::io::output::streams;
use std::time::Duration;

/// How long a file may take to be empty: what is still to be written comes first.
const EMPTIED: Duration = Duration::from_secs(5);

impl<O: Os> Shell<O> {
    /// Opens the file anew; refused if there is none.
    pub(super) fn reopen_log(&mut self) -> Result<(), Failure> {
        let refused = |what: String| Failure::Refused { what };
        match place::reopen() {
            Ok(Some(path)) => {
                log::info!("the log is {} again", path.display());
                if self.config.settings.output.capture == Capture::Inherit {
                    log::info!(
                        "workers that run go on writing to the old file until a reload gives each a new process; \
                         with --capture they would not"
                    );
                }
                Ok(())
            }
            Ok(None) => {
                Err(refused("there is no log to open anew: the cluster runs without --log".to_owned()))
            }
            Err(error) => {
                log::error!("the log cannot be opened anew: {error}");
                Err(refused(format!("the log cannot be opened anew, and goes on where it was: {error}")))
            }
        }
    }

    /// Empties the file, if there is one, and forgets what is in memory; answers once that is done.
    pub(super) fn flush_log(&mut self, asker: Asker) {
        self.recent.clear();
        let name = &self.config.name;
        match streams::empty_log() {
            None => {
                let told = format!("{name}: the last lines were forgotten; there is no file of --log");
                self.tell(asker, &Ok(Reply::Told(told)));
            }
            Some(Err(error)) => {
                let what = format!("the log cannot be emptied: {error}");
                self.tell(asker, &Err(Failure::Refused { what }));
            }
            Some(Ok(emptied)) => {
                let done = format!("{name}: the log is empty");
                let (goal, until) = (Goal::Emptied(Emptying(emptied)), self.now.checked_add(EMPTIED));
                self.waits.add(Wait { goal, done, asker, since: self.now, until });
            }
        }
    }

    /// SIGUSR1 means this as well, beside what it means to the workers.
    pub(super) fn reopen_log_if_any(&mut self) {
        if place::is_remembered() {
            // What is wrong is in the log.
            let _ = self.reopen_log();
        }
    }
}
