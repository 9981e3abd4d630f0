//! What workers write to their standard streams, where it is captured: read in small portions, cut into lines and passed
//! on. A worker never waits for who reads the supervisor: what does not fit is dropped and counted. Where it is not
//! captured, only the stderr of a new version is read, and passed on as it is.

mod held;
mod passing;
mod pipe;
mod relay;
mod render;
mod tail;

use super::destination;
use super::log::wants_time;
use super::log_file::place;
use super::recent::Recent;
use crate::config::{Capture, Config, Encoding, LogFull, Stream};
use crate::ids::WorkerId;
use crate::io::events::source::Source;
use crossbeam_channel::Receiver;
use held::Held;
use mio::unix::SourceFd;
use mio::{Interest, Registry};
use passing::{Looks, Passing, To, Worker};
use pipe::{Got, Pipe};
use relay::Relay;
use render::Look;
use slab::Slab;
use std::collections::HashMap;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Instant;
use tail::Tail;

/// What is read of one pipe before others have their turn.
const BUDGET: usize = 32 * 1024;
/// What is read of a pipe at its worker's end: no pipe of an unprivileged process holds more.
const LAST: usize = 1 << 20;

/// The ends for the worker's process. Blocking, closed on exec.
#[derive(Debug)]
pub(crate) struct Ends {
    /// `None` if that one is inherited.
    pub(crate) stdout: Option<OwnedFd>,
    pub(crate) stderr: OwnedFd,
}

/// The pipes of all workers, past ones included as long as somebody holds their other end.
#[derive(Debug)]
pub(crate) struct Outputs {
    pipes: Slab<Pipe>,
    passing: Passing,
    buffer: Vec<u8>,
    /// Pipes that are left as they are until there is room for what is in them; `None` if lines are dropped instead.
    held: Option<Held>,
}

/// Empties the file of the log once all is written that is to be; `None` if there is no such file.
pub(crate) fn empty_log() -> Option<io::Result<Receiver<io::Result<()>>>> {
    let busy = || io::Error::other("so much is to be written that it must be tried later");
    place::is_written().then(|| destination::stderr()?.empty().ok_or_else(busy))
}

impl Outputs {
    /// For a cluster with these options; starts the threads that write, if there will be something to write.
    pub(crate) fn new(config: &Config, recent: Arc<Recent>) -> io::Result<Self> {
        let to = match &config.settings.output.capture {
            Capture::Inherit => To::Inherit(None),
            Capture::Streams => {
                let (stdout, stderr) = (destination::stdout()?, destination::stderr()?);
                let time = config.settings.output.log_time;
                let (out, err) = (io::stdout(), io::stderr());
                let looks = Looks {
                    stdout: Look { time: wants_time(time, &out), colours: destination::has_colours(&out) },
                    stderr: Look { time: wants_time(time, &err), colours: destination::has_colours(&err) },
                };
                To::Streams { stdout, stderr, format: config.settings.output.log_format, looks }
            }
            Capture::Log => To::Log,
            Capture::Lines(handler) => To::Lines(handler.clone()),
        };
        let mut outputs =
            Self::to(to, &config.name, config.settings.output.encoding.unwrap_or_default(), recent);
        outputs.held = (config.settings.output.log_full == LogFull::Block).then(Held::default);
        Ok(outputs)
    }

    fn to(to: To, cluster: &str, encoding: Encoding, recent: Arc<Recent>) -> Self {
        let cluster = cluster.to_owned();
        let (workers, tails) = (HashMap::new(), HashMap::new());
        let (batch, lost_before) = (Vec::new(), 0);
        let passing = Passing { cluster, encoding, to, workers, tails, batch, recent, lost_before };
        Self { pipes: Slab::new(), passing, buffer: Vec::new(), held: None }
    }

    /// All that workers write is read here.
    pub(crate) fn are_captured(&self) -> bool {
        !matches!(self.passing.to, To::Inherit(_))
    }

    /// Pipes for one process of the worker with this logical id; `None` if its streams are inherited. If it is `on_trial`,
    /// its stderr is read even then.
    pub(crate) fn attach(
        &mut self,
        process: WorkerId,
        id: &str,
        on_trial: bool,
        registry: &Registry,
    ) -> io::Result<Option<Ends>> {
        if let To::Inherit(relay) = &mut self.passing.to {
            if !on_trial {
                return Ok(None);
            }
            match relay.take().map_or_else(Relay::stderr, Ok) {
                Ok(found) => *relay = Some(found),
                Err(error) => {
                    log::warn!("worker {id}: its stderr is inherited and cannot be quoted: {error}");
                    return Ok(None);
                }
            }
        }
        self.buffer.resize(BUDGET, 0);
        self.passing.open(id);
        let pipes = &self.pipes;
        self.passing.tails.retain(|older, _| {
            older.slot != process.slot || pipes.iter().any(|(_, pipe)| pipe.process == *older)
        });
        self.passing.tails.insert(process, Tail::default());
        let stderr = self.open(process, id, Stream::Stderr, registry)?;
        let stdout = match self.passing.to {
            To::Inherit(_) if relay::is_one_stream() => Some(stderr.try_clone()?),
            To::Inherit(_) => None,
            _ => Some(self.open(process, id, Stream::Stdout, registry)?),
        };
        Ok(Some(Ends { stdout, stderr }))
    }

