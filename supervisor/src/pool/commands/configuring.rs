//! The part of the pool that takes other settings while the cluster runs. Each is read when it is needed, so that what is under way goes on by the
//! new ones. It starts and ends no process.

use crate::ids::WorkerId;
use crate::pool::workers::process::Process;
use crate::pool::{Pool, Settings};
use std::time::Instant;

impl Pool {
    /// Other settings from now on. How many workers there are is another command's matter, and so is what lanes and balancers were made with.
    pub(in crate::pool) fn configure(&mut self, now: Instant, settings: Settings) {
        let had = &self.settings;
        let mut settings = Settings { workers: had.workers, seed: had.seed, ..settings.normalised() };
        settings.balancing.window = had.balancing.window;
        settings.balancing.dispatch = had.balancing.dispatch;
        let restarts_differ = settings.restart != had.restart;
        self.settings = settings;
        if restarts_differ {
            // Who is to be restarted more often, or later, is so from now on.
            for slot in &mut self.slots {
                slot.backoff.refill(&self.settings);
            }
        }
        // There may be room for connections, or none any more.
        let workers: Vec<WorkerId> = self.processes.active_ones().map(Process::id).collect();
        for worker in workers {
            self.update_eligibility(now, worker);
        }
        self.pump_all(now);
        self.launch(now);
    }
}
