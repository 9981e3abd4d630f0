//! What workers write to their standard streams, where it is captured: read in small portions, cut into lines and passed
//! on. A worker never waits for who reads the supervisor: what does not fit is dropped and counted. Where it is not
//! captured, only the stderr of a new version is read, and passed on as it is.

mod lines;
mod pipe;
mod relay;
mod render;
mod tail;

use super::line_writer::{Drops, From, LineWriter};
use super::log::{stamp, wants_time};
use super::recent::Recent;
use crate::api::LogStream;
use crate::config::{Capture, Config, Encoding, LineHandler, LogFormat, Stream};
use crate::ids::WorkerId;
use crate::io::events::source::Source;
use mio::unix::SourceFd;
use mio::{Interest, Registry};
use pipe::{Got, Pipe};
use relay::Relay;
use render::{Render, decode};
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
}

/// What happens to lines.
#[derive(Debug)]
struct Passing {
    cluster: String,
    encoding: Encoding,
    to: To,
    /// By logical id.
    workers: HashMap<String, Worker>,
    /// What each process wrote to stderr last: one is kept for the last process of a worker, and for each that lives.
    tails: HashMap<WorkerId, Tail>,
    /// Lines on their way to a stream of ours.
    batch: Vec<u8>,
    /// Where all that is read is kept for a while.
    recent: Arc<Recent>,
}

#[derive(Debug)]
enum To {
    /// Nothing is captured. There is a relay once a version was on trial.
    Inherit(Option<Relay>),
    Streams {
        stdout: LineWriter,
        stderr: LineWriter,
        format: LogFormat,
        times: Times,
    },
    Log,
    Lines(LineHandler),
}

/// Whether lines of text begin with the time, of each stream.
#[derive(Clone, Copy, Debug)]
struct Times {
    stdout: bool,
    stderr: bool,
}

#[derive(Debug, Default)]
struct Worker {
    stdout: Option<Arc<Drops>>,
    stderr: Option<Arc<Drops>>,
}

impl Outputs {
    /// For a cluster with these options; starts the threads that write, if there will be something to write.
    pub(crate) fn new(config: &Config, recent: Arc<Recent>) -> io::Result<Self> {
        let to = match &config.settings.output.capture {
            Capture::Inherit => To::Inherit(None),
            Capture::Streams => {
                let (stdout, stderr) = (LineWriter::stdout()?, LineWriter::stderr()?);
                let times = Times {
                    stdout: wants_time(config.settings.output.log_time, io::stdout()),
                    stderr: wants_time(config.settings.output.log_time, io::stderr()),
                };
                To::Streams { stdout, stderr, format: config.settings.output.log_format, times }
            }
            Capture::Log => To::Log,
            Capture::Lines(handler) => To::Lines(handler.clone()),
        };
        Ok(Self::to(to, &config.name, config.settings.output.encoding.unwrap_or_default(), recent))
    }

