//! What a reader finds out about one thread by one look, and what two looks tell. It reads no memory itself.

use super::waits::WaitsOn;
use core::time::Duration;

/// Nanoseconds in the unit of `ran`, as a power of two.
pub(super) const RAN_UNIT: u32 = 10;

/// One look at one thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PulseLook {
    /// The thread, in its own PID namespace.
    pub tid: u32,
    /// It has accepted from a lane, or waits for a connection of one.
    pub serving: bool,
    /// It is between two waits; for how long is `now - since`.
    pub running: bool,
    /// When it last entered or left a wait, in nanoseconds.
    pub since: u64,
    /// Waits entered.
    pub loops: u64,
    /// Connections taken from lanes.
    pub accepted: u64,
    /// For how long it had run until its last wait, in units of 1,024 ns; wraps around. Right on average, since the clock
    /// is coarser than most runs.
    pub ran: u32,
    /// The descriptor of the epoll set that it waits on or last waited on.
    pub set: Option<u32>,
    /// What it waits on now, if it waits and has said on what.
    pub waits_on: Option<WaitsOn>,
    /// It is in an accept() that blocks until somebody connects.
    pub blocks: bool,
}

impl PulseLook {
    /// For how long it has been away from its wait at `now`, in nanoseconds. A time from the future is garbage.
    pub fn away(&self, now: u64) -> u64 {
        if self.running { now.saturating_sub(self.since) } else { 0 }
    }

    /// As `ran`, with the run that it is in.
    pub fn ran_until(&self, now: u64) -> u32 {
        self.ran.wrapping_add((self.away(now) >> RAN_UNIT) as u32)
    }
}

/// How long a thread ran between two looks, from what they found for `ran`.
pub fn ran_between(before: u32, after: u32) -> Duration {
    Duration::from_nanos(u64::from(after.wrapping_sub(before)) << RAN_UNIT)
}
