//! What has been put into a lane and may wait in it, by counts, whether it has room for more, and whether somebody waits for it. It holds no
//! connection, and between two looks it knows only an upper bound.

use super::lane::Lane;
use crate::ids::ConnId;
use crate::pool::{Deadline, Settings};
use std::time::Instant;

impl Lane {
    /// The last that was put into it is a connection, which may wait in it still.
    pub(in crate::pool) fn holds_connection(&self) -> bool {
        self.last.is_some() && self.in_flight() > 0
    }

    /// Something has been put into it.
    pub(in crate::pool) fn was_given_any(&self) -> bool {
        self.sent > 0
    }

    /// Connections that may wait in it: an upper bound between two looks.
    pub(crate) fn in_flight(&self) -> u64 {
        self.sent - self.taken
    }

    /// The same without the void record that it is left with.
    pub(crate) fn holds(&self) -> u64 {
        self.in_flight().saturating_sub(u64::from(self.keeps_void()))
    }

    /// One more waits in it. Returns when to look, if that is sooner than it was.
    pub(in crate::pool) fn dispatch(
        &mut self,
        now: Instant,
        conn: ConnId,
        settings: &Settings,
    ) -> Option<Deadline> {
        let look = self.grant(now, settings);
        self.last = Some(conn);
        look
    }

    /// It is given a credit, or something that has yet to be accepted. Returns when to look, if that is sooner than it was.
    pub(in crate::pool) fn grant(&mut self, now: Instant, settings: &Settings) -> Option<Deadline> {
        let was_empty = self.in_flight() == 0;
        self.sent += 1;
        self.unpolled += 1;
        self.wanted = true;
        (self.busy, self.passed_over) = (true, false);
        self.last = None;
        self.granted_at = Some(now);
        self.is_serving = false;
        if !was_empty {
            return None;
        }
        self.waiting_since = Some(now);
        self.is_late = false;
        self.look_soon(now, settings)
    }

    /// What it was last to be given was not there.
    pub(in crate::pool) fn was_given_nothing(
        &mut self,
        now: Instant,
        settings: &Settings,
    ) -> Option<Deadline> {
        self.sent = self.taken.max(self.sent.saturating_sub(1));
        self.look_soon(now, settings)
    }

    /// What waits in it, by a count of the shell's: that was before what it has not heard of.
    pub(in crate::pool) fn waiting(&self, counted: u32) -> u32 {
        counted.saturating_add(self.unpolled)
    }

    /// Dispatched, and the shell has yet to be told.
    pub(in crate::pool) fn unpolled(&self) -> u32 {
        self.unpolled
    }

    /// The shell is told of a dispatch: from here on it counts it.
    pub(in crate::pool) fn polled(&mut self) {
        self.unpolled = self.unpolled.saturating_sub(1);
    }

    /// It did not take the connection, if that was its last one.
    pub(in crate::pool) fn gave_back(&mut self, now: Instant, conn: ConnId, settings: &Settings) -> GaveBack {
        if self.last != Some(conn) {
            return GaveBack::No;
        }
        self.last = None;
        self.sent = self.taken.max(self.sent - 1);
        GaveBack::LookAt(self.look_soon(now, settings))
    }

    /// Somebody waits for it at a socket of its own.
    pub(in crate::pool) fn is_waited_at(&mut self) {
        self.wanted = true;
    }

    /// So many connections may wait in it; or, one by one, be served or wait.
    pub(in crate::pool) fn window(&self, settings: &Settings) -> u32 {
        match (self.one_by_one, self.credit) {
            (true, _) => 1,
            (false, true) => self.threads,
            (false, false) => settings.balancing.window(),
        }
    }

    /// It may have no room for one more, as far as is known here.
    pub(in crate::pool) fn may_be_full(&self, settings: &Settings) -> bool {
        self.in_flight() >= u64::from(self.window(settings)) || self.is_busy()
    }

    /// One by one: its thread is not known to wait.
    pub(crate) fn is_busy(&self) -> bool {
        self.one_by_one && self.busy
    }

    /// Its turn has come, and so many are in it or being served.
    pub(in crate::pool) fn had_its_turn(&mut self, waiting: u32) {
        if self.one_by_one {
            self.busy = waiting > 0;
            self.passed_over = self.busy;
        }
    }

    /// Since when something has waited in it without anything being taken.
    pub(crate) fn waiting_since(&self) -> Option<Instant> {
        self.waiting_since
    }

    /// Somebody has waited for its worker: in it, or for a turn that it could not have.
    pub(in crate::pool) fn is_wanted(&self) -> bool {
        self.missed || self.is_waited_in()
    }

    /// A connection may wait in it, or was taken back when it became a suspect.
    pub(in crate::pool) fn is_waited_in(&self) -> bool {
        self.wanted || self.passed_over || self.stuck.is_some_and(|stuck| stuck.wanted)
    }
}

/// What became of a connection that came back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::pool) enum GaveBack {
    No,
    LookAt(Option<Deadline>),
}
