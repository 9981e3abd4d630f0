//! The library's handle on a running cluster: starts a loop on a thread of its own and speaks to it. It installs no
//! signal handler unasked and decides nothing.

mod inner;
mod starting;
mod worker_handle;

pub use inner::ExitReport;
use inner::{Inner, Life, Running, current};
pub use worker_handle::WorkerHandle;

use crate::api::{Action, Command, Event, Failure, Inspection, Reply, ScaleTo, Target};
use crate::config::{Builder, Config};
use crate::error::Error;
use crate::event_loop;
use crate::hooks::Hooks;
use crate::io::machine::wall_clock::milliseconds;
use crate::link::Order;
use crate::pool::Outcome;
use crossbeam_channel::{Receiver, bounded};
use std::ffi::OsString;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// A cluster of workers behind shared listening sockets.
///
/// A handle is cheap to clone, and may be used from any thread. When the last clone is dropped the cluster stops, within
/// its `stop_timeout`, and the drop returns when no process and no thread of it is left.
///
/// ```no_run
/// let cluster = clustermon::Cluster::builder(["node", "server.js"]).workers(4).start()?;
/// println!("{} workers", cluster.count_workers());
/// cluster.stop();
/// let report = cluster.wait();
/// # Ok::<(), clustermon::Error>(())
/// ```
#[derive(Clone)]
pub struct Cluster {
    pub(crate) inner: Arc<Inner>,
}

/// Its name: what it was told may hold what no log should, and every handle on a worker has a handle on it.
impl fmt::Debug for Cluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cluster").field("name", &self.inner.config.name).finish_non_exhaustive()
    }
}

impl Cluster {
    /// A cluster of this command: the program, as on a command line, then its arguments.
    pub fn builder(command: impl IntoIterator<Item = impl Into<OsString>>) -> Builder {
        Builder::new(command)
    }

    pub(crate) fn new(config: Config, hooks: Hooks) -> Self {
        let board = Arc::default();
        let (life, ended) = Default::default();
        Self { inner: Arc::new(Inner { config, hooks, board, life, ended }) }
    }

    /// Stops every worker and closes every load balancer; returns at once. See [`Cluster::wait`].
    pub fn stop(&self) {
        let _ = self.send(Action::Stop { target: Target::Cluster });
    }

    /// Kills every worker at once.
    pub fn kill(&self) {
        let _ = self.send(Action::ForceStop { target: Target::Cluster });
    }

    /// Waits until the cluster has come to rest, however long that takes. At once if it is not running.
    ///
    /// # Errors
    /// What made the supervisor itself fail.
    pub fn wait(&self) -> Result<ExitReport, Arc<Error>> {
        let mut life = self.inner.life.lock();
        loop {
            match (&life.report, &life.running) {
                (Some(report), _) => return report.clone(),
                (None, None) => {
                    return Ok(ExitReport { outcome: Outcome::Stopped, last_exits: Vec::new() });
                }
                (None, Some(_)) => self.inner.ended.wait(&mut life),
            }
        }
    }

    /// As [`Cluster::wait`], but no longer than this; `None` if it still runs.
    pub fn wait_timeout(&self, limit: Duration) -> Option<Result<ExitReport, Arc<Error>>> {
        let mut life = self.inner.life.lock();
        let idle = |life: &mut Life| life.report.is_none() && life.running.is_some();
        self.inner.ended.wait_while_for(&mut life, idle, limit);
        match (&life.report, &life.running) {
            (Some(report), _) => Some(report.clone()),
            (None, None) => Some(Ok(ExitReport { outcome: Outcome::Stopped, last_exits: Vec::new() })),
            (None, Some(_)) => None,
        }
    }

    /// The cluster as it is now.
    pub fn inspect(&self) -> Inspection {
        if let Ok(Reply::Inspection(inspection)) = self.command(Action::Inspect, None) {
            return inspection;
        }
        let last = self.inner.board.picture.read().clone();
        last.unwrap_or_else(|| event_loop::resting(&self.inner.config))
    }

    /// Workers that exist.
    pub fn count_workers(&self) -> usize {
        self.inspect().count_workers()
    }

    /// Workers that are ready.
    pub fn count_running_workers(&self) -> usize {
        self.inspect().count_running_workers()
    }

