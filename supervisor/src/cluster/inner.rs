//! What all handles of a cluster share: the thread of its loop, and how it came to rest. It ends the cluster with the last handle.

use crate::api::{Action, Command, Target};
use crate::config::Config;
use crate::error::Error;
use crate::hooks::Hooks;
use crate::io::events::signals::Blocked;
use crate::link::{Board, Order};
use crate::pool::Outcome;
use crossbeam_channel::{Sender, bounded};
use parking_lot::{Condvar, Mutex};
use std::sync::Arc;
use std::thread::{self, JoinHandle, ThreadId};

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
    pub(super) config: Config,
    pub(super) hooks: Hooks,
    pub(super) board: Arc<Board>,
    pub(super) life: Mutex<Life>,
    pub(super) ended: Condvar,
}

#[derive(Default)]
pub(super) struct Life {
    pub(super) running: Option<Running>,
    /// The loop has not begun yet, and may still find that it cannot.
    pub(super) beginning: bool,
    pub(super) signals: Option<Blocked>,
    pub(super) report: Option<Result<ExitReport, Arc<Error>>>,
}

pub(super) struct Running {
    pub(super) orders: Sender<Order>,
    pub(super) thread: JoinHandle<()>,
}

impl Inner {
    pub(super) fn came_to_rest(&self, result: Result<Outcome, Error>) {
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
pub(super) fn join(thread: JoinHandle<()>) {
    if thread.thread().id() != current() {
        // It does not unwind: a panic ends the process.
        let _ = thread.join();
    }
}

pub(super) fn current() -> ThreadId {
    thread::current().id()
}
