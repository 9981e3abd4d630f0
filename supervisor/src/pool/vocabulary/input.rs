//! What the pool is told: facts of the operating system, and what people command. Plain data.

use super::exit::Exit;
use super::gate::Gate;
use super::settings::Settings;
use super::socket::Route;
use crate::ids::{BalancerId, ConnId, LaneId, WorkerId};
use std::time::Duration;

/// A fact the shell reports, or something somebody wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Input {
    /// Begin: every worker is to run.
    Start,
    /// The process exists.
    Spawned { worker: WorkerId, pid: u32 },
    /// No process came of the order to spawn.
    SpawnFailed { worker: WorkerId, error: String },
    /// A new shared address is being listened on.
    /// Of one that the kernel brings connections to, each lane is a socket that a worker listens on.
    BalancerOpened { balancer: BalancerId, route: Route },
    /// So many connections wait in the queue of the lane's own socket: told at each look while there are any.
    QueuedAt { lane: LaneId, waiting: u32 },
    /// The listening socket of the balancer does not work any more, or could not be opened again: nothing is
    /// accepted until `Reopen` has been carried out. Its lanes stay.
    BalancerFailed { balancer: BalancerId, error: String },
    /// The balancer listens again: the answer to `Reopen`. `anew`: on a socket that no worker has.
    BalancerReopened { balancer: BalancerId, anew: bool },
    /// A process that holds the lane has got the socket from which it accepts by itself.
    SocketGiven { lane: LaneId },
    /// A process of the worker listens on the balancer's address through this lane. With `Readiness::by_listening` the first one
    /// makes the worker ready.
    LaneOpened { lane: LaneId, worker: WorkerId, balancer: BalancerId },
    /// A process asked to listen on the balancer's address and was gone before it was answered: it has no lane.
    Unlistened { balancer: BalancerId },
    /// A process that shared the lane `from` has got `to`, whose `LaneOpened` has been told: who else receives from
    /// `from`, if anybody does, is not known.
    LaneShared { from: LaneId, to: LaneId },
    /// Nobody in the worker holds the lane any more, or it broke. What it held comes as `Returned`, on `Retire`; a
    /// lane that is no longer known needs no `Retire`.
    LaneClosed { lane: LaneId },
    /// The lane did not take a connection, however many may wait in it: it is given none until it is counted anew.
    NoRoom { lane: LaneId },
    /// How many connections wait in the lane now: the answer to `Measure`, and sent unasked when a watched lane drains.
    /// Of a lane that is given one by one, with the one that is being served.
    Measured { lane: LaneId, waiting: u32 },
    /// From now on the lane is given one connection at a time, because its requests are long; or no longer. A lane that is
    /// watched meanwhile is told of by `Measured`.
    OneByOne { lane: LaneId, on: bool },
    /// The process that holds the lane accepts by itself, on credit, or no longer.
    TakesCredit { lane: LaneId, on: bool },
    /// So many threads accept by the lane, and whether an open credit fits the way in which they do, and whether they can wait at the
    /// queue itself meanwhile.
    Accepters { lane: LaneId, threads: u32, may_open: bool, may_watch: bool },
    /// So many connections wait in the queue of a balancer that works by credit, told after what is known of its lanes; or of one
    /// whose connections the kernel brings, told at each look.
    Queued { balancer: BalancerId, waiting: u32 },
    /// The lane's open credit has ended: its worker found the queue empty.
    Shut { lane: LaneId },
    /// The worker waits for connections at the queue itself while the lane's credit is open, which it does not shut; so often it has
    /// found the queue empty since that was last told.
    Direct { lane: LaneId, empty: u32 },
    /// The lane's open credit has not moved since the last look, though its queue is not empty and its thread waits.
    Stalled { lane: LaneId },
    /// The lane's thread has been woken by what it was given, and waits for a processor.
    Woken { lane: LaneId },
    /// The process that holds the lane had no descriptor for a connection; what it was given has gone back.
    Exhausted { lane: LaneId },
    /// So many connections were accepted by the lane, by credits.
    Took { lane: LaneId, count: u32 },
    /// The answer to `TakeFor` if there was none: the lane has been given nothing.
    NoneTaken { lane: LaneId },
    /// The answer to `Look`: how many wait, and whether the worker still holds its end.
    Looked { lane: LaneId, waiting: u32, held: bool },
    /// A connection came out of the kernel's accept queue. `source` stands for its peer's address without the port,
    /// and is only looked at by `Policy::SourceHash`.
    Accepted { conn: ConnId, balancer: BalancerId, source: u64 },
    /// A connection came back: taken back from a lane, or the lane did not take it.
    Returned { conn: ConnId, balancer: BalancerId, source: u64 },
    /// So many connections of the worker are open now, with those that wait in its lanes and its unused singles: the answer to
    /// `Count`, and told unasked as often as the shell likes.
    OpenConnections { worker: WorkerId, open: u64 },
    /// The worker has said or shown that it is ready, for the first time or again after `SaysStopping`.
    Ready { worker: WorkerId },
    /// The worker has said that it is about to end: it gets no more connections.
    SaysStopping { worker: WorkerId },
    /// The worker has said that it takes longer to start: it may until so long from now.
    Extended { worker: WorkerId, by: Duration },
    /// What the starting worker does: the answer to `LookAtBoot`. `None` where it cannot be seen.
    Booting { worker: WorkerId, activity: Option<Activity> },
    /// The worker's least busy serving thread has been away from its wait for so long.
    Lag { worker: WorkerId, lag: Duration },
    /// This look came late by more than a fifth of `lag_limit`: what is told at this moment counts for nothing.
    Late,
    /// What the worker was found to be doing: the answer to `Examine`. `evidence` is for people, and only passed on.
    Examined { worker: WorkerId, finding: Finding, evidence: String },
    /// What the process that holds the lane was found to be doing: the answer to `ExamineHolder`.
    HolderExamined { lane: LaneId, finding: Finding, evidence: String },
    /// Somebody who knows says that the worker is not well, and why: it is restarted unless too many are down for their
    /// health. To be said again while it is so and the worker still runs.
    Unwell { worker: WorkerId, cause: String },
    /// The worker's first process has ended unasked, and not well, while others of the worker live.
    MainEnded { worker: WorkerId, exit: Exit },
    /// The worker is gone: its first process has exited and no process of it that listened lives.
    Exited { worker: WorkerId, exit: Exit },
    /// What somebody wants of the worker in the slot. One that starts something has no effect unless the cluster serves.
    Command { slot: u32, command: WorkerCommand },
    /// The cluster is to have so many workers, at least 1: new slots are started, the highest ones stop and disappear.
    Scale { workers: u32 },
    /// Other settings, but for the number of workers and what is fixed when lanes and balancers are made.
    Configure { settings: Box<Settings> },
    /// Nothing is under way any more in the connections of a worker that drains: the answer to `Drain`.
    Quiet { worker: WorkerId },
    /// So many bytes of memory does the worker hold, what it shares with others counted in full: told at each sample where
    /// there is a limit.
    Memory { worker: WorkerId, bytes: u64 },
    /// So many bytes does the worker hold, what it shares counted in part: the answer to `MeasureMemory`. `None` if that
    /// cannot be read.
    MemoryMeasured { worker: WorkerId, bytes: Option<u64> },
    /// Every worker is to have a new process of a new version; how that ends is told as `Reloaded` with this number. With `in_place` each
    /// old process ends before the new one starts, whatever the settings allow.
    Reload { ticket: u64, in_place: bool },
    /// The reload that is under way, or the return to what was before it, ends now; nothing happens if there is none.
    AbortReload,
    /// The version of this reload can be spawned: the answer to `Prepare`.
    Prepared { ticket: u64 },
    /// This may begin: the answer to `AskGate`.
    Allowed { gate: Gate },
    /// It may not, for this reason: the other answer to `AskGate`.
    Denied { gate: Gate, error: String },
    /// It cannot, for this reason: the other answer to `Prepare`.
    Unfit { ticket: u64, error: String },
    /// Nothing is left in the queue of the balancer's socket, and nothing comes: the answer to `StopIntake`.
    Emptied { balancer: BalancerId },
    /// Stop everything, after what was let in has been served: the workers drain, then as `Halt`.
    Stop,
    /// Stop everything: the stop signal, then the kill signal at `stop_timeout`.
    Halt,
    /// Stop everything at once, by the kill signal.
    Kill,
}

