//! What has been put into a lane and may wait in it, by counts. It holds no connection, and between two looks it knows only an upper bound.

use super::Lane;
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
}

/// What became of a connection that came back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::pool) enum GaveBack {
    No,
    LookAt(Option<Deadline>),
}
