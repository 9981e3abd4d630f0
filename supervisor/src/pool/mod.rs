//! The pure core: decides which worker gets a connection and which process starts, stops or is replaced.
//! It performs no IO, reads no clock, rolls no dice, holds no fd and writes no log.
//!
//! # Contract
//! - Time is an argument and never goes back; the next deadline is an answer.
//! - `Pool::handle` and `Pool::handle_timeout` may change every answer: `poll_output`, `may_accept`, `next_deadline`.
//! - After each of them the shell drains `poll_output` until `None`, carrying out each order in turn. An order
//!   that asks (`Measure`, `Look`, `Retire`, `TakeBack`) is answered by further inputs at once or later. Only
//!   `Measure` is waited for, and only by the connections held for that balancer.
//! - After `handle_timeout(now)` the next deadline is later than `now`.
//! - An input that names a dead incarnation, an unknown lane or balancer is dropped without effect, except that
//!   a connection it carries is never lost: it is dispatched again or refused; and what it opened is closed again:
//!   a lane by `Retire`, a balancer that opens once the cluster stops by `CloseBalancer`.
//! - The shell never reports a connection as `Accepted` twice, nor as `Returned` while the core holds it.

#![forbid(unsafe_code)]

mod backoff;
mod balancer;
mod deadlines;
#[cfg(any(test, debug_assertions))]
mod invariants;
mod lane;
mod lifecycle;
#[expect(clippy::module_inception, reason = "a file is named after its one noun, and this one is the pool")]
mod pool;
#[cfg(test)]
mod sim;
mod snapshot;
mod state;
#[cfg(test)]
mod tests;
mod traffic;
mod worker;

pub use balancer::Balancer;
pub use deadlines::Timer;
pub use lane::{Lane, Standing};
pub use pool::{Phase, Pool};
pub use state::{Reason, State};
pub use worker::Worker;

use crate::ids::{BalancerId, ConnId, LaneId, WorkerId};
use std::time::{Duration, Instant};

/// A fact the shell reports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// Begin: every worker is to run.
    Start,
    /// The process exists.
    Spawned { worker: WorkerId, pid: u32 },
    /// No process came of the order to spawn.
    SpawnFailed { worker: WorkerId, error: String },
    /// A new shared address is being listened on.
    BalancerOpened { balancer: BalancerId },
    /// A process of the worker listens on the balancer's address through this lane. The first one makes the worker ready.
    LaneOpened { lane: LaneId, worker: WorkerId, balancer: BalancerId },
    /// Nobody in the worker holds the lane any more, or it broke. What it held comes as `Returned`, on `Retire`; a
    /// lane that is no longer known needs no `Retire`.
    LaneClosed { lane: LaneId },
    /// How many connections wait in the lane now: the answer to `Measure`, and sent unasked when a watched lane drains.
    Measured { lane: LaneId, waiting: u32 },
    /// The answer to `Look`: how many wait, and whether the worker still holds its end.
    Looked { lane: LaneId, waiting: u32, held: bool },
    /// A connection came out of the kernel's accept queue.
    Accepted { conn: ConnId, balancer: BalancerId },
    /// A connection came back: taken back from a lane, or the lane did not take it.
    Returned { conn: ConnId, balancer: BalancerId },
    /// The worker is gone: its first process has exited and no process of it that listened lives.
    Exited { worker: WorkerId, exit: Exit },
    /// Stop everything: the stop signal, then the kill signal at `stop_timeout`.
    Stop,
    /// Stop everything at once, by the kill signal.
    Kill,
}

/// An order the shell carries out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Start a process for this worker; answered by `Spawned` or `SpawnFailed`.
    Spawn { worker: WorkerId },
    /// Hand the connection to the lane. If the lane does not take it, the shell answers `Measured` (with what waits in
    /// it, at least the window) and then `Returned`.
    Dispatch { conn: ConnId, lane: LaneId },
    /// Close the connection: there will be nobody to serve it.
    Refuse { conn: ConnId },
    /// Answer how many connections wait in the lane.
    Measure { lane: LaneId },
    /// Tell by one `Measured` when the lane has next been read from; at once if it has been since it was last counted.
    /// Ordered again where that is not the end of it. While one such order stands, another changes nothing.
    Watch { lane: LaneId },
    /// Answer by `Looked` whether the worker still holds the lane.
    Look { lane: LaneId },
    /// Take back what waits in the lane (each comes as `Returned`) and leave a void record; the lane stays.
    TakeBack { lane: LaneId },
    /// Take back what waits in the lane (each comes as `Returned`) and close it.
    Retire { lane: LaneId },
    /// The balancer may accept again: `may_accept` turned true.
    Resume { balancer: BalancerId },
    /// Close the listening socket of the balancer; the core has forgotten it.
    CloseBalancer { balancer: BalancerId },
    /// Send the signal to the worker's processes, members first.
    Signal { worker: WorkerId, signal: Signal },
    /// Something a person may want to read.
    Note(Note),
    /// The cluster has come to rest; nothing runs and nothing is held. The last output, but that what comes in even
    /// later is refused or closed. Said when every other output has been polled, so that what a `Retire` before it
    /// gives back at once is refused before it.
    Done(Outcome),
}