    fn open(
        &mut self,
        process: WorkerId,
        id: &str,
        stream: Stream,
        registry: &Registry,
    ) -> io::Result<OwnedFd> {
        let (pipe, writer) = Pipe::new(process, id, stream)?;
        let place = self.pipes.vacant_entry();
        let source = Source::Output(place.key()).into();
        registry.register(&mut SourceFd(&pipe.fd()), source, Interest::READABLE)?;
        place.insert(pipe);
        Ok(writer)
    }

    /// The process has this number.
    pub(crate) fn started(&mut self, process: WorkerId, pid: u32) {
        for (_, pipe) in self.pipes.iter_mut().filter(|(_, pipe)| pipe.process == process) {
            pipe.pid = pid;
        }
    }

    /// Reads some of what there is. To be called for every event of `Source::Output(key)`, whatever it says.
    pub(crate) fn readable(&mut self, key: usize, now: Instant, registry: &Registry) {
        if let To::Inherit(Some(relay)) = &mut self.passing.to
            && !relay.may_read(key, now)
        {
            return;
        }
        let wants_room = |pipe: &Pipe| !self.passing.has_room(pipe.stream);
        if let Some(held) = &mut self.held
            && self.pipes.get(key).is_some_and(wants_room)
        {
            return held.add(key, now);
        }
        if self.read(key, BUDGET, registry)
            && let Some(pipe) = self.pipes.get(key)
        {
            // Events come with new bytes only; asking again makes one for those that are there.
            let source = Source::Output(key).into();
            let _ = registry.reregister(&mut SourceFd(&pipe.fd()), source, Interest::READABLE);
        }
    }

    /// When to call [`Self::look`], seen from `now`.
    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        match &self.passing.to {
            To::Inherit(Some(relay)) => relay.next_deadline(),
            _ => self.held.as_ref().and_then(Held::next_deadline),
        }
    }

    /// Reads what was left where it was, if there is room for it now.
    pub(crate) fn look(&mut self, now: Instant, registry: &Registry) {
        let keys = match &mut self.passing.to {
            To::Inherit(Some(relay)) => relay.take_held(),
            _ => self.held.as_mut().map(Held::take).unwrap_or_default(),
        };
        for key in keys {
            self.readable(key, now, registry);
        }
    }

    /// The process has ended: reads what it left, an unfinished line included. What holds its pipes still, such as a daemon
    /// of it, is read as before.
    pub(crate) fn exited(&mut self, process: WorkerId, registry: &Registry) {
        for key in self.of(|pipe| pipe.process == process) {
            self.read(key, LAST, registry);
            if let Some(pipe) = self.pipes.get_mut(key) {
                self.passing.finish(pipe);
            }
        }
    }

    /// The supervisor ends: reads what is left in any pipe.
    pub(crate) fn finish(&mut self, registry: &Registry) {
        for key in self.of(|_| true) {
            self.read(key, LAST, registry);
            if let Some(pipe) = self.pipes.get_mut(key) {
                self.passing.finish(pipe);
            }
        }
    }

    fn of(&self, which: impl Fn(&Pipe) -> bool) -> Vec<usize> {
        self.pipes.iter().filter(|(_, pipe)| which(pipe)).map(|(key, _)| key).collect()
    }

    /// Lines that were lost, of all workers that there are or have been.
    pub(crate) fn lost(&self) -> u64 {
        self.passing.lost_before + self.passing.workers.values().map(Worker::lost).sum::<u64>()
    }

    /// Of the worker with this logical id.
    pub(crate) fn lost_of(&self, id: &str) -> u64 {
        self.passing.workers.get(id).map_or(0, Worker::lost)
    }

    /// The worker is no more, and its last lines are of no interest.
    pub(crate) fn forget(&mut self, worker: WorkerId, id: &str) {
        self.passing.lost_before += self.lost_of(id);
        self.passing.workers.remove(id);
        self.passing.tails.retain(|process, _| process.slot != worker.slot);
    }

    /// The last 20 lines that this process wrote to stderr, up to now; none where nobody reads it.
    pub(crate) fn last_lines(&mut self, process: WorkerId, registry: &Registry) -> Vec<String> {
        for key in self.of(|pipe| pipe.process == process && pipe.stream == Stream::Stderr) {
            self.read(key, LAST, registry);
        }
        let tail = self.passing.tails.get(&process);
        tail.map(Tail::lines).unwrap_or_default()
    }

    /// True if so much was read that there may be more.
    fn read(&mut self, key: usize, budget: usize, registry: &Registry) -> bool {
        let Some(pipe) = self.pipes.get_mut(key) else { return false };
        let mut spent = 0;
        while spent < budget {
            match pipe.read(&mut self.buffer) {
                Got::Bytes(len) => {
                    spent += len;
                    self.passing.feed(pipe, self.buffer.get(..len).unwrap_or_default());
                }
                Got::Nothing => {
                    self.passing.hold_back_no_more(pipe);
                    return false;
                }
                Got::End => {
                    self.passing.finish(pipe);
                    let _ = registry.deregister(&mut SourceFd(&pipe.fd()));
                    self.pipes.remove(key);
                    return false;
                }
            }
        }
        true
    }
}

#[cfg(test)]
mod tests;
