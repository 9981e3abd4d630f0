//! The connection path of balancers that work by credit: looks at the length of a queue and at what lanes have done, and sends
//! credits. Who gets one is the core's to say; no connection passes through here.

use super::super::Shell;
use super::super::connections::accepting::mute;
use super::super::os::Os;
use crate::ids::{BalancerId, LaneId, WorkerId};
use crate::io::lanes::credit::Credits;
use crate::io::sockets::listener::Listener;
use crate::pool::Input;
use clustermon_protocol::record::Upward;
use std::io;
use std::os::fd::{AsFd, AsRawFd};

impl<O: Os> Shell<O> {
    /// Tells the core how long the queue is, and what follows from it.
    pub(in crate::event_loop) fn look_at_queue(&mut self, id: BalancerId) {
        self.tell_what_was_done(id);
        self.keep_nonblocking(id);
        let Some(listener) = self.listeners.get_mut(&id) else { return };
        // Connections may have been handed over before, to nobody who had room.
        mute(&self.poll, listener, false);
        let Some(waiting) = self.os.queue_length(listener) else {
            listener.pending = false;
            // It has been shut down: that is told by the poll.
            return;
        };
        listener.pending = waiting > 0;
        if waiting > 0 {
            self.look_for_stalled(id);
            self.look_for_woken(id);
        } else {
            self.forget_seen(id);
        }
        self.input(Input::Queued { balancer: id, waiting });
        self.hush(id);
    }

    /// What lanes that were given credits have done since the last look.
    fn tell_what_was_done(&mut self, id: BalancerId) {
        let Some(listener) = self.listeners.get_mut(&id) else { return };
        let mut granted = std::mem::take(&mut listener.granted);
        granted.retain(|&lane| self.tell_of(lane));
        if let Some(listener) = self.listeners.get_mut(&id) {
            // What was granted meanwhile comes behind.
            granted.append(&mut listener.granted);
            listener.granted = granted;
        }
    }

    /// True if the lane still has a credit.
    fn tell_of(&mut self, id: LaneId) -> bool {
        let Some(lane) = self.lanes.get_mut(&id) else { return false };
        let Some(credits) = &mut lane.credits else { return false };
        let count = credits.took();
        if let Some(open) = self.open.as_mut().filter(|_| count > 0) {
            // Before the lane is given more: there is room for so many.
            credits.take_notes(|number| open.accepted(number, lane.worker, self.now));
            self.timers.changed();
        }
        let is_open = credits.is_open();
        let empty = (is_open && credits.is_direct()).then(|| credits.found_empty());
        let was_open = std::mem::replace(&mut lane.open, is_open);
        let waiting = self.lanes.get(&id).map_or(0, |lane| self.waiting(lane));
        if count > 0 {
            self.pool.handle(self.now, Input::Took { lane: id, count });
        }
        if was_open && !is_open {
            self.pool.handle(self.now, Input::Shut { lane: id });
        } else if let Some(empty) = empty {
            self.pool.handle(self.now, Input::Direct { lane: id, empty });
        }
        self.pool.handle(self.now, Input::Measured { lane: id, waiting });
        is_open || waiting > 0
    }

    /// Counts what was accepted so far, for whoever is to be shown it.
    pub(in crate::event_loop) fn count_accepted(&mut self) {
        let ids: Vec<BalancerId> = self.listeners.keys().copied().collect();
        for id in ids {
            self.tell_what_was_done(id);
        }
        self.carry_out();
    }

    /// While all who may accept have open credits nothing need wake this thread: the poll no longer reports what arrives, and
    /// the first of them that finds the queue empty sends word. Who has shut his meanwhile is seen here, after he was asked.
    fn hush(&mut self, id: BalancerId) {
        let hushed = self.pool.is_hushed(id);
        let Some(listener) = self.listeners.get_mut(&id) else { return };
        if !hushed {
            return listen_again(&self.poll, listener);
        }
        let mut all_open = set_reports(&self.poll, listener, false).is_ok();
        for lane in self.lanes.values().filter(|lane| lane.balancer == id && lane.open) {
            all_open &= lane.credits.as_ref().is_some_and(|credits| credits.ask_to_ring());
        }
        if !all_open {
            if let Some(listener) = self.listeners.get_mut(&id) {
                listen_again(&self.poll, listener);
            }
            self.make_ready(id);
        }
    }

    pub(in crate::event_loop) fn grant(&mut self, id: LaneId) {
        let waits = self.waits_so_far(id);
        let Some(lane) = self.lanes.get_mut(&id) else { return };
        match self.os.grant(lane) {
            Ok(()) => {
                self.mark_given(id, waits);
                self.note_granted(id);
            }
            Err(error) => self.not_sent(id, &error),
        }
    }

