//! Lanes whose credits are not used though somebody waits: which of them have stalled, and which are only late because the machine is
//! busy. What follows is the core's to say.

use super::super::Shell;
use super::super::os::Os;
use crate::ids::{BalancerId, LaneId};
use crate::io::lanes::credit::Credits;
use crate::io::lanes::lane::Lane;
use crate::pool::Input;
use clustermon_protocol::pulse::PulseLook;
use std::time::Duration;

/// An open credit by which nothing is accepted for so long, though its thread waits and so does somebody, has stalled.
const STALL: Duration = Duration::from_millis(1);
/// And after so long, though its thread was woken and has yet to get a processor: it may have been woken for something else.
const STALL_OF_WOKEN: Duration = Duration::from_millis(20);

impl<O: Os> Shell<O> {
    /// Lanes with an open credit by which nothing was accepted for a while, though their thread waits: it has not been woken for
    /// each connection, as it would be by the kernel.
    pub(super) fn look_for_stalled(&mut self, id: BalancerId) {
        let now = self.now;
        let mut quiet = Vec::new();
        let of_it = self.lanes.all.values().filter(|lane| lane.balancer == id);
        let by_all =
            of_it.filter_map(|lane| lane.credits.as_ref()).map(Credits::accepted).fold(0, u64::wrapping_add);
        for (lane_id, lane) in self.lanes.all.iter_mut().filter(|(_, lane)| lane.balancer == id && lane.open)
        {
            let Some(credits) = &lane.credits else { continue };
            // Of those who wait at the queue the kernel wakes one for each connection; the others sleep on.
            let is_direct = credits.is_direct();
            let accepted = if is_direct { by_all } else { credits.accepted() };
            match lane.seen {
                Some((at, seen)) if seen == accepted && now.saturating_duration_since(at) >= STALL => {
                    // Who was woken by the kernel cannot be woken better.
                    let long = !is_direct && now.saturating_duration_since(at) >= STALL_OF_WOKEN;
                    quiet.push((*lane_id, long));
                }
                Some((_, seen)) if seen == accepted => {}
                Some(_) | None => lane.seen = Some((now, accepted)),
            }
        }
        if quiet.is_empty() {
            return;
        }
        // One of those who wait at the queue has been woken for it, and waits for a processor: the others are left alone.
        let is_direct = |lane: &Lane| lane.balancer == id && lane.is_direct();
        if self.lanes.all.values().any(|lane| is_direct(lane) && self.sole_runs(lane) == Some(true)) {
            quiet.retain(|(lane, _)| !self.lanes.all.get(lane).is_some_and(is_direct));
        }
        for (lane, long) in quiet {
            if self.lanes.all.get(&lane).is_some_and(|lane| self.sleeps(lane, long)) {
                self.pool.handle(now, Input::Stalled { lane });
                self.doubt_trigger(lane);
            }
        }
    }

    /// Nobody waits in the queue: that none was accepted means nothing.
    pub(super) fn forget_seen(&mut self, id: BalancerId) {
        for lane in self.lanes.all.values_mut().filter(|lane| lane.balancer == id && lane.open) {
            lane.seen = None;
        }
    }

    /// Lanes whose singles would be late, though their threads are on their way: on a busy machine the order stays.
    pub(super) fn look_for_woken(&mut self, id: BalancerId) {
        let late: Vec<LaneId> = self.pool.late_lanes(self.now, id).collect();
        for lane in late {
            let pulse = self.lanes.all.get(&lane).and_then(|lane| self.serving_pulse(lane));
            let runs = |pid: u32, look: PulseLook| self.os.thread_state(pid, look.tid) == Some('R');
            if pulse.is_some_and(|own| own.waiting().any(|look| look.serving && runs(own.pid, look))) {
                self.pool.handle(self.now, Input::Woken { lane });
            }
        }
    }

    /// Its only thread is in its wait for the lane, and sleeps; not in a poll() for something else, as gunicorn's for the end of each
    /// connection. One that has been woken and waits for a processor comes, unless it has been so for long.
    fn sleeps(&self, lane: &Lane, long: bool) -> bool {
        // A thread whose state is not to be read is taken to sleep: to wake it once more is no harm.
        self.sole_runs(lane).is_some_and(|runs| long || !runs)
    }

    /// Whether its only thread, which is in its wait for the lane, has been woken; `None` if there is no such.
    fn sole_runs(&self, lane: &Lane) -> Option<bool> {
        let pulse = self.serving_pulse(lane)?;
        let look = pulse.sole().filter(|look| !look.running && look.waits_on.is_some())?;
        Some(self.os.thread_state(pulse.pid, look.tid) == Some('R'))
    }
}
