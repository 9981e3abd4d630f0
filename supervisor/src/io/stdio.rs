//! What workers write to their standard streams, where it is captured: read in small portions, cut into lines and passed
//! on. A worker never waits for who reads the supervisor: what does not fit is dropped and counted.

mod lines;
mod pipe;
mod render;
mod tail;

use super::log::stamp;
use super::sink::{Drops, From, Sink};
use super::source::Source;
use crate::config::{Capture, Config, Encoding, LineHandler, LogFormat, Stream};
use mio::unix::SourceFd;
use mio::{Interest, Registry};
use pipe::{Got, Pipe};
use render::{Render, decode};
use slab::Slab;
use std::collections::HashMap;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use tail::Tail;

/// What is read of one pipe before others have their turn.
const BUDGET: usize = 32 * 1024;
/// What is read of a pipe at its worker's end: no pipe of an unprivileged process holds more.
const LAST: usize = 1 << 20;

/// The ends for the worker's process. Blocking, closed on exec.
#[derive(Debug)]
pub(crate) struct Ends {
    pub(crate) stdout: OwnedFd,
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
    /// Lines on their way to a sink.
    batch: Vec<u8>,
}

#[derive(Debug)]
enum To {
    /// Nothing is captured.
    Inherit,
    Streams {
        stdout: Sink,
        stderr: Sink,
        format: LogFormat,
    },
    Log,
    Lines(LineHandler),
}

#[derive(Debug, Default)]
struct Worker {
    tail: Tail,
    stdout: Option<Arc<Drops>>,
    stderr: Option<Arc<Drops>>,
}

impl Outputs {
    /// For a cluster with these options; starts the threads that write, if there will be something to write.
    pub(crate) fn new(config: &Config) -> io::Result<Self> {
        let to = match &config.capture {
            Capture::Inherit => To::Inherit,
            Capture::Streams => {
                To::Streams { stdout: Sink::stdout()?, stderr: Sink::stderr()?, format: config.log_format }
            }
            Capture::Log => To::Log,
            Capture::Lines(handler) => To::Lines(handler.clone()),
        };
        Ok(Self::to(to, &config.name, config.encoding))
    }

    fn to(to: To, cluster: &str, encoding: Encoding) -> Self {
        let cluster = cluster.to_owned();
        let passing = Passing { cluster, encoding, to, workers: HashMap::new(), batch: Vec::new() };
        Self { pipes: Slab::new(), passing, buffer: Vec::new() }
    }

    /// Pipes for one process of the worker with this logical id; `None` if its streams are inherited.
    pub(crate) fn attach(&mut self, id: &str, registry: &Registry) -> io::Result<Option<Ends>> {
        if matches!(self.passing.to, To::Inherit) {
            return Ok(None);
        }
        self.buffer.resize(BUDGET, 0);
        self.passing.open(id);
        let stdout = self.open(id, Stream::Stdout, registry)?;
        let stderr = self.open(id, Stream::Stderr, registry)?;
        Ok(Some(Ends { stdout, stderr }))
    }

    fn open(&mut self, id: &str, stream: Stream, registry: &Registry) -> io::Result<OwnedFd> {
        let (pipe, writer) = Pipe::new(id, stream)?;
        let place = self.pipes.vacant_entry();
        let source = Source::Output(place.key()).into();
        registry.register(&mut SourceFd(&pipe.fd()), source, Interest::READABLE)?;
        place.insert(pipe);
        Ok(writer)
    }

    /// Reads some of what there is. To be called for every event of `Source::Output(key)`, whatever it says.
    pub(crate) fn readable(&mut self, key: usize, registry: &Registry) {
        if self.read(key, BUDGET, registry)
            && let Some(pipe) = self.pipes.get(key)
        {
            // Events come with new bytes only; asking again makes one for those that are there.
            let source = Source::Output(key).into();
            let _ = registry.reregister(&mut SourceFd(&pipe.fd()), source, Interest::READABLE);
        }
    }

    /// The worker's process has ended: reads what it left, an unfinished line included. What holds its pipes still, such
    /// as a daemon of it, is read as before.
    pub(crate) fn exited(&mut self, id: &str, registry: &Registry) {
        let keys: Vec<usize> =
            self.pipes.iter().filter(|(_, pipe)| pipe.worker == id).map(|(key, _)| key).collect();
        for key in keys {
            self.read(key, LAST, registry);
            if let Some(pipe) = self.pipes.get_mut(key) {
                self.passing.finish(pipe);
            }
        }
    }

    /// The worker is no more, and its last lines are of no interest.
    pub(crate) fn forget(&mut self, id: &str) {
        self.passing.workers.remove(id);
    }

    /// The last 20 lines that any process of the worker wrote to stderr; none where the stream is inherited.
    pub(crate) fn last_lines(&self, id: &str) -> Vec<String> {
        self.passing.workers.get(id).map(|worker| worker.tail.lines()).unwrap_or_default()
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
                Got::Nothing => return false,
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
            let source = |sink: &Sink, stream: Stream| {
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
        let Pipe { worker, stream, lines, .. } = pipe;
        self.pass(worker, *stream, |each| lines.feed(bytes, each));
    }

    fn finish(&mut self, pipe: &mut Pipe) {
        let Pipe { worker, stream, lines, .. } = pipe;
        self.pass(worker, *stream, |each| lines.finish(each));
    }

    /// Passes on the lines that `make` makes.
    fn pass(&mut self, id: &str, stream: Stream, make: impl FnOnce(&mut dyn FnMut(&[u8]))) {
        let Self { cluster, encoding, to, workers, batch } = self;
        let encoding = *encoding;
        let worker = workers.entry(id.to_owned()).or_default();
        let Worker { tail, stdout: stdout_drops, stderr: stderr_drops } = worker;
        let mut keep = |line: &[u8]| {
            if stream == Stream::Stderr {
                tail.push(line);
            }
        };
        match to {
            To::Inherit => {}
            To::Streams { stdout, stderr, format } => {
                let (sink, drops) = match stream {
                    Stream::Stdout => (stdout, stdout_drops),
                    Stream::Stderr => (stderr, stderr_drops),
                };
                let ts = if *format == LogFormat::Json { stamp::now() } else { String::new() };
                let render = Render { format: *format, cluster, worker: id, stream, ts: &ts };
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