    /// Workers that are not in standby.
    pub fn count_active_workers(&self) -> usize {
        self.inspect().count_active_workers()
    }

    /// Load balancers that accept.
    pub fn count_running_load_balancers(&self) -> usize {
        self.inspect().count_running_load_balancers()
    }

    /// Load balancers that are not in standby.
    pub fn count_active_load_balancers(&self) -> usize {
        self.inspect().count_active_load_balancers()
    }

    /// Calls `visit` for each worker as of now.
    pub fn for_each_worker(&self, mut visit: impl FnMut(WorkerHandle)) {
        for worker in self.inspect().workers {
            visit(WorkerHandle::new(self.clone(), worker));
        }
    }

    /// Calls `visit` for each load balancer as of now.
    pub fn for_each_load_balancer(&self, visit: impl FnMut(crate::api::Balancer)) {
        self.inspect().load_balancers.into_iter().for_each(visit);
    }

    /// The worker with this logical id, if there is one.
    pub fn worker(&self, id: &str) -> Option<WorkerHandle> {
        let workers = self.inspect().workers;
        workers
            .into_iter()
            .find(|worker| worker.id == id)
            .map(|worker| WorkerHandle::new(self.clone(), worker))
    }

    /// Changes the number of workers: new ones get the next logical ids of the list, then the smallest unused numbers.
    ///
    /// # Errors
    /// [`Failure`] if that is no possible number, or the cluster does not run.
    pub fn scale(&self, workers: u32) -> Result<(), Failure> {
        self.command(Action::Scale { workers: ScaleTo::To(workers) }, None).map(drop)
    }

    /// Gives every worker a new process, one after the other and without a gap, and waits for the end of that for as long
    /// as `wait` says, if it says so.
    ///
    /// # Errors
    /// [`Failure::ReloadFailed`] if a new process came to nothing, somebody aborted it or a newer reload took the place of
    /// this one: the old ones go on; others if it takes longer, or if the cluster does not run.
    pub fn reload(&self, wait: Option<Duration>) -> Result<(), Failure> {
        self.command(Action::Reload, wait).map(drop)
    }

    /// Ends the reload that is under way: processes that have yet to take a place go, the old ones go on.
    ///
    /// # Errors
    /// [`Failure::Refused`] if there is none, another if the cluster does not run.
    pub fn abort_reload(&self) -> Result<(), Failure> {
        self.command(Action::AbortReload, None).map(drop)
    }

    /// Everything that happens from now on. A receiver that is not read misses events and is told how many.
    pub fn events(&self) -> Receiver<Event> {
        self.inner.board.subscribe()
    }

    /// Sends any command and waits for its answer; with `wait`, until it is done or so much time has passed.
    ///
    /// # Errors
    /// [`Failure`] says why not, or not yet.
    pub fn command(&self, action: Action, wait: Option<Duration>) -> Result<Reply, Failure> {
        if self.is_own_thread() {
            // A hook on the loop's thread cannot wait for the loop.
            return match (action, self.inner.board.picture.read().clone()) {
                (Action::Inspect, Some(picture)) => Ok(Reply::Inspection(picture)),
                (Action::Inspect, None) => Err(Failure::NotRunning),
                (action, _) => self.send(action).map(|_| Reply::Done),
            };
        }
        let wait_ms = wait.map(milliseconds);
        let answer = self.submit(Command { action, wait_ms })?;
        answer.recv().unwrap_or(Err(Failure::NotRunning))
    }

    fn send(&self, action: Action) -> Result<Receiver<Result<Reply, Failure>>, Failure> {
        self.submit(Command { action, wait_ms: None })
    }

    fn submit(&self, command: Command) -> Result<Receiver<Result<Reply, Failure>>, Failure> {
        let (answer, answered) = bounded(1);
        let life = self.inner.life.lock();
        let running = life.running.as_ref().ok_or(Failure::NotRunning)?;
        running.orders.send(Order { command, answer }).map_err(|_| Failure::NotRunning)?;
        drop(life);
        self.inner.board.wake();
        Ok(answered)
    }

    fn is_own_thread(&self) -> bool {
        let own = |running: &Running| running.thread.thread().id() == current();
        self.inner.life.lock().running.as_ref().is_some_and(own)
    }
}
