//! The file that the log goes to, where there is one: opened anew when somebody has moved it away. Workers that write to it
//! themselves hold the old one; nothing here can change that.

use super::super::Shell;
use super::super::os::Os;
use crate::api::Failure;
use crate::config::Capture;
use crate::io::output::log::file;

impl<O: Os> Shell<O> {
    /// Opens the file anew; refused if there is none.
    pub(super) fn reopen_log(&mut self) -> Result<(), Failure> {
        let refused = |what: String| Failure::Refused { what };
        match file::reopen() {
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

    /// SIGUSR1 means this as well, beside what it means to the workers.
    pub(super) fn reopen_log_if_any(&mut self) {
        if file::is_remembered() {
            // What is wrong is in the log.
            let _ = self.reopen_log();
        }
    }
}
