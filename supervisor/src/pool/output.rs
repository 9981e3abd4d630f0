//! What the pool orders and tells. Plain data.

use super::{BalancerState, BootEnd, Exit, Failed, Finding, RecycleReason, Reloaded, Signal, State, Then};
use crate::ids::{BalancerId, ConnId, LaneId, WorkerId};
use std::time::Duration;

/// An order the shell carries out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Output {
    /// Start a process of this version for this worker; answered by `Spawned` or `SpawnFailed`.
    Spawn { worker: WorkerId, version: u32 },
    /// Read anew what a process is made of, as this version; answered by `Prepared` or `Unfit`.
    Prepare { ticket: u64, version: u32 },
    /// The worker gets no more connections: tell by `Quiet` when nothing waits in its lanes and nothing is under way in
    /// its connections. Nobody waits for it once the worker has been sent a signal.
    Drain { worker: WorkerId },
    /// Let nobody new in at the balancer's socket, go on to accept what was on its way, and tell by `Emptied` when there is
    /// nothing more of it.
    CloseDoor { balancer: BalancerId },
    /// The reload with this number has ended.
    Reloaded { ticket: u64, reloaded: Reloaded },
    /// Hand the connection to the lane. If the lane does not take it, the shell answers `Measured` (with what waits in
    /// it, at least the window) and then `Returned`.
    Dispatch { conn: ConnId, lane: LaneId },
    /// Give the lane a single credit: the right to accept one connection.
    Grant { lane: LaneId },
    /// Give the lane an open credit: the right to accept until the queue is empty. Its end is told by `Shut`.
    Open { lane: LaneId },
    /// Wake the lane's worker, which waits at the queue itself by an open credit: the kernel may have woken one that may not accept.
    Wake { lane: LaneId },
    /// While the lane's worker waits at the queue itself it is to accept one connection in each round, or as many as it likes.
    Pace { lane: LaneId, one_each: bool },
    /// Accept one connection and hand it to the lane, which takes no credit; answered by `NoneTaken` if there is none.
    TakeFor { lane: LaneId },
    /// Tell how many connections wait in the queue of the balancer's socket, and before that what its lanes have done.
    LookAtQueue { balancer: BalancerId },
    /// Close the connection: there is nobody to serve it.
    Refuse { conn: ConnId },
    /// Answer how many connections wait in the lane.
    Measure { lane: LaneId },
    /// Tell by one `Measured` when the lane has next been read from; at once if it has been since it was last counted. Of
    /// one that is given one by one: when its thread next waits for connections.
    /// Ordered again where that is not the end of it. While one such order stands, another changes nothing.
    Watch { lane: LaneId },
    /// Answer by `Looked` whether the worker still holds the lane.
    Look { lane: LaneId },
    /// Answer by `OpenConnections`: the worker is believed to have as many as it may. Ordered again while it has.
    Count { worker: WorkerId },
    /// Answer by `Booting` what the worker, which is starting, does. Ordered again while something depends on it.
    LookAtBoot { worker: WorkerId },
    /// Measure the worker's memory, with its part of what it shares; answered by `MemoryMeasured`.
    MeasureMemory { worker: WorkerId },
    /// Find out what the worker is doing, and why it takes nothing: answer by `Examined`. Ordered at each look while it
    /// takes nothing.
    Examine { worker: WorkerId },
    /// The same of the one process that holds the lane, while others of its worker take what comes: answer by
    /// `HolderExamined`. Ordered at each look while it takes nothing.
    ExamineHolder { lane: LaneId },
    /// End the process that holds the lane: its parent starts another.
    EndHolder { lane: LaneId },
    /// Take back what waits in the lane (each connection comes as `Returned`), its credits too, and leave a void record; the
    /// lane stays.
    TakeBack { lane: LaneId },
    /// The same, and a void record waits in the lane in any case.
    Vacate { lane: LaneId },
    /// Take back what waits in the lane (each comes as `Returned`) and close it.
    Retire { lane: LaneId },
    /// The balancer may accept again: `may_accept` turned true.
    Resume { balancer: BalancerId },
    /// Open the listening socket of the balancer anew; answered by `BalancerReopened` or `BalancerFailed`.
    Reopen { balancer: BalancerId },
    /// Close the listening socket of the balancer; the core has forgotten it.
    CloseBalancer { balancer: BalancerId },
    /// Send the signal to the worker's processes, members first.
    Signal { worker: WorkerId, signal: Signal },
    /// Something changed its state. Told of each change in turn: what `Pool::workers` shows may be ahead of it.
    Changed(Change),
    /// Something a person may want to read.
    Note(Note),
    /// The cluster has come to rest; nothing runs and nothing is held. The last output, but that what comes in even
    /// later is refused or closed. Said when every other output has been polled, so that what a `Retire` before it
    /// gives back at once is refused before it.
    Done(Outcome),
}

/// A worker or a balancer that is not as it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// The worker is in this state now. Moments that only the pool cares about (boot slot, settling) are no change.
    Worker { worker: WorkerId, state: State },
    /// The worker was cordoned or is not any more.
    Cordon { worker: WorkerId, cordoned: bool },
    /// The worker is a suspect, for its lag or for a lane of it, or is not any more.
    Suspect { worker: WorkerId, suspect: bool },
    /// The slot was scaled away and its worker is gone.
    WorkerRemoved { worker: WorkerId },
    /// The balancer is in this state now; the first time when it opens.
    Balancer { balancer: BalancerId, state: BalancerState },
    /// The core has forgotten the balancer; its socket is about to be closed.
    BalancerRemoved { balancer: BalancerId },
}

/// Why the cluster came to rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was told to stop.
    Stopped,
    /// Every worker has done its work: it exited with a code that says so.
    Finished,
    /// No worker will run again, and one at least because its restart budget is spent.
    Exhausted,
    /// No worker has ever been ready and each has died; this one last. `exit` is `None` if no process came of it.
    NeverStarted { worker: WorkerId, exit: Option<Exit> },
}

impl Outcome {
    /// The exit code of a supervisor that comes to rest like this.
    pub(crate) fn code(self) -> u8 {
        match self {
            Self::Stopped | Self::Finished => 0,
            Self::Exhausted | Self::NeverStarted { .. } => 1,
        }
    }
}

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
