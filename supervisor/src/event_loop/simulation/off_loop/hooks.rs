//! Hooks of a history: each run takes a while and ends well or not, as the dice say. One that has to allow the start always does.

use super::super::World;
use super::super::agenda::Deed;
use crate::io::hook_commands::runner::HookRunner;
use crate::io::hook_commands::{Finished, Job};
use crossbeam_channel::{Receiver, Sender, unbounded};
use mio::Waker;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// What runs them.
#[derive(Debug)]
pub(in crate::event_loop::simulation) struct Hooks {
    jobs: Receiver<Job>,
    finished: Sender<Finished>,
    waker: Arc<Waker>,
    running: BTreeMap<u64, Job>,
}

impl Hooks {
    /// It, and what the supervisor orders runs by.
    pub(in crate::event_loop::simulation) fn new(waker: Arc<Waker>) -> (Self, HookRunner) {
        let (orders, jobs) = unbounded();
        let (finished, told) = unbounded();
        (Self { jobs, finished, waker, running: BTreeMap::new() }, HookRunner::of(orders, told))
    }
}

impl World {
    /// Begins with what was ordered.
    pub(in crate::event_loop::simulation) fn take_hooks(&mut self) {
        while let Some(job) = self.hooks.as_ref().and_then(|hooks| hooks.jobs.try_recv().ok()) {
            let pause = self.dice.micros(100, 400_000);
            let (number, fails) =
                (job.number, job.hook != "before_start" && self.strikes(|faults| faults.spawn));
            if let Some(hooks) = &mut self.hooks {
                hooks.running.insert(number, job);
            }
            self.after(pause, Deed::Hook(number, fails));
        }
    }

    /// A run ends.
    pub(in crate::event_loop::simulation) fn end_hook(&mut self, number: u64, fails: bool) {
        let Some(hooks) = &mut self.hooks else { return };
        let Some(Job { hook, command, .. }) = hooks.running.remove(&number) else { return };
        let fault = fails.then(|| "exited with code 1".to_owned());
        let last_lines = vec!["what it wrote last".to_owned()];
        let finished = Finished { number, hook, command, fault, last_lines, took: Duration::ZERO };
        if hooks.finished.send(finished).is_ok() {
            // The poll that it belongs to lives as long as the history.
            let _ = hooks.waker.wake();
        }
    }
}