/// What the core asks to be sent; the shell knows the numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// The stop signal (SIGTERM).
    Stop,
    /// SIGKILL.
    Kill,
}

/// How a worker's first process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// It returned this code, 0 to 255.
    Code(i32),
    /// This signal ended it.
    Signal { signal: i32, core_dumped: bool, oom_killed: bool },
}

/// Why the cluster came to rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was told to stop.
    Stopped,
    /// Every worker has spent its restart budget.
    Exhausted,
}

impl Outcome {
    /// The exit code of a supervisor that comes to rest like this.
    pub fn code(self) -> u8 {
        match self {
            Self::Stopped => 0,
            Self::Exhausted => 1,
        }
    }
}

/// A log line, as data. The shell adds names, pids and addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Note {
    Started {
        worker: WorkerId,
        pid: u32,
    },
    SpawnFailed {
        worker: WorkerId,
        error: String,
        retry_in: Option<Duration>,
    },
    /// The worker listens on its first address, this long after it was spawned.
    Ready {
        worker: WorkerId,
        after: Duration,
    },
    Listening {
        worker: WorkerId,
        balancer: BalancerId,
    },
    /// It has run for a while without listening: it counts as running.
    NeverListened {
        worker: WorkerId,
        after: Duration,
    },
    StoppedListening {
        worker: WorkerId,
        balancer: BalancerId,
    },
    /// What waited in its lane for `waited` without any being taken was given to others; out of rotation until it takes again.
    Suspect {
        worker: WorkerId,
        balancer: BalancerId,
        waited: Duration,
    },
    Recovered {
        worker: WorkerId,
        balancer: BalancerId,
    },
    /// `retry_in` is `None` when the budget is spent or the cluster stops.
    Exited {
        worker: WorkerId,
        exit: Exit,
        uptime: Duration,
        retry_in: Option<Duration>,
        budget_spent: bool,
    },
    Stopping {
        workers: u32,
        kill_in: Option<Duration>,
    },
    /// The worker did not stop in time and was killed.
    Forced {
        worker: WorkerId,
        after: Duration,
    },
    BalancerClosed {
        balancer: BalancerId,
    },
}

/// What the core is told once.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Number of workers, at least 1.
    pub workers: u32,
    /// How many workers may be starting (spawned, not yet ready) at a time, at least 1.
    pub max_starting: u32,
    /// A worker counts as starting, for `max_starting`, no longer than this.
    pub boot_slot: Duration,
    /// A worker that does not listen within this counts as running.
    pub start_timeout: Duration,
    /// Restarts allowed per worker before it stays down; `None` is no limit. Refilled after `min_uptime`.
    pub respawn: Option<u32>,
    /// A worker that lived this long is replaced at once and has its budget and delay reset.
    pub min_uptime: Duration,
    /// The first delay after an early death; doubles with each further one.
    pub restart_delay: Duration,
    /// The delay never exceeds this (before jitter).
    pub max_restart_delay: Duration,
    /// From the stop signal to the kill signal; `None` is for ever.
    pub stop_timeout: Option<Duration>,
    /// Connections that may wait in one lane, at least 1.
    pub window: u32,
    /// A lane from which nothing has been taken for this long while something waits is a suspect; `None` is never.
    pub lag_limit: Option<Duration>,
    /// When what waits in a lane is first looked at.
    pub look_after: Duration,
    /// Seeds the jitter.
    pub seed: u64,
}

/// Fraction of a delay by which the jitter may lengthen or shorten it.
pub const JITTER: f64 = 0.2;

/// A moment after which `Pool::handle_timeout` has something to do.
pub type Deadline = Instant;
