//! The library's handle on a running cluster: starts a loop on a thread of its own and speaks to it. It installs no
//! signal handler unasked and decides nothing.

mod worker_handle;

pub use worker_handle::WorkerHandle;

use crate::api::{Action, Command, Event, Failure, Inspection, Reply, ScaleTo, Target};
use crate::config::{Builder, Config, ConfigError};
use crate::error::Error;
use crate::event_loop::{self, Setup};
use crate::hooks::Hooks;
use crate::io::events::signals::Blocked;
use crate::io::machine::wall_clock::milliseconds;
use crate::link::{Board, Inbox, Order};
use crate::pool::Outcome;
use crossbeam_channel::{Receiver, Sender, bounded, unbounded};
use parking_lot::{Condvar, Mutex};
use std::any::Any;
use std::cell::Cell;
use std::ffi::OsString;
use std::fmt;
use std::sync::Arc;
use std::thread::{self, JoinHandle, ThreadId};
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

/// How a cluster came to rest.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ExitReport {
    /// Why it did.
    pub outcome: Outcome,
    /// The logical id of each worker, and how its last process ended.
    pub last_exits: Vec<(String, Option<String>)>,
}

impl ExitReport {
    /// The exit code of a program that does nothing but run the cluster: 0 if it was stopped or had finished, else 1.
    pub fn code(&self) -> u8 {
        self.outcome.code()
    }
}

pub(crate) struct Inner {
    config: Config,
    hooks: Hooks,
    board: Arc<Board>,
    life: Mutex<Life>,
    ended: Condvar,
}

#[derive(Default)]
struct Life {
    running: Option<Running>,
    /// The loop has not begun yet, and may still find that it cannot.
    beginning: bool,
    signals: Option<Blocked>,
    report: Option<Result<ExitReport, Arc<Error>>>,
}

struct Running {
    orders: Sender<Order>,
    thread: JoinHandle<()>,
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

    /// Starts it; nothing happens if it runs. It may be started again after it came to rest.
    ///
    /// # Errors
    /// Whatever is wrong with the command or the thunk, before anything is started.
    pub fn start(&self) -> Result<(), Error> {
        let mut life = self.inner.life.lock();
        if life.running.as_ref().is_some_and(|running| running.thread.thread().id() == current()) {
            return Ok(());
        }
        while life.beginning {
            self.inner.ended.wait(&mut life);
        }
        // One that has reported has come to rest, even where its thread has yet to end.
        if life.running.as_ref().is_some_and(|running| !running.thread.is_finished()) && life.report.is_none()
        {
            return Ok(());
        }
        if let Some(last) = life.running.take() {
            join(last.thread);
        }
        let (launch_spec, home, thunk) = crate::prepare(&self.inner.config)?;
        // Once for all starts: afterwards the mask from before is no longer to be seen.
        if life.signals.is_none() {
            life.signals = crate::take_signals(&self.inner.config)?;
        }
        let signals = life.signals;
        let (orders, inbox) = unbounded();
        let setup = Setup {
            config: self.inner.config.clone(),
            launch_spec,
            home,
            thunk,
            signals,
            hooks: self.inner.hooks.clone(),
            inbox: Some(Inbox { orders: inbox, board: self.inner.board.clone() }),
        };
        let weak = Arc::downgrade(&self.inner);
        life.report = None;
        let (began, begun) = bounded(1);
        let builder = thread::Builder::new().name(format!("clustermon {}", self.inner.config.name));
        let thread = builder
            .spawn(move || {
                let running = Cell::new(false);
                let result = event_loop::run(setup, || {
                    running.set(true);
                    let _ = began.send(Ok(()));
                });
                match (running.get(), weak.upgrade()) {
                    (true, Some(inner)) => inner.came_to_rest(result),
                    (true, None) => {}
                    (false, _) => drop(began.send(result.map(drop))),
                }
            })
            .map_err(|error| Error::os("cannot start a thread", error))?;
        life.running = Some(Running { orders, thread });
        life.beginning = true;
        // Hooks are called meanwhile, and may want to look at the cluster.
        drop(life);
        // The thread reports before it does anything that lasts.
        let outcome = begun.recv().unwrap_or(Ok(()));
        let mut life = self.inner.life.lock();
        life.beginning = false;
        let failed = if outcome.is_err() { life.running.take() } else { None };
        drop(life);
        self.inner.ended.notify_all();
        if let Some(failed) = failed {
            join(failed.thread);
        }
        outcome?;
        if let Some(on_start) = self.inner.hooks.on_start.clone() {
            let handle = self.clone();
            let builder = thread::Builder::new().name("clustermon on_start".into());
            builder
                .spawn(move || on_start(&handle))
                .map_err(|error| Error::os("cannot start a thread", error))?;
        }
        Ok(())
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

impl Inner {
    fn came_to_rest(&self, result: Result<Outcome, Error>) {
        let picture = self.board.picture.read().clone();
        let workers = picture.map(|picture| picture.workers).unwrap_or_default();
        let last_exits = workers.into_iter().map(|worker| (worker.id, worker.last_exit)).collect();
        let report = result.map(|outcome| ExitReport { outcome, last_exits });
        self.life.lock().report = Some(report.map_err(Arc::new));
        self.ended.notify_all();
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        let Some(Running { orders, thread }) = self.life.get_mut().running.take() else { return };
        let (answer, _) = bounded(1);
        let command = Command { action: Action::Stop { target: Target::Cluster }, wait_ms: None };
        if orders.send(Order { command, answer }).is_ok() {
            self.board.wake();
        }
        join(thread);
    }
}

/// Waits for a thread, unless that is this one: a hook may hold the last handle.
fn join(thread: JoinHandle<()>) {
    if thread.thread().id() != current() {
        // It does not unwind: a panic ends the process.
        let _ = thread.join();
    }
}

fn current() -> ThreadId {
    thread::current().id()
}

/// What of the builder needs the handle on a cluster.
impl Builder {
    /// Called once for each start with the cluster, on a thread of its own, after the first workers were spawned: the
    /// original's `initMaster`.
    pub fn on_start(mut self, hook: impl Fn(&Cluster) + Send + Sync + 'static) -> Self {
        // Options know nothing of handles, so that neither needs the other: the type is found again here.
        let hook = move |handle: &dyn Any| handle.downcast_ref::<Cluster>().map_or((), &hook);
        self.hooks().on_start = Some(Arc::new(hook));
        self
    }

    /// Checks everything and starts the cluster.
    ///
    /// # Errors
    /// What is wrong with the options, the command or the thunk; nothing was started then.
    pub fn start(mut self) -> Result<Cluster, Error> {
        let hooks = std::mem::take(self.hooks());
        let config: Result<Config, ConfigError> = self.build();
        let cluster = Cluster::new(config?, hooks);
        cluster.start()?;
        Ok(cluster)
    }
}
