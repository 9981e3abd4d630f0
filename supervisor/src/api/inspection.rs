//! A cluster as it was at one moment. Times are milliseconds since the Unix epoch.

use super::cause::{Cause, CauseKind};
use super::health::Health;
use super::hooks::HookReport;
use super::launch::Launch;
use serde::{Deserialize, Serialize};

/// The whole cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Inspection {
    pub name: String,
    pub state: ClusterState,
    /// The supervisor's process.
    pub pid: u32,
    pub started_at: Option<u64>,
    /// In the order of their slots.
    pub workers: Vec<Worker>,
    /// In the order in which they were opened.
    pub load_balancers: Vec<Balancer>,
    /// What it runs, where, and where it writes to.
    #[serde(flatten)]
    pub launch: Box<Launch>,
    /// What is being rolled out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollout: Option<Rollout>,
    /// How the last reload ended, of those that no newer one has taken the place of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_reload: Option<LastReload>,
    /// How its hooks are doing, where it has any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hooks: Option<Box<HookReport>>,
}

/// How a reload ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct LastReload {
    pub ended_at: u64,
    /// `done`, `failed` or `aborted`.
    pub outcome: String,
    /// Why, and what became of the workers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
}

/// Processes that are being replaced one after the other.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Rollout {
    /// `reload`, `rollback`, or why one process is replaced.
    pub purpose: String,
    /// Workers that have their new process. Each counts once: these three are all workers that are to have one.
    pub done: usize,
    /// Those at which it is.
    pub under_way: usize,
    /// Those whose turn is yet to come.
    pub waiting: usize,
    /// Of those that are done, how many have their old process too, which drains.
    #[serde(default)]
    pub draining: usize,
}

/// Where a cluster is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ClusterState {
    /// Not started, or at rest again.
    Standby,
    Running,
    Stopping,
}

/// The states of the original, and `starting`, which there was part of `running`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum WorkerState {
    /// No process.
    Standby,
    /// A process, which is not ready yet.
    Starting,
    /// Ready.
    Running,
    /// Told to stop.
    Stopping,
}

/// One worker.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Worker {
    /// The logical id.
    pub id: String,
    pub state: WorkerState,
    pub pid: Option<u32>,
    /// Other processes of the worker that listen.
    pub members: Vec<u32>,
    /// When the current process was started.
    pub started_at: Option<u64>,
    /// In standby: when it will be started, if it will.
    pub starting_at: Option<u64>,
    /// In standby: why.
    pub reason: Option<String>,
    pub stop_requested_at: Option<u64>,
    /// Stopping: when it will be killed.
    pub force_stop_at: Option<u64>,
    pub forced_stop: bool,
    pub is_debugging: bool,
    /// Stopping, and not yet told to: it finishes what it has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub draining: Option<Draining>,
    /// Other processes of the same id: one that is to take its place, those that had it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub beside: Vec<Beside>,
    /// It gets no connections because somebody said so.
    pub cordoned: bool,
    /// Processes started in the slot after the first.
    pub restarts: u64,
    /// How the last process ended, with its cause.
    pub last_exit: Option<String>,
    /// The cause of that, for programs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_cause: Option<CauseKind>,
    /// What the last process wrote to stderr last, up to 20 lines; only if it ended unasked, and where that is read: with
    /// `capture`, or in the background without a log.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub last_stderr: Vec<String>,
    /// Starting: when it is given up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_timeout_at: Option<u64>,
    /// Why it gets no connections though it runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub out_of_rotation: Option<Cause>,
    /// Connections handed to the worker since the supervisor started.
    pub connections: u64,
    /// A process of it has long requests (a millisecond or more), and is given one connection at a time.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub one_by_one: bool,
    /// The kernel wakes it for connections, and the supervisor does not: its open credit stays open while workers are behind.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub direct: bool,
    /// For how long the least busy of its serving threads has not looked for new work, in milliseconds; `None` while none
    /// serves.
    #[serde(default)]
    pub lag_ms: Option<u64>,
    /// The last pulse.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub health: Option<Health>,
    /// Proportional memory in bytes, what processes share counted in parts; only where somebody measured it, which takes
    /// the kernel about 13 ms for each GiB: `clustermon inspect --pss`, `WorkerHandle::pss`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pss: Option<u64>,
    /// Of these, how many are still open, where somebody counts.
    pub open_connections: Option<u64>,
    /// Its first process is stopped: `stopped by the terminal (SIGTTIN)`, `stopped (SIGSTOP)`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suspended: Option<String>,
    /// Lines that it wrote and that never reached the log: they came faster than they could be written, or could not be written at all.
    #[serde(default, skip_serializing_if = "super::is_zero")]
    pub lines_lost: u64,
    /// What it says that it is doing, by `STATUS=` at its `NOTIFY_SOCKET`.
    #[serde(default)]
    pub status_text: Option<String>,
}

