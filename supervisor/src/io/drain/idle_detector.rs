//! Finds out, off the loop, when no request is in flight in any process of a worker: it reads the kernel's socket tables
//! again and again until that is so. It never reads a byte of a connection, and never decides what happens then.

pub(super) mod judge;
pub(super) mod snapshot;
#[cfg(test)]
mod tests;
mod thread;

use crate::ids::WorkerId;
use crate::io::privileges::view::Onlooker;
use crossbeam_channel::{Receiver, Sender, unbounded};
use mio::Waker;
use std::collections::HashSet;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

/// A worker that is given no connection any more.
#[derive(Debug)]
pub(crate) struct Watched {
    pub(crate) worker: WorkerId,
    /// The first process and the members; their groups and descendants count too.
    pub(crate) pids: Vec<u32>,
    /// Copies of the supervisor ends of its lanes: what waits in one is not quiet.
    pub(crate) lanes: Vec<OwnedFd>,
    /// Copies of listening sockets that are the worker's alone: who waits in the queue of one is not served.
    pub(crate) queues: Vec<OwnedFd>,
    /// Ports that the cluster serves. Those on which a process of the worker itself listens count too.
    pub(crate) ports: Vec<u16>,
    /// Names of the unix sockets that the cluster serves: a path without its terminating NUL, or an abstract name with its
    /// leading one.
    pub(crate) names: Vec<Vec<u8>>,
    /// How long a connection must have been silent, both ways. At 0 only its queues count.
    pub(crate) idle_grace: Duration,
}

/// What a look has found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Report {
    /// Connections to the cluster's addresses, and to the worker's own, that its processes have open.
    pub(crate) connections: u32,
    /// Those on which something may be in flight, and lanes in which something waits.
    pub(crate) busy: u32,
    /// Nothing is in flight. The worker is watched no longer.
    pub(crate) quiet: bool,
    /// Why not all could be seen; it is never quiet then.
    pub(crate) blind: Option<String>,
}

/// The thread's other end. The thread has ended once this is dropped.
#[derive(Debug)]
pub(crate) struct IdleDetector {
    /// Taken away to end the thread.
    commands: Option<Sender<DetectorCommand>>,
    thread: Option<JoinHandle<()>>,
    reports: Receiver<(WorkerId, Report)>,
    /// A report may still be under way when its worker is forgotten.
    watched: HashSet<WorkerId>,
}

/// What is asked of it.
#[derive(Debug)]
pub(crate) enum DetectorCommand {
    Watch(Box<Watched>),
    Update(WorkerId, Vec<u32>),
    Forget(WorkerId),
}

impl IdleDetector {
    /// Starts the thread; it wakes the loop after each report.
    pub(crate) fn start(waker: Arc<Waker>, onlooker: Onlooker) -> io::Result<Self> {
        let (commands, given) = unbounded();
        let (found, reports) = unbounded();
        let run = move || {
            onlooker.begin();
            thread::run(&given, |worker, report| {
                found.send((worker, report)).is_ok() && waker.wake().is_ok()
            });
        };
        let thread = std::thread::Builder::new().name("idle-detector".into()).spawn(run)?;
        let mut detector = Self::of(commands, reports);
        detector.thread = Some(thread);
        Ok(detector)
    }

    /// One whose commands somebody else carries out.
    pub(crate) fn of(commands: Sender<DetectorCommand>, reports: Receiver<(WorkerId, Report)>) -> Self {
        Self { commands: Some(commands), thread: None, reports, watched: HashSet::new() }
    }

    /// Looks at the worker at once, and again until it is quiet.
    pub(crate) fn watch(&mut self, watched: Watched) {
        self.watched.insert(watched.worker);
        self.send(DetectorCommand::Watch(Box::new(watched)));
    }

    /// Gives a watched worker other processes.
    pub(crate) fn update(&mut self, worker: WorkerId, pids: Vec<u32>) {
        if self.watched.contains(&worker) {
            self.send(DetectorCommand::Update(worker, pids));
        }
    }

    /// Looks at the worker no longer; `next` says nothing of it.
    pub(crate) fn forget(&mut self, worker: WorkerId) {
        if self.watched.remove(&worker) {
            self.send(DetectorCommand::Forget(worker));
        }
    }

    /// A report: the first look, one at which something had changed, or the last.
    pub(crate) fn next(&mut self) -> Option<(WorkerId, Report)> {
        loop {
            let (worker, report) = self.reports.try_recv().ok()?;
            let known =
                if report.quiet { self.watched.remove(&worker) } else { self.watched.contains(&worker) };
            if known {
                return Some((worker, report));
            }
        }
    }

    fn send(&self, command: DetectorCommand) {
        // The thread lives as long as this; were it gone, the worker would not be quiet before its time is up.
        let _ = self.commands.as_ref().map(|commands| commands.send(command));
    }
}

impl Drop for IdleDetector {
    fn drop(&mut self) {
        self.commands = None;
        if let Some(thread) = self.thread.take() {
            // It ends after the look that it is at; it does not panic.
            let _ = thread.join();
        }
    }
}
