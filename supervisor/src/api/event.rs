//! What happens in a cluster, as it happens.

use super::cause::CauseKind;
use super::health::Health;
use super::hooks::GateState;
use super::inspection::{BalancerState, ClusterState, WorkerState};
use super::log_line::LogStream;
use serde::{Deserialize, Serialize};

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Event {
    /// A worker changed its state.
    Worker {
        /// The logical id.
        id: String,
        state: WorkerState,
        pid: Option<u32>,
        /// Why, where there is a why: how it exited, that its budget is spent.
        #[serde(skip_serializing_if = "Option::is_none")]
        cause: Option<String>,
        /// The same for programs.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        kind: Option<CauseKind>,
    },
    /// A load balancer changed its state.
    LoadBalancer {
        address: String,
        state: BalancerState,
        #[serde(skip_serializing_if = "Option::is_none")]
        cause: Option<String>,
    },
    /// A worker left the rotation or came back.
    Rotation {
        id: String,
        address: String,
        in_rotation: bool,
        cause: String,
        /// Why it left; `None` where it came back.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        kind: Option<CauseKind>,
    },
    /// A pulse of a worker.
    Health { id: String, health: Health },
    /// A reload has ended: `done`, `failed`, `aborted`, `superseded` by a newer one, or `stopped` with the cluster.
    Reload {
        outcome: String,
        /// Why it failed or was aborted, and what became of the workers; of one that is done, what is no longer listened on.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        cause: Option<String>,
        /// What the process that came to nothing wrote to stderr last: up to 20 lines.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        stderr: Vec<String>,
    },
    /// The cluster has begun (`running`), or was told to stop (`stopping`). That it is at rest is told by `Standby`.
    Cluster { state: ClusterState },
    /// A command that has to allow a start or a reload runs, or has ended.
    Hook {
        /// `before_start` or `before_reload`.
        hook: String,
        state: GateState,
        /// Why it has not allowed it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        cause: Option<String>,
        /// What it wrote last, if it has not allowed it: up to 20 lines.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        output: Vec<String>,
    },
    /// A line of the log.
    Log { text: String },
    /// A line was written, by a worker or by the supervisor: only for who has asked for `Action::Logs`.
    Line {
        /// The logical id; `None` for a line of the supervisor's.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        worker: Option<String>,
        stream: LogStream,
        text: String,
    },
    /// The cluster is at rest: no worker and no load balancer is active.
    Standby { outcome: String },
    /// So many events, or lines, were not delivered because nobody took them.
    Missed { count: u64 },
}
