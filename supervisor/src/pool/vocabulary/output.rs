//! What the pool orders, and tells of what has changed. Plain data.

use super::exit::{Exit, Signal};
use super::gate::Gate;
use super::note::Note;
use super::replacement::Reloaded;
use super::socket::BalancerState;
use super::state::State;
use crate::ids::{BalancerId, ConnId, LaneId, WorkerId};

/// An order the shell carries out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Output {
    /// Start a process of this version for this worker; answered by `Spawned` or `SpawnFailed`.
    Spawn { worker: WorkerId, version: u32 },
    /// Read anew what a process is made of, as this version; answered by `Prepared` or `Unfit`.
    Prepare { ticket: u64, version: u32 },
    /// Ask whether this may begin: answered by `Allowed` or `Denied`, unless it is dropped.
    AskGate { gate: Gate },
    /// Nobody waits for the answer any more.
    DropGate { gate: Gate },
    /// The worker gets no more connections: tell by `Quiet` when nothing waits in its lanes and nothing is under way in
    /// its connections. Nobody waits for it once the worker has been sent a signal.
    Drain { worker: WorkerId },
    /// Let nobody new in at the balancer's socket, go on to accept what was on its way, and tell by `Emptied` when there is
    /// nothing more of it.
    StopIntake { balancer: BalancerId },
    /// The reload with this number has ended.
    Reloaded { ticket: u64, reloaded: Reloaded },
    /// Hand the connection to the lane. If the lane does not take it, the shell answers `NoRoom` or `LaneClosed`, and then `Returned`.
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
    /// The rotation of the balancer has changed, by which the kernel chooses, or whether it refuses connections.
    Steer { balancer: BalancerId },
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
    /// The cluster has begun: its first workers are about to be started.
    Begun,
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
