//! Glances at workers for the core: a look at shared memory and a count of what waits. It judges nobody.

use super::Shell;
use crate::ids::{LaneId, WorkerId};
use crate::io::child::Process;
use crate::io::pulse::{Running, monotonic};
use crate::pool::{Activity, Input};
use std::time::Duration;

/// What the lane's holder is about, if that can be seen, else the worker: it waits if any of its processes does.
fn activity(process: &Process, holder: u32, now: u64) -> Activity {
    let mut own = process.pulses.iter().filter(|pulse| pulse.pid == holder);
    if let Some(running) = own.find_map(|pulse| pulse.running(now)) {
        return match running {
            Running::No => Activity::Waiting,
            Running::For(time) => Activity::Running(time),
        };
    }
    let mut least: Option<Duration> = None;
    for pulse in &process.pulses {
        match pulse.running(now) {
            Some(Running::No) => return Activity::Waiting,
            Some(Running::For(time)) => least = Some(least.map_or(time, |least| least.min(time))),
            None => {}
        }
    }
    least.map_or(Activity::Unknown, Activity::Running)
}

impl Shell {
    pub(super) fn glance(&mut self, id: LaneId) {
        let Some((worker, holder, waiting)) =
            self.lanes.get(&id).map(|lane| (lane.worker, lane.holder.pid, lane.waiting()))
        else {
            return;
        };
        let mut activity = self.activity(worker, holder);
        // Another thread than those that have accepted may wait for all.
        if matches!(activity, Activity::Running(_)) && self.recognise(worker) {
            activity = self.activity(worker, holder);
        }
        self.pool.handle(self.now, Input::Glanced { lane: id, activity, waiting });
    }

    fn activity(&self, worker: WorkerId, holder: u32) -> Activity {
        self.processes
            .get(&worker)
            .map_or(Activity::Unknown, |process| activity(process, holder, monotonic()))
    }
}
