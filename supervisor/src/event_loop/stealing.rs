//! Glances at workers for the core and moves what waits behind one of them. A glance is a look at shared memory and a
//! count of what waits; it judges nobody.

use super::Shell;
use super::orders::source_of;
use crate::ids::{ConnId, LaneId};
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
        let lane = self.lanes.get(&id);
        let seen = lane
            .and_then(|lane| Some(activity(self.processes.get(&lane.worker)?, lane.holder.pid, monotonic())));
        let activity = seen.unwrap_or(Activity::Unknown);
        let waiting = lane.map_or(0, |lane| lane.waiting());
        self.pool.handle(self.now, Input::Glanced { lane: id, activity, waiting });
    }

    /// Takes the oldest that waits in the lane and puts another in its place. Only for a moment may the lane be empty
    /// without a void record, and only where something follows.
    pub(super) fn take_oldest(&mut self, id: LaneId, instead: Option<ConnId>) {
        let taken = self.lanes.get(&id).map(|lane| lane.take_oldest());
        if let Some(conn) = instead {
            self.dispatch(conn, id);
        }
        let Some((taken, received)) = taken else { return };
        if let Some(lane) = self.lanes.get(&id)
            && received
            && instead.is_none_or(|conn| self.conns.get(conn).is_some())
            && lane.waiting() == 0
        {
            lane.leave_void();
        }
        if let Some(connection) = taken {
            let (balancer, source) = (connection.balancer, source_of(&connection.peer));
            let conn = self.conns.insert(connection);
            self.pool.handle(self.now, Input::Returned { conn, balancer, source });
        }
    }
}
