//! Queues of balancers that work by credit: their lengths, what lanes have accepted from them, and whether the poll need tell of them. The core
//! is told; what follows is its to say.

use super::super::Shell;
use super::super::connections::accepting::mute;
use super::super::os::Os;
use crate::ids::{BalancerId, LaneId};
use crate::io::sockets::listener::Listener;
use crate::pool::Input;
use std::io;
use std::os::fd::{AsFd, AsRawFd};

impl<O: Os> Shell<O> {
    /// Tells the core how long the queue is, and what follows from it.
    pub(in crate::event_loop) fn look_at_queue(&mut self, id: BalancerId) {
        self.tell_what_was_done(id);
        self.keep_nonblocking(id);
        let Some(listener) = self.listeners.all.get_mut(&id) else { return };
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
        let Some(listener) = self.listeners.all.get_mut(&id) else { return };
        let mut granted = std::mem::take(&mut listener.granted);
        granted.retain(|&lane| self.tell_of(lane));
        if let Some(listener) = self.listeners.all.get_mut(&id) {
            // What was granted meanwhile comes behind.
            granted.append(&mut listener.granted);
            listener.granted = granted;
        }
    }

    /// True if the lane still has a credit.
    fn tell_of(&mut self, id: LaneId) -> bool {
        let Some(lane) = self.lanes.all.get_mut(&id) else { return false };
        lane.settle_written_off();
        let Some(credits) = &mut lane.credits else { return false };
        let count = credits.took();
        if let Some(open) = self.connections.open.as_mut().filter(|_| count > 0) {
            // Before the lane is given more: there is room for so many.
            credits.take_notes(|number| open.accepted(number, lane.worker, self.now));
            self.timers.changed();
        }
        let is_open = credits.is_open();
        let empty = (is_open && credits.is_direct()).then(|| credits.found_empty());
        let was_open = std::mem::replace(&mut lane.open, is_open);
        let waiting = self.lanes.all.get(&id).map_or(0, |lane| self.waiting(lane));
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
        let ids: Vec<BalancerId> = self.listeners.all.keys().copied().collect();
        for id in ids {
            self.tell_what_was_done(id);
        }
        self.carry_out();
    }

    /// While all who may accept have open credits nothing need wake this thread: the poll no longer reports what arrives, and
    /// the first of them that finds the queue empty sends word. Who has shut his meanwhile is seen here, after he was asked.
    fn hush(&mut self, id: BalancerId) {
        let hushed = self.pool.is_hushed(id);
        let Some(listener) = self.listeners.all.get_mut(&id) else { return };
        if !hushed {
            return listen_again(&self.poll, listener);
        }
        let mut all_open = set_reports(&self.poll, listener, false).is_ok();
        for lane in self.lanes.all.values().filter(|lane| lane.balancer == id && lane.open) {
            all_open &= lane.credits.as_ref().is_some_and(|credits| credits.ask_to_ring());
        }
        if !all_open {
            if let Some(listener) = self.listeners.all.get_mut(&id) {
                listen_again(&self.poll, listener);
            }
            self.make_ready(id);
        }
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
