//! The loop's end of the threads that run hooks: what is to be run goes in, what came of it comes out. What waits is bounded; nothing here
//! waits but at the end of a cluster.

use super::job::{Finished, Job};
use super::queue::{Queue, Report, Single};
use super::threads::Threads;
use crate::config::CommandLine;
use crossbeam_channel::{Receiver, Sender, unbounded};
use mio::Waker;
use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;

/// So many runs of one command may wait, the one that runs included.
pub(crate) const MOST: usize = 64;

/// Runs hooks.
#[derive(Debug)]
pub(crate) struct HookRunner {
    way: Way,
    finished: Receiver<Finished>,
    /// Runs that wait or run.
    under_way: Vec<(u64, CommandLine)>,
    threads: Threads,
}

#[derive(Debug)]
enum Way {
    /// Of each command its queue, and single runs by their number.
    Threads {
        sender: Sender<Finished>,
        waker: Arc<Waker>,
        queues: HashMap<CommandLine, Queue>,
        singles: HashMap<u64, Single>,
    },
    /// Somebody else runs them.
    #[cfg(feature = "simulation")]
    Elsewhere(Sender<Job>),
}

/// Why a job is not run.
#[derive(Debug)]
pub(crate) enum NotRun {
    /// So many of its command wait already.
    Full,
    Os(io::Error),
}

impl HookRunner {
    /// With no thread yet: each starts with the first job for it. The loop is woken after each run.
    pub(crate) fn new(waker: Arc<Waker>) -> Self {
        let (sender, finished) = unbounded();
        let way = Way::Threads { sender, waker, queues: HashMap::new(), singles: HashMap::new() };
        Self { way, finished, under_way: Vec::new(), threads: Threads::default() }
    }

    /// One whose jobs are run by who has the other ends.
    #[cfg(feature = "simulation")]
    pub(crate) fn of(jobs: Sender<Job>, finished: Receiver<Finished>) -> Self {
        Self { way: Way::Elsewhere(jobs), finished, under_way: Vec::new(), threads: Threads::default() }
    }

    /// Has it run once earlier runs of the same command have ended.
    pub(crate) fn enqueue(&mut self, job: Job) -> Result<(), NotRun> {
        if self.under_way.iter().filter(|(_, command)| *command == job.command).count() >= MOST {
            return Err(NotRun::Full);
        }
        let entry = (job.number, job.command.clone());
        match &mut self.way {
            Way::Threads { sender, waker, queues, .. } => {
                if !queues.contains_key(&job.command) {
                    let report = Report {
                        threads: self.threads.clone(),
                        finished: sender.clone(),
                        waker: waker.clone(),
                    };
                    queues.insert(job.command.clone(), Queue::start(report).map_err(NotRun::Os)?);
                }
                if let Some(queue) = queues.get(&job.command) {
                    queue.add(job);
                }
            }
            #[cfg(feature = "simulation")]
            Way::Elsewhere(jobs) => drop(jobs.send(job)),
        }
        self.under_way.push(entry);
        Ok(())
    }

    /// Runs it at once, whatever else runs.
    pub(crate) fn run_now(&mut self, job: Job) -> io::Result<()> {
        let entry = (job.number, job.command.clone());
        match &mut self.way {
            Way::Threads { sender, waker, singles, .. } => {
                let report =
                    Report { threads: self.threads.clone(), finished: sender.clone(), waker: waker.clone() };
                singles.insert(job.number, Single::start(report, job)?);
            }
            #[cfg(feature = "simulation")]
            Way::Elsewhere(jobs) => drop(jobs.send(job)),
        }
        self.under_way.push(entry);
        Ok(())
    }

    /// Nobody waits any more for a run that was to begin at once: it is told to end, and killed a second later.
    pub(crate) fn end(&mut self, number: u64) {
        match &mut self.way {
            Way::Threads { singles, .. } => drop(singles.remove(&number)),
            #[cfg(feature = "simulation")]
            Way::Elsewhere(_) => {}
        }
    }

    /// The same of all that are run one after the other; those that wait are not run.
    pub(crate) fn end_queued(&mut self) {
        match &mut self.way {
            Way::Threads { queues, .. } => {
                queues.clear();
            }
            #[cfg(feature = "simulation")]
            Way::Elsewhere(_) => self.under_way.clear(),
        }
    }

    /// A run that has ended.
    pub(crate) fn next(&mut self) -> Option<Finished> {
        let finished = self.finished.try_recv().ok()?;
        Some(self.note(finished))
    }

    /// The same, waited for.
    pub(crate) fn wait(&mut self, limit: Duration) -> Option<Finished> {
        let finished = self.finished.recv_timeout(limit).ok()?;
        Some(self.note(finished))
    }

    fn note(&mut self, finished: Finished) -> Finished {
        self.end(finished.number);
        self.under_way.retain(|(number, _)| *number != finished.number);
        finished
    }

    /// Nothing waits, and nothing runs.
    pub(crate) fn is_idle(&self) -> bool {
        self.under_way.is_empty() || self.threads.are_gone()
    }

    /// How many wait or run.
    pub(crate) fn under_way(&self) -> usize {
        self.under_way.len()
    }

    /// Hands over the children of this process that are no hooks.
    pub(crate) fn other_children(&self, see: impl FnOnce(Vec<u32>)) {
        self.threads.other_children(see);
    }
}
