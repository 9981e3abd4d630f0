//! Who accepts by a lane that takes credit, and how: read from pulse pages and /proc, told to the core and to the worker. It gives no
//! credit.

use super::super::Shell;
use super::super::os::Os;
use crate::ids::LaneId;
use crate::io::lanes::lane::Lane;
use crate::io::lanes::pulse::Pulse;
use crate::io::lanes::trigger::Trigger;
use crate::pool::Input;
use clustermon_protocol::credit::NOTES;

impl<O: Os> Shell<O> {
    /// Tells the core how many threads accept by the lane, and whether open credits fit them.
    pub(in crate::event_loop) fn tell_accepters(&mut self, id: LaneId) {
        let Some(lane) = self.lanes.all.get(&id).filter(|lane| lane.takes_credit()) else { return };
        let (threads, alike) = self.serving_pulse(lane).map_or((0, false), |pulse| pulse.accepters());
        let may_open = alike && lane.is_nonblocking();
        self.tell_trigger(id, may_open);
        let threads = if may_open { 1 } else { threads.clamp(1, NOTES as u32) };
        let may_watch = may_open && self.lanes.all.get(&id).is_some_and(|lane| lane.registered.may_watch);
        self.input(Input::Accepters { lane: id, threads, may_open, may_watch });
    }

    /// Lets an open credit stay open over one vain accept where the only process that waits on the lane is known to be told of its
    /// record again, and tells it how to wait at the queue itself. Read anew when it waits otherwise, when another process comes, when the
    /// program has changed a registration of the lane, and after each stall.
    fn tell_trigger(&mut self, id: LaneId, may_open: bool) {
        let Some(lane) = self.lanes.all.get(&id) else { return };
        let pulse = self.serving_pulse(lane);
        let pid = pulse.map_or(lane.holder.pid, |pulse| pulse.pid);
        let pulses = self.lives.process(lane.worker).into_iter().flat_map(|process| &process.pulses);
        let others = pulses.filter(|pulse| pulse.pid != pid && pulse.takes_part());
        let others: Vec<u32> = others.map(|pulse| pulse.pid).collect();
        let wait = pulse.filter(|_| may_open).and_then(Pulse::common_wait);
        let Some(credits) = &lane.credits else { return };
        // Before it is looked at.
        let changes = credits.changed();
        if lane.registered.holds(self.now, wait, &others, changes) {
            return;
        }
        let is_sole = pulse.and_then(Pulse::sole).is_some();
        let found = wait.map(|set| self.os.registration(pid, set, others, lane.inode, credits.own_set()));
        if let Some(lane) = self.lanes.all.get_mut(&id) {
            let trigger = lane.registered.keep(self.now, found, changes);
            let registration = trigger.and_then(Trigger::registration).filter(|_| is_sole);
            lane.registered.may_watch = registration.is_some();
            if let Some(credits) = &mut lane.credits {
                credits.set_patient(trigger.is_some_and(Trigger::is_level));
                credits.set_registration(registration, changes);
            }
        }
    }

    /// The lane's thread may be told of a record only once, since it was read that it is told again.
    pub(super) fn doubt_trigger(&mut self, id: LaneId) {
        let Some(lane) = self.lanes.all.get_mut(&id) else { return };
        // Who waits at the queue is woken by that.
        if let Some(credits) = lane.credits.as_ref().filter(|credits| !credits.is_direct()) {
            credits.set_patient(false);
            lane.registered.doubt();
        }
    }

    /// The process that accepts by the lane: who holds it, or the only other one of the worker that does and has no lane of its own, where
    /// the holder only waits for its children.
    pub(super) fn serving_pulse(&self, lane: &Lane) -> Option<&Pulse> {
        let pulses = &self.lives.process(lane.worker)?.pulses;
        let own = pulses.iter().find(|pulse| pulse.pid == lane.holder.pid);
        if pulses.len() < 2 || own.is_some_and(Pulse::serves) {
            return own;
        }
        let is_holder = |pid| self.lanes.all.values().any(|lane| lane.holder.pid == pid);
        let mut others = pulses.iter().filter(|pulse| pulse.serves() && !is_holder(pulse.pid));
        others.next().filter(|_| others.next().is_none()).or(own)
    }
}