/// What a suspect that takes far too long was found to be doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Finding {
    /// It has wanted nothing but the CPU ever since it became a suspect, and had it for most of the hang limit.
    Busy,
    /// It is stopped, as by SIGSTOP.
    Stopped,
    /// It waits for a lock (a futex).
    Lock,
    /// It waits in a read, write, connect or poll, or for a child: slow, not hung.
    Blocked,
    /// It wants the CPU at this moment, or a lock, and has been given too little of the CPU to tell.
    Starved,
    /// A debugger traces it.
    Traced,
    /// It cannot be told.
    Unknown,
}

/// What all processes of a worker have done so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Activity {
    /// Processor time, that of children which have ended included.
    pub spent: Duration,
    /// Processor time of the threads that live, as exactly as the kernel counts it: it changes whenever one has run.
    pub running: Duration,
    /// Every thread sleeps, and waits for something other than a disk.
    pub asleep: bool,
}

/// What can be wanted of one worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WorkerCommand {
    /// Run: now if it is down, and again if it stops.
    Start,
    /// Stop, and stay down until commanded.
    Stop,
    /// Stop and start again, or start if it is down. Needs no budget and no delay.
    Restart,
    /// SIGHUP; where nothing runs, start.
    HangUp,
    /// SIGKILL, and stay down.
    ForceStop,
    /// SIGABRT, and stay down.
    Dump,
    /// SIGUSR1 and no kill: somebody debugs it and ends it.
    Debug,
    /// This signal, whatever it does.
    Signal(i32),
    /// Out of rotation, whatever processes come and go.
    Cordon,
    /// Back into rotation, at its end.
    Uncordon,
}
