//! Credits are sent as the core says: one accept, accepts until the queue is empty, or, for a lane that takes none, a connection. Who gets one is
//! the core's to say.

use super::super::Shell;
use super::super::os::Os;
use crate::ids::LaneId;
use crate::pool::Input;

impl<O: Os> Shell<O> {
    pub(in crate::event_loop) fn grant(&mut self, id: LaneId) {
        let waits = self.waits_so_far(id);
        let Some(lane) = self.lanes.all.get_mut(&id) else { return };
        match self.os.grant(lane) {
            Ok(()) => {
                self.mark_given(id, waits);
                self.note_granted(id);
            }
            Err(error) => self.not_sent(id, &error),
        }
    }

    pub(in crate::event_loop) fn open_credit(&mut self, id: LaneId) {
        let Some(lane) = self.lanes.all.get_mut(&id) else { return };
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
        if let Some(credits) = self.lanes.all.get(&id).and_then(|lane| lane.credits.as_ref()) {
            credits.set_one_each(one_each);
        }
    }

    /// Its worker looks at the queue.
    pub(in crate::event_loop) fn wake(&mut self, id: LaneId) {
        if let Some(lane) = self.lanes.all.get(&id) {
            lane.wake();
        }
    }

    fn note_granted(&mut self, id: LaneId) {
        let Some(balancer) = self.lanes.all.get(&id).map(|lane| lane.balancer) else { return };
        if let Some(listener) =
            self.listeners.all.get_mut(&balancer).filter(|other| !other.granted.contains(&id))
        {
            listener.granted.push(id);
        }
    }

    /// Accepts one connection for a lane that takes no credit.
    pub(in crate::event_loop) fn take_for(&mut self, id: LaneId) {
        let Some(balancer) = self.lanes.all.get(&id).map(|lane| lane.balancer) else { return };
        self.keep_nonblocking(balancer);
        let Some(listener) = self.listeners.all.get_mut(&balancer) else { return };
        match self.os.accept(listener) {
            Ok(connection) => {
                let conn = self.connections.pending.insert(connection);
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
}