    fn to(to: To, cluster: &str, encoding: Encoding, recent: Arc<Recent>) -> Self {
        let cluster = cluster.to_owned();
        let (workers, tails) = (HashMap::new(), HashMap::new());
        let passing = Passing { cluster, encoding, to, workers, tails, batch: Vec::new(), recent };
        Self { pipes: Slab::new(), passing, buffer: Vec::new() }
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

    /// Reads some of what there is. To be called for every event of `Source::Output(key)`, whatever it says.
    pub(crate) fn readable(&mut self, key: usize, now: Instant, registry: &Registry) {
        if let To::Inherit(Some(relay)) = &mut self.passing.to
            && !relay.may_read(key, now)
        {
            return;
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
        let To::Inherit(Some(relay)) = &self.passing.to else { return None };
        relay.next_deadline()
    }

    /// Reads what was left where it was, if there is room for it now.
    pub(crate) fn look(&mut self, now: Instant, registry: &Registry) {
        let To::Inherit(Some(relay)) = &mut self.passing.to else { return };
        for key in relay.take_held() {
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

    /// The worker is no more, and its last lines are of no interest.
    pub(crate) fn forget(&mut self, worker: WorkerId, id: &str) {
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

impl Passing {
    /// Prepares for lines of this worker.
    fn open(&mut self, id: &str) {
        if self.workers.contains_key(id) {
            return;
        }
        let mut worker = Worker::default();
        if let To::Streams { stdout, stderr, .. } = &self.to {
            let source = |sink: &LineWriter, stream: Stream| {
                let id = id.to_owned();
                sink.source(move |count| {
                    let stream = stream.name();
                    log::warn!(
                        "{count} lines of worker {id}'s {stream} were dropped: they are not read fast enough"
                    );
                    None
                })
            };
            worker.stdout = Some(source(stdout, Stream::Stdout));
            worker.stderr = Some(source(stderr, Stream::Stderr));
        }
        self.workers.insert(id.to_owned(), worker);
    }

    fn feed(&mut self, pipe: &mut Pipe, bytes: &[u8]) {
        let Pipe { process, worker, stream, lines, rest, cut, .. } = pipe;
        if let To::Inherit(Some(relay)) = &self.to {
            relay.put(rest, bytes, cut);
        }
        self.pass(*process, worker, *stream, |each| lines.feed(bytes, each));
    }

    /// There is no more now: what was written without an end of the line is not to wait for it.
    fn hold_back_no_more(&self, pipe: &mut Pipe) {
        if let To::Inherit(Some(relay)) = &self.to {
            relay.put_all(&mut pipe.rest, &mut pipe.cut);
        }
    }

    fn finish(&mut self, pipe: &mut Pipe) {
        self.hold_back_no_more(pipe);
        let Pipe { process, worker, stream, lines, .. } = pipe;
        self.pass(*process, worker, *stream, |each| lines.finish(each));
    }

    /// Passes on the lines that `make` makes.
    fn pass(
        &mut self,
        process: WorkerId,
        id: &str,
        stream: Stream,
        make: impl FnOnce(&mut dyn FnMut(&[u8])),
    ) {
        let Self { cluster, encoding, to, workers, tails, batch, recent } = self;
        let encoding = *encoding;
        let Worker { stdout: stdout_drops, stderr: stderr_drops } = workers.entry(id.to_owned()).or_default();
        let mut tail = tails.get_mut(&process).filter(|_| stream == Stream::Stderr);
        let written = match stream {
            Stream::Stdout => LogStream::Stdout,
            Stream::Stderr => LogStream::Stderr,
        };
        let mut keep = |line: &[u8]| {
            recent.push(Some(id), written, line);
            if let Some(tail) = &mut tail {
                tail.push(line);
            }
        };
        match to {
            // The bytes have gone their way.
            To::Inherit(_) => make(&mut |line| keep(line)),
            To::Streams { stdout, stderr, format, times } => {
                let (sink, drops, time) = match stream {
                    Stream::Stdout => (stdout, stdout_drops, times.stdout),
                    Stream::Stderr => (stderr, stderr_drops, times.stderr),
                };
                let ts = if time || *format == LogFormat::Json { stamp::now() } else { String::new() };
                let render = Render { format: *format, time, cluster, worker: id, stream, ts: &ts };
                let room = sink.has_room(From::Worker);
                let mut count = 0;
                make(&mut |line| {
                    let line = decode(encoding, line);
                    keep(&line);
                    count += 1;
                    if room {
                        render.line(batch, &line);
                    }
                });
                match drops {
                    Some(drops) if count > 0 && room => sink.put(From::Worker, batch, count, drops),
                    Some(drops) if count > 0 => drops.add(count),
                    _ => {}
                }
                batch.clear();
            }
            To::Log => make(&mut |line| {
                let line = decode(encoding, line);
                keep(&line);
                let target = match stream {
                    Stream::Stdout => "clustermon::stdout",
                    Stream::Stderr => "clustermon::stderr",
                };
                log::info!(target: target, "[{cluster}/{id}] {}", String::from_utf8_lossy(&line));
            }),
            To::Lines(handler) => make(&mut |line| {
                let line = decode(encoding, line);
                keep(&line);
                handler.take(id, stream, &line);
            }),
        }
    }
}

#[cfg(test)]
mod tests;