    pub(in crate::event_loop) fn open_credit(&mut self, id: LaneId) {
        let Some(lane) = self.lanes.get_mut(&id) else { return };
        match self.os.open_credit(lane) {
            Ok(()) => {
                lane.open = true;
                lane.seen = None;
                self.note_granted(id);
            }
            Err(error) => {
                self.pool.handle(self.now, Input::Shut { lane: id });
                self.not_sent(id, &error);
            }
        }
    }

    /// Its worker accepts one connection in each round, or as many as it likes.
    pub(in crate::event_loop) fn pace(&mut self, id: LaneId, one_each: bool) {
        if let Some(credits) = self.lanes.get(&id).and_then(|lane| lane.credits.as_ref()) {
            credits.set_one_each(one_each);
        }
    }

    /// Its worker looks at the queue.
    pub(in crate::event_loop) fn wake(&mut self, id: LaneId) {
        if let Some(lane) = self.lanes.get(&id) {
            lane.wake();
        }
    }

    fn note_granted(&mut self, id: LaneId) {
        let Some(balancer) = self.lanes.get(&id).map(|lane| lane.balancer) else { return };
        if let Some(listener) = self.listeners.get_mut(&balancer).filter(|other| !other.granted.contains(&id))
        {
            listener.granted.push(id);
        }
    }

    /// Accepts one connection for a lane that takes no credit.
    pub(in crate::event_loop) fn take_for(&mut self, id: LaneId) {
        let Some(balancer) = self.lanes.get(&id).map(|lane| lane.balancer) else { return };
        self.keep_nonblocking(balancer);
        let Some(listener) = self.listeners.get_mut(&balancer) else { return };
        match self.os.accept(listener) {
            Ok(connection) => {
                let conn = self.pending.insert(connection);
                self.dispatch(conn, id);
            }
            Err(error) => {
                if let Some(libc::EMFILE | libc::ENFILE | libc::ENOBUFS | libc::ENOMEM) = error.raw_os_error()
                {
                    self.complain_of_descriptors(balancer, &error);
                }
                self.pool.handle(self.now, Input::NoneTaken { lane: id });
            }
        }
    }

    /// The worker sends word of a credit that it has used or shut.
    fn on_ring(&mut self, id: LaneId) {
        let Some(lane) = self.lanes.get_mut(&id) else { return };
        lane.watched = false;
        let balancer = lane.balancer;
        self.make_ready(balancer);
    }

    /// The process accepts by itself from now on, or no longer.
    fn on_takes_credit(&mut self, id: LaneId, on: bool) {
        let Some(lane) = self.lanes.get_mut(&id) else { return };
        let Some(credits) = &mut lane.credits else { return };
        credits.taken_up = on;
        self.input(Input::TakesCredit { lane: id, on });
        self.tell_accepters(id);
    }

    /// Watches a lane that takes credit: the worker sends word when it uses one. False if something else lies in it.
    pub(in crate::event_loop) fn watch_credits(&mut self, id: LaneId) -> bool {
        let Some(lane) = self.lanes.get(&id).filter(|lane| lane.takes_credit() && !lane.has_others()) else {
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
}

fn listen_again(poll: &mio::Poll, listener: &mut Listener) {
    if listener.hushed
        && let Err(error) = set_reports(poll, listener, true)
    {
        log::error!("{}: cannot change what is reported: {error}", listener.address);
    }
}

/// Whether the poll reports what arrives. Reporting it again tells of a queue that is not empty, once.
fn set_reports(poll: &mio::Poll, listener: &mut Listener, on: bool) -> io::Result<()> {
    if listener.hushed != on {
        return Ok(());
    }
    let source = crate::io::events::source::Source::Listener(listener.id).into();
    crate::io::events::hush::set(poll, listener.as_fd().as_raw_fd(), source, on)?;
    listener.hushed = !on;
    Ok(())
}

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

    /// The socket behind a lane of the worker, if it may accept from it by itself.
    pub(in crate::event_loop) fn credit_listener(&self, worker: WorkerId, id: LaneId) -> Option<&Listener> {
        let lane = self.lanes.get(&id).filter(|lane| lane.worker == worker)?;
        self.listeners.get(&lane.balancer).filter(|listener| listener.by_credit())
    }

    /// The page of such a lane, which is made when it is first asked for.
    pub(in crate::event_loop) fn lane_page(&mut self, worker: WorkerId, id: LaneId) -> Option<&Credits> {
        self.credit_listener(worker, id)?;
        let lane = self.lanes.get_mut(&id)?;
        if lane.credits.is_none() {
            if self.os.are_descriptors_scarce(self.releases.as_fd()) {
                return None;
            }
            let made = Credits::new(self.open.is_some());
            lane.credits = made.inspect_err(|error| log::warn!("no page for a lane: {error}")).ok();
        }
        lane.credits.as_ref()
    }
}
