//! Takes a worker's connections from it while nothing is in flight on any of them, and ends it: off the loop, in a thread
//! of its own. It reads no byte of a connection; whether the worker is to be ended so is for others to say.

mod attempt;
mod cadence;
mod drop_filter;
mod plan;
mod proof;
mod rcvlowat;
mod sigstop;
mod snapshot;
#[cfg(test)]
mod tests;

use super::idle_detector::Watched;
use crate::io::kernel::scheduling;
use clustermon_protocol::address::Address;
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use mio::Waker;
use std::convert::Infallible;
use std::fmt;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

/// A connection that was the worker's: between two requests, with what the client has sent since unread in it.
#[derive(Debug)]
pub(crate) struct Taken {
    pub(crate) fd: OwnedFd,
    pub(crate) local: Address,
    pub(crate) peer: Address,
    /// The state of its O_NONBLOCK.
    pub(crate) nonblock: bool,
}

/// What a move has cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Effort {
    /// From the beginning to the end.
    pub(crate) took: Duration,
    /// How often the worker was stopped, and how long it stood still in all.
    pub(crate) stops: u32,
    pub(crate) stood: Duration,
    /// How long requests waited to be let through or taken, in all.
    pub(crate) kept: Duration,
}

impl fmt::Display for Effort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = |time: Duration| time.as_secs_f64() * 1e3;
        let Self { took, stops, stood, kept } = self;
        let (took, stood, kept) = (ms(*took), ms(*stood), ms(*kept));
        write!(f, "after {took:.0} ms, {stops} stops of {stood:.1} ms in all, requests kept for {kept:.0} ms")
    }
}

/// No process of the worker runs any more.
#[derive(Debug)]
pub(crate) struct Moved {
    pub(crate) taken: Vec<Taken>,
    pub(crate) effort: Effort,
}

/// The worker lives on with all its connections.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Left {
    /// Connections that it has.
    pub(crate) connections: u32,
    /// What stood in the way, for a person.
    pub(crate) why: String,
    pub(crate) effort: Effort,
}

/// Either all connections, or none.
pub(crate) type Outcome = Result<Moved, Left>;

/// One worker's move. Dropped before it has come to an end, it is given up: the worker lives on.
#[derive(Debug)]
pub(crate) struct Handover {
    /// Nothing is ever sent: it is dropped to end the thread.
    abandon: Option<Sender<Infallible>>,
    thread: Option<JoinHandle<()>>,
    outcome: Receiver<Outcome>,
}

impl Handover {
    /// Begins: a worker that is given no connection any more. It wakes the loop when it has come to an end, after
    /// `patience` at the latest.
    pub(crate) fn start(watched: Watched, patience: Duration, waker: Arc<Waker>) -> io::Result<Self> {
        let (abandon, abandoned) = bounded::<Infallible>(0);
        let (end, outcome) = bounded(1);
        let thread = std::thread::Builder::new().name("moving".into()).spawn(move || {
            scheduling::be_prompt();
            let wait = |time| abandoned.recv_timeout(time) != Err(RecvTimeoutError::Disconnected);
            // Nobody may want to know any more.
            let _ = end.send(attempt::take(&watched, patience, &wait));
            let _ = waker.wake();
        })?;
        Ok(Self { abandon: Some(abandon), thread: Some(thread), outcome })
    }

    /// What has come of it, once.
    pub(crate) fn outcome(&self) -> Option<Outcome> {
        self.outcome.try_recv().ok()
    }

    /// Gives it up unless it has come to an end, and tells what has come of it.
    pub(crate) fn end(mut self) -> Option<Outcome> {
        self.stop();
        self.outcome()
    }

    fn stop(&mut self) {
        self.abandon = None;
        if let Some(thread) = self.thread.take() {
            // It ends within the look that it is at; it does not panic.
            let _ = thread.join();
        }
    }
}

impl Drop for Handover {
    fn drop(&mut self) {
        self.stop();
    }
}
