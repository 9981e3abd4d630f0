//! What is said to a cluster and about it: plain data, the same for the library, the control socket and the command
//! line. Nothing here acts.

mod cause;
mod command;
mod difference;
mod environment;
mod event;
mod health;
mod hooks;
mod inspection;
mod launch;
mod log_line;
mod scheduled;

pub use cause::{Cause, CauseKind};
pub use command::{Action, Command, Failure, NO_LIMIT, Reply, ScaleTo, Target};
pub use difference::{Difference, Takes, Variables};
pub use environment::Environment;
pub use event::Event;
pub use health::Health;
pub use hooks::{GateReport, GateState, HookFailure, HookReport};
pub use inspection::{
    Balancer, BalancerState, Beside, ClusterState, Draining, Inspection, LastReload, Rollout, Worker,
    WorkerState,
};
pub use launch::Launch;
pub use log_line::{LogLine, LogStream, Logs};
pub use scheduled::Scheduled;

/// The version of the JSON that the control socket speaks.
pub const VERSION: u32 = 1;

/// Left out where it is none.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes it so")]
fn is_zero(count: &u64) -> bool {
    *count == 0
}
