//! What a lane that takes credit says, and the page and the socket that its worker needs for that. It gives no credit.

use super::super::Shell;
use super::super::os::Os;
use crate::ids::{LaneId, WorkerId};
use crate::io::lanes::credit::Credits;
use crate::io::sockets::listener::Listener;
use crate::pool::Input;
use clustermon_protocol::record::Upward;
use std::os::fd::AsFd;

impl<O: Os> Shell<O> {
    /// What a worker says of its credits.
    pub(in crate::event_loop) fn on_credit_word(&mut self, id: LaneId, word: Upward) {
        match word {
            Upward::TakesCredit => self.on_takes_credit(id, true),
            Upward::NoCredit => self.on_takes_credit(id, false),
            Upward::Ring => self.on_ring(id),
            Upward::Exhausted(_) => {
                self.pool.handle(self.now, Input::Exhausted { lane: id });
                self.on_ring(id);
            }
            Upward::Nonblock(_) | Upward::Shut | Upward::Lost | Upward::Waits | Upward::Barred(_) => {}
        }
    }

    /// The worker sends word of a credit that it has used or shut.
    fn on_ring(&mut self, id: LaneId) {
        let Some(lane) = self.lanes.all.get_mut(&id) else { return };
        lane.watched = false;
        let balancer = lane.balancer;
        self.make_ready(balancer);
    }

    /// The process accepts by itself from now on, or no longer.
    fn on_takes_credit(&mut self, id: LaneId, on: bool) {
        let Some(lane) = self.lanes.all.get_mut(&id) else { return };
        let Some(credits) = &mut lane.credits else { return };
        credits.taken_up = on;
        self.input(Input::TakesCredit { lane: id, on });
        self.tell_accepters(id);
    }

    /// Watches a lane that takes credit: the worker sends word when it uses one. False if something else lies in it.
    pub(in crate::event_loop) fn watch_credits(&mut self, id: LaneId) -> bool {
        let Some(lane) = self.lanes.all.get(&id).filter(|lane| lane.takes_credit() && !lane.has_others())
        else {
            return false;
        };
        if let Some(credits) = &lane.credits {
            credits.ask_to_ring();
        }
        // Looked at after it was asked: what was used before that is not told.
        let waiting = lane.waiting();
        if self.pool.lane(id).is_some_and(|lane| u64::from(waiting) < lane.in_flight()) {
            self.on_ring(id);
        }
        true
    }

    /// The socket behind a lane of the worker, if it may accept from it by itself.
    pub(in crate::event_loop) fn credit_listener(&self, worker: WorkerId, id: LaneId) -> Option<&Listener> {
        let lane = self.lanes.all.get(&id).filter(|lane| lane.worker == worker)?;
        self.listeners.all.get(&lane.balancer).filter(|listener| listener.by_credit())
    }

    /// The page of such a lane, which is made when it is first asked for.
    pub(in crate::event_loop) fn lane_page(&mut self, worker: WorkerId, id: LaneId) -> Option<&Credits> {
        self.credit_listener(worker, id)?;
        let lane = self.lanes.all.get_mut(&id)?;
        if lane.credits.is_none() {
            if self.os.are_descriptors_scarce(self.connections.releases.as_fd()) {
                return None;
            }
            let made = Credits::new(self.connections.open.is_some());
            lane.credits = made.inspect_err(|error| log::warn!("no page for a lane: {error}")).ok();
        }
        lane.credits.as_ref()
    }
}
