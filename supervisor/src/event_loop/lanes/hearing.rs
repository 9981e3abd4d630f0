//! What is heard of a lane: its worker says something on it, or has taken from it. What follows is for each subject to say.

use super::super::Shell;
use super::super::connections::giving::arm;
use super::super::os::Os;
use crate::ids::LaneId;
use crate::io::lanes::lane::{Garbage, Lane};
use crate::pool::Input;
use clustermon_protocol::record::Upward;

/// So much of what one worker says is heard in one turn.
const UPWARD_BUDGET: u32 = 64;

impl<O: Os> Shell<O> {
    /// The worker has said something on its lane, or has taken from it.
    pub(in crate::event_loop) fn on_lane(&mut self, id: LaneId, readable: bool, writable: bool) {
        if readable {
            self.on_upward(id);
        }
        let Some(lane) = self.lanes.all.get_mut(&id).filter(|lane| writable && lane.armed) else { return };
        if lane.watched {
            lane.watched = false;
            let waiting = lane.waiting();
            self.input(Input::Measured { lane: id, waiting });
        } else if arm(&self.poll, id, lane, false).is_ok() {
            // Nobody waits for this any more: a worker that keeps up need not wake the supervisor.
            lane.armed = false;
        }
    }

    /// Takes in what a worker says on its lane. One that goes on and on is heard further in the next turn.
    fn on_upward(&mut self, id: LaneId) {
        for _ in 0..UPWARD_BUDGET {
            let said = self.lanes.all.get(&id).and_then(|lane| Some((lane.next_upward()?, lane)));
            let Some((upward, Lane { worker, balancer, holder, .. })) = said else { return };
            let (worker, pid) = (*worker, holder.pid);
            if !matches!(upward, Ok(Upward::Ring | Upward::Nonblock(_))) {
                self.timers.changed();
            }
            match upward {
                Ok(Upward::Nonblock(on)) => {
                    if let Some(listener) = self.listeners.all.get_mut(balancer) {
                        listener.nonblock = on;
                    }
                }
                Ok(Upward::Shut) => self.input(Input::LaneClosed { lane: id }),
                Ok(Upward::Waits) => {
                    self.on_waits(id);
                    self.carry_out();
                }
                Ok(Upward::Barred(errno)) => self.on_barred(worker, pid, errno),
                Ok(Upward::Lost) => {
                    let what = "lost a connection: its table of descriptors was full";
                    self.accuse_worker(worker, pid, what);
                }
                Ok(word) => {
                    self.on_credit_word(id, word);
                }
                Err(Garbage) => self.accuse_worker(worker, pid, "sends garbage on its lane"),
            }
        }
        if let Some(lane) = self.lanes.all.get(&id) {
            // Registering anew reports what is still there.
            let _ = arm(&self.poll, id, lane, lane.armed);
        }
    }
}
