//! What a person may want to read of what the pool does, as data. The shell adds names, pids and addresses, and writes the lines.

use super::exit::{Exit, Then};
use super::input::Finding;
use super::replacement::{Failed, RecycleReason, Reloaded};
use crate::ids::{BalancerId, WorkerId};
use std::time::Duration;

/// A log line, as data. The shell adds names, pids and addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Note {
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
    /// It does not listen and others wait to be started: its boot counts as over after so long, and the next may start.
    BootOver {
        worker: WorkerId,
        after: Duration,
        end: BootEnd,
    },
    /// It has run for a while without listening: it counts as running.
    NeverListened {
        worker: WorkerId,
        after: Duration,
    },
    /// It was not ready in time, and is killed: another is started in its place, after `retry_in` or, with `None`, not at
    /// all because its budget is spent.
    StartFailed {
        worker: WorkerId,
        after: Duration,
        retry_in: Option<Duration>,
        then: Then,
    },
    /// It has said that it is about to end: out of rotation, what waited goes to others.
    SaysStopping {
        worker: WorkerId,
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
    /// It has been away from its wait for so long: out of rotation, what waited goes to others.
    Lagging {
        worker: WorkerId,
        lag: Duration,
    },
    /// It keeps up again, this long after it went out: back in rotation.
    CaughtUp {
        worker: WorkerId,
        after: Duration,
    },
    /// It is restarted, because somebody says so of it.
    Unwell {
        worker: WorkerId,
        cause: String,
    },
    /// It hangs: another is started in its place, after `retry_in` or, with `None`, not at all because its budget is
    /// spent; and it is stopped.
    Hung {
        worker: WorkerId,
        lag: Duration,
        finding: Finding,
        evidence: String,
        retry_in: Option<Duration>,
        then: Then,
    },
    /// One of several processes of the worker hangs: it is ended, and the worker goes on.
    HolderHung {
        worker: WorkerId,
        waited: Duration,
        finding: Finding,
        evidence: String,
    },
    /// Its first process has ended and others of it live: another is started in its place, after `retry_in` or, with `None`,
    /// not at all because its budget is spent; and those that live are stopped.
    MainEnded {
        worker: WorkerId,
        exit: Exit,
        retry_in: Option<Duration>,
        then: Then,
    },
    /// Each of the workers that serve takes nothing for too long: the machine is starved, and nobody is taken down.
    Starved {
        workers: u32,
    },
    /// `retry_in` is `None` when it stays down: see `then`.
    Exited {
        worker: WorkerId,
        exit: Exit,
        uptime: Duration,
        retry_in: Option<Duration>,
        then: Then,
    },
    /// It drained for so long; `quiet` or because it had no more time. It is told to stop.
    Drained {
        worker: WorkerId,
        after: Duration,
        quiet: bool,
    },
    /// Every one of so many workers is to have a new process.
    ReloadBegan {
        workers: u32,
    },
    /// That has ended.
    Reloaded {
        reloaded: Reloaded,
    },
    /// It has the slot now, and does not listen on these addresses, where the process before it did.
    Dropped {
        worker: WorkerId,
        balancers: Vec<BalancerId>,
    },
    /// A reload failed, and so many workers that had a new process get one of the old version.
    RollingBack {
        failed: Failed,
        workers: u32,
    },
    /// The process works, and another is to take its place.
    Recycled {
        worker: WorkerId,
        reason: RecycleReason,
    },
    /// It is over the limit only by what it shares, and stays.
    SharesMemory {
        worker: WorkerId,
        resident: u64,
        own: u64,
        limit: u64,
    },
    /// There is the same reason to replace it as there was for the process before it: it is left alone for so long after it began.
    NoBetter {
        worker: WorkerId,
        reason: RecycleReason,
        pause: Duration,
    },
    /// It was not to be: the old one goes on.
    NotReplaced {
        reason: RecycleReason,
        failed: Failed,
    },
    /// The cluster stops.
    Stopping {
        workers: u32,
        kill_in: Option<Duration>,
    },
    /// The worker did not stop in time and was killed.
    Forced {
        worker: WorkerId,
        after: Duration,
    },
    /// No worker has ever been ready and each has died: the cluster gives up.
    NeverStarted {
        worker: WorkerId,
        exit: Option<Exit>,
    },
    Scaled {
        from: u32,
        to: u32,
    },
    /// The listening socket failed and is opened again after this.
    BalancerFailed {
        balancer: BalancerId,
        error: String,
        retry_in: Duration,
    },
    /// It was this worker that shut the balancer's socket down, so long after it had got it. `alone`: no other had it. It gets it no
    /// more.
    ShutDown {
        balancer: BalancerId,
        worker: WorkerId,
        after: Duration,
        alone: bool,
    },
    BalancerReopened {
        balancer: BalancerId,
    },
    /// There has been no worker for the balancer for this long: connections are refused.
    Refusing {
        balancer: BalancerId,
        after: Duration,
    },
    /// There is a worker again: connections are no longer refused.
    Accepting {
        balancer: BalancerId,
    },
    BalancerClosed {
        balancer: BalancerId,
    },
}

/// Why a boot is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BootEnd {
    /// It waits.
    Waits,
    /// It has used so much processor time.
    Spent(Duration),
    /// It could not be seen what it does, for so long.
    Unseen,
}
