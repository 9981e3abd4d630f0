//! Looks what a worker that is starting does, when the core asks, and tells it. It judges nothing.

use super::super::Shell;
use super::super::os::Os;
use crate::ids::WorkerId;
use crate::io::process::activity;
use crate::pool::{Activity, Input};

impl<O: Os> Shell<O> {
    /// The answer to `LookAtBoot`.
    pub(in crate::event_loop) fn look_at_boot(&mut self, worker: WorkerId) {
        let found = activity::of(&self.pids(worker));
        let activity =
            found.map(|found| Activity { spent: found.spent, running: found.running, asleep: found.asleep });
        self.pool.handle(self.now, Input::Booting { worker, activity });
    }
}