/// A process that gets no new connections and has some left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Draining {
    /// When it is told to stop at the latest.
    pub until: u64,
    /// Open connections, where they have been counted.
    pub connections: Option<u32>,
    /// How many of them are at work, or may be.
    pub busy: Option<u32>,
}

/// A process of a worker that is not, or not any more, the one that counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Beside {
    pub pid: Option<u32>,
    pub state: WorkerState,
    pub started_at: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub draining: Option<Draining>,
}

/// The states of the original.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum BalancerState {
    /// Its socket has failed; it is opened again soon.
    Standby,
    Starting,
    Running,
    Stopping,
}

/// One load balancer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Balancer {
    pub state: BalancerState,
    pub address: String,
    /// The length of the listening queue that was asked for; 0 for UDP, which has none.
    pub backlog: u32,
    /// Connections that wait for a worker: held by the supervisor, or in the queue of the socket where workers accept by credit.
    /// For UDP always 0: the kernel does not tell how many datagrams wait.
    pub queued: u64,
    /// How connections reach workers: `flow:program`, `flow:hash` or `flow:kernel` for UDP; `credit`, `handoff`, or `kernel:program`, `kernel:random` or `kernel:shared` by what the kernel chooses.
    #[serde(default)]
    pub dispatch: String,
    /// Why it is not by credit, or how the kernel chooses and why not better.
    #[serde(default)]
    pub dispatch_reason: Option<String>,
    /// For UDP `flow`.
    pub policy: String,
    /// Connections that workers have got; for UDP flows, which only `flow:program` counts.
    pub connections: u64,
    /// How often a worker had not accepted a millisecond after its turn had come, so that the next got its turn, too.
    #[serde(default)]
    pub late: u64,
    /// Logical ids of the workers in rotation, the next one first.
    pub rotation: Vec<String>,
}

impl Worker {
    /// Its first process and the others that listen.
    pub fn pids(&self) -> impl Iterator<Item = u32> + '_ {
        let first = self.pid.into_iter();
        first.chain(self.members.iter().copied().filter(|member| Some(*member) != self.pid))
    }
}

impl Inspection {
    /// Workers that exist.
    pub fn count_workers(&self) -> usize {
        self.workers.len()
    }

    /// Workers that are ready.
    pub fn count_running_workers(&self) -> usize {
        self.workers.iter().filter(|worker| worker.state == WorkerState::Running).count()
    }

    /// Workers that are not in standby.
    pub fn count_active_workers(&self) -> usize {
        self.workers.iter().filter(|worker| worker.state != WorkerState::Standby).count()
    }

    /// Load balancers that accept.
    pub fn count_running_load_balancers(&self) -> usize {
        self.load_balancers.iter().filter(|balancer| balancer.state == BalancerState::Running).count()
    }

    /// Load balancers that are not in standby.
    pub fn count_active_load_balancers(&self) -> usize {
        self.load_balancers.iter().filter(|balancer| balancer.state != BalancerState::Standby).count()
    }
}
