//! The pure core: decides which worker gets a connection and which process starts, stops or is replaced.
//! It performs no IO, reads no clock, rolls no dice, holds no fd and writes no log.
//!
//! # Contract
//! - Time is an argument and never goes back; the next deadline is an answer.
//! - `Pool::handle` and `Pool::handle_timeout` may change every answer: `poll_output`, `may_accept`, `next_deadline`.
//! - After each of them the shell drains `poll_output` until `None`, carrying out each order in turn. An order that
//!   asks (`Measure`, `Look`, `Count`, `Examine`, `ExamineHolder`, `LookAtBoot`, `Retire`,
//!   `TakeBack`, `Vacate`, `Reopen`) is answered by further inputs at once or later.
//!   Only `Measure` is waited for, and only by the connections held for that balancer. A count that answers is of what
//!   the shell had carried out by then; dispatches that it has yet to poll are added here.
//! - After `handle_timeout(now)` the next deadline is later than `now`.
//! - `Pool::connects` is asked before a worker's process connects, and remembers whom it has refused. It changes no other answer.
//! - An input that names a dead incarnation, an unknown slot, lane or balancer is dropped without effect, except that
//!   a connection it carries is never lost: it is dispatched again or refused; and what it opened is closed again:
//!   a lane by `Retire`, a balancer that is not known or opens once the cluster stops by `CloseBalancer`.
//! - `Late` comes before the `Lag`s of its look and with the same `now`. `Lag` comes at each look for who is at or above
//!   half of `lag_limit` and for every `Pool::is_in_question`, be it zero: who is not told of stays a suspect.
//! - `AskGate` is answered by `Allowed` or `Denied`, once; an answer that comes after `DropGate` is dropped.
//! - Without `Readiness::by_listening` only `Ready` makes a worker ready, and its lanes get nothing before; what the shell puts into
//!   such a lane to try the worker is its own, and not told of.
//! - Two processes of one slot may live for a while: one found hung, not ready in time or replaced retires while the slot
//!   goes on with the next, and a successor starts before it has the slot.
//! - The shell never reports a connection as `Accepted` twice, nor as `Returned` while the core holds it.
//! - With `max_connections` the shell answers every `Count`; for `Policy::LeastConnections` it reports
//!   `OpenConnections` of every worker now and then, because what was given is otherwise taken to be open for ever.

#![forbid(unsafe_code)]

// The rooms stand in their order: each may use those below it, and none above.

mod snapshot;

/// What is true after every input.
#[cfg(any(test, debug_assertions))]
pub(crate) mod invariants;

/// What people want: of one worker, of their number, of the cluster.
mod commands;

/// Processes are replaced without a gap.
mod rollouts;

/// Who lags, who hangs, and what follows.
mod health;

/// Processes start, are ready, and end.
mod lives;

/// Addresses and lanes come and go, and connections are given out.
mod connections;

/// Workers accept by themselves.
mod credits;

#[expect(clippy::module_inception, reason = "a file is named after its one noun, and this one is the pool")]
mod pool;

/// A shared address, its rotation and its queue.
mod balancers;

/// Slots, processes and the table of their states.
mod workers;

/// A lane, and what may wait in it.
mod lanes;

/// What is known of one process.
mod vitals;

/// The words that all rooms and the shell share.
mod vocabulary;

#[cfg(test)]
mod tests;

pub(crate) use balancers::balancer::Balancer;
pub(crate) use commands::requests::{Meaning, Request, Requests};
pub(crate) use commands::timetable::{Deed, Entry, Notice, Timetable};
pub(crate) use lanes::lane::Lane;
pub(crate) use lanes::status::LaneStatus;
pub(crate) use lives::early_connects::Connecting;
pub(crate) use pool::Pool;
pub(crate) use vitals::trust::{Kin, User, speaks_for};
pub(crate) use vocabulary::deadlines::{Deadline, Timer};
pub use vocabulary::exit::Exit;
pub(crate) use vocabulary::exit::{Signal, Then};
pub(crate) use vocabulary::gate::Gate;
#[cfg(test)]
pub(crate) use vocabulary::gate::Gates;
pub(crate) use vocabulary::input::{Activity, Finding, Input, WorkerCommand};
pub(crate) use vocabulary::note::{BootEnd, Note};
pub use vocabulary::output::Outcome;
pub(crate) use vocabulary::output::{Change, Output};
pub(crate) use vocabulary::phase::Phase;
pub(crate) use vocabulary::replacement::{Failed, Measure, Progress, Purpose, RecycleReason, Reloaded};
#[cfg(test)]
pub(crate) use vocabulary::settings::{Drain, Options, WhenNoWorker};
pub(crate) use vocabulary::settings::{Policy, Settings};
pub(crate) use vocabulary::socket::{BalancerState, Route};
pub(crate) use vocabulary::state::{Next, Reason, State, Stop};
pub(crate) use workers::worker::Worker;
