//! Files of the program have changed: the cluster reloads, as if somebody had asked for it. Which files count is not decided here.

use super::super::Shell;
use super::super::os::Os;
use crate::io::watch::file_watcher::FileWatcher;

impl<O: Os> Shell<O> {
    /// Takes in what has changed. A reload that is under way ends for the newer one, so that the last version wins.
    pub(in crate::event_loop) fn on_changed_files(&mut self) {
        while let Some(changed) = self.reloads.file_watcher.as_ref().and_then(FileWatcher::next) {
            if self.stop_requests.any() {
                continue;
            }
            log::info!("watch: {changed}: reloading");
            self.reload();
        }
    }
}
