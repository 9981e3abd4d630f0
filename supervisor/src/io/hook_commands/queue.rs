//! Threads that run hooks: one for all runs of one command, in their order, or one for a single run. It decides nothing.

use super::job::{Finished, Job};
use super::process;
use super::threads::Threads;
use crossbeam_channel::{Receiver, Sender, unbounded};
use mio::Waker;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::io::{self, PipeReader, PipeWriter};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::thread;

/// Where a thread tells what came of a run.
#[derive(Clone, Debug)]
pub(super) struct Report {
    pub(super) threads: Threads,
    pub(super) finished: Sender<Finished>,
    pub(super) waker: Arc<Waker>,
}

/// The runs of one command, one after the other. When this is dropped the one that runs is ended, and those that wait are not run.
#[derive(Debug)]
pub(super) struct Queue {
    jobs: Sender<Job>,
    _wanted: PipeWriter,
}

/// A single run. When this is dropped it is ended.
#[derive(Debug)]
pub(super) struct Single {
    _wanted: PipeWriter,
}

impl Queue {
    pub(super) fn start(report: Report) -> io::Result<Self> {
        let (jobs, receiver) = unbounded();
        let wanted = start(report, receiver)?;
        Ok(Self { jobs, _wanted: wanted })
    }

    /// Has it run when those before it have ended.
    pub(super) fn add(&self, job: Job) {
        // The thread takes jobs for as long as this end is there.
        let _ = self.jobs.send(job);
    }
}

impl Single {
    pub(super) fn start(report: Report, job: Job) -> io::Result<Self> {
        let (jobs, receiver) = unbounded();
        // It is taken by the thread, or dropped with the channel if there is none.
        let _ = jobs.send(job);
        Ok(Self { _wanted: start(report, receiver)? })
    }
}

/// Starts a thread that runs these, until there can be no more or the end that is returned is dropped.
fn start(report: Report, jobs: Receiver<Job>) -> io::Result<PipeWriter> {
    let (unwanted, wanted) = io::pipe()?;
    thread::Builder::new().name("hook".into()).spawn(move || run(&report, &jobs, &unwanted))?;
    Ok(wanted)
}

fn run(report: &Report, jobs: &Receiver<Job>, unwanted: &PipeReader) {
    let _one_of = report.threads.join();
    for job in jobs {
        let mut fds = [PollFd::new(unwanted.as_fd(), PollFlags::empty())];
        if poll(&mut fds, PollTimeout::ZERO).is_ok_and(|closed| closed > 0) {
            return;
        }
        let finished = process::run(job, unwanted.as_fd());
        // Where nobody is left to be told, nobody waits for the rest either.
        if report.finished.send(finished).is_err() || report.waker.wake().is_err() {
            return;
        }
    }
}
