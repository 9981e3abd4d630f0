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
//! - Without `Readiness::by_listening` only `Ready` makes a worker ready, and its lanes get nothing before; what the shell puts into
//!   such a lane to try the worker is its own, and not told of.
//! - Two processes of one slot may live for a while: one found hung, not ready in time or replaced retires while the slot
//!   goes on with the next, and a successor starts before it has the slot.
//! - The shell never reports a connection as `Accepted` twice, nor as `Returned` while the core holds it.
//! - With `max_connections` the shell answers every `Count`; for `Policy::LeastConnections` it reports
//!   `OpenConnections` of every worker now and then, because what was given is otherwise taken to be open for ever.

#![forbid(unsafe_code)]

mod admission;
mod admitting;
mod backoff;
mod balancer;
mod boot;
mod cluster_stop;
mod commanding;
mod completeness;
mod covered;
mod credit;
mod deadlines;
mod early_connects;
mod endings;
mod event;
mod exit;
mod follow;
mod footprint;
mod hangs;
mod input;
#[cfg(any(test, debug_assertions))]
pub(crate) mod invariants;
mod lags;
mod lane;
mod lane_lifecycle;
mod lifecycle;
mod listening;
mod load;
mod note;
mod open_credit;
mod output;
mod pacing;
mod phase;
#[expect(clippy::module_inception, reason = "a file is named after its one noun, and this one is the pool")]
mod pool;
mod process;
mod processes;
mod queue;
mod queue_looks;
mod readiness;
mod recycle;
mod recycling;
mod replacement;
mod requests;
mod retiring;
mod rolling;
mod rollout;
mod rotation;
mod scale;
mod settings;
mod sharing;
#[cfg(test)]
mod sim;
mod slot;
mod snapshot;
mod socket;
mod spreading;
mod state;
mod steady;
mod stop_rules;
mod successor;
mod suspects;
mod suspicion;
#[cfg(test)]
mod tests;
mod timers;
mod traffic;
mod transition;
mod trust;
mod worker;

pub(crate) use balancer::Balancer;
pub(crate) use deadlines::{Deadline, Timer};
pub(crate) use early_connects::Connecting;
pub(crate) use exit::{Exit, Signal, Then};
pub(crate) use input::{Activity, Command, Finding, Input};
pub(crate) use lane::{Lane, LaneStatus};
pub(crate) use note::{BootEnd, Note};
pub use output::Outcome;
pub(crate) use output::{Change, Output};
pub(crate) use phase::Phase;
pub(crate) use pool::Pool;
pub(crate) use replacement::{Failed, Measure, Progress, Purpose, RecycleReason, Reloaded};
pub(crate) use requests::{Meaning, Request, Requests};
#[cfg(test)]
pub(crate) use settings::{Drain, Options, WhenNoWorker};
pub(crate) use settings::{Policy, Settings};
pub(crate) use socket::{BalancerState, Route};
pub(crate) use state::{Next, Reason, State, Stop};
pub(crate) use trust::{Kin, User, speaks_for};
pub(crate) use worker::Worker;
