//! What happens to the lines of workers: to the streams of ours, to the log, to a function of the user's. What does not fit is dropped
//! and counted.

use super::pipe::Pipe;
use super::relay::Relay;
use super::render::{Look, Render, decode};
use super::tail::Tail;
use crate::api::LogStream;
use crate::config::{Encoding, LineHandler, LogFormat, Stream};
use crate::ids::WorkerId;
use crate::io::output::destination;
use crate::io::output::line_writer::{Drops, From, LineWriter};
use crate::io::output::recent::Recent;
use crate::io::output::records::{Fields, priority_of};
use crate::io::output::stamp;
use std::collections::HashMap;
use std::sync::Arc;

/// What happens to lines.
#[derive(Debug)]
pub(super) struct Passing {
    pub(super) cluster: String,
    pub(super) encoding: Encoding,
    pub(super) to: To,
    /// By logical id.
    pub(super) workers: HashMap<String, Worker>,
    /// What each process wrote to stderr last: one is kept for the last process of a worker, and for each that lives.
    pub(super) tails: HashMap<WorkerId, Tail>,
    /// Lines on their way to a stream of ours.
    pub(super) batch: Vec<u8>,
    /// Where all that is read is kept for a while.
    pub(super) recent: Arc<Recent>,
    /// Lines that were lost, of workers that are no more.
    pub(super) lost_before: u64,
}

#[derive(Debug)]
pub(super) enum To {
    /// Nothing is captured. There is a relay once a version was on trial.
    Inherit(Option<Relay>),
    Streams {
        stdout: LineWriter,
        stderr: LineWriter,
        format: LogFormat,
        looks: Looks,
    },
    Log,
    Lines(LineHandler),
}

/// How lines of each stream look.
#[derive(Clone, Copy, Debug)]
pub(super) struct Looks {
    pub(super) stdout: Look,
    pub(super) stderr: Look,
}

#[derive(Debug, Default)]
pub(super) struct Worker {
    pub(super) stdout: Option<Arc<Drops>>,
    stderr: Option<Arc<Drops>>,
}

impl Worker {
    /// Lines of it that were lost.
    pub(super) fn lost(&self) -> u64 {
        self.stdout.iter().chain(&self.stderr).map(|drops| drops.total()).sum()
    }
}

impl Passing {
    /// Prepares for lines of this worker.
    pub(super) fn open(&mut self, id: &str) {
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

    /// Whether a line of a worker to this stream would be written.
    pub(super) fn has_room(&self, stream: Stream) -> bool {
        match (&self.to, stream) {
            (To::Streams { stdout, .. }, Stream::Stdout) => stdout.has_room(From::Worker),
            (To::Streams { stderr, .. }, Stream::Stderr) => stderr.has_room(From::Worker),
            (To::Inherit(_) | To::Log | To::Lines(_), _) => true,
        }
    }

    pub(super) fn feed(&mut self, pipe: &mut Pipe, bytes: &[u8]) {
        let Pipe { process, worker, pid, stream, lines, rest, cut, .. } = pipe;
        if let To::Inherit(Some(relay)) = &self.to {
            relay.put(rest, bytes, cut);
        }
        self.pass(*process, (worker, *pid), *stream, |each| lines.feed(bytes, each));
    }

    /// There is no more now: what was written without an end of the line is not to wait for it.
    pub(super) fn hold_back_no_more(&self, pipe: &mut Pipe) {
        if let To::Inherit(Some(relay)) = &self.to {
            relay.put_all(&mut pipe.rest, &mut pipe.cut);
        }
    }

    pub(super) fn finish(&mut self, pipe: &mut Pipe) {
        self.hold_back_no_more(pipe);
        let Pipe { process, worker, pid, stream, lines, .. } = pipe;
        self.pass(*process, (worker, *pid), *stream, |each| lines.finish(each));
    }

    /// Passes on the lines that `make` makes.
    fn pass(
        &mut self,
        process: WorkerId,
        (id, pid): (&str, u32),
        stream: Stream,
        make: impl FnOnce(&mut dyn FnMut(&[u8])),
    ) {
        let Self { cluster, encoding, to, workers, tails, batch, recent, .. } = self;
        let encoding = *encoding;
        let Worker { stdout: stdout_drops, stderr: stderr_drops } = workers.entry(id.to_owned()).or_default();
        let mut tail = tails.get_mut(&process).filter(|_| stream == Stream::Stderr);
        let written = match stream {
            Stream::Stdout => LogStream::Stdout,
            Stream::Stderr => LogStream::Stderr,
        };
        let mut kept = |line: &[u8]| {
            if let Some(tail) = &mut tail {
                tail.push(line);
            }
        };
        let mut keep = |line: &[u8]| {
            recent.push(Some(id), written, line);
            kept(line);
        };
        match to {
            // The bytes have gone their way.
            To::Inherit(_) => make(&mut |line| keep(line)),
            To::Streams { stdout, stderr, format, looks } => {
                let (sink, drops, look) = match stream {
                    Stream::Stdout => (stdout, stdout_drops, looks.stdout),
                    Stream::Stderr => (stderr, stderr_drops, looks.stderr),
                };
                let ts = if look.time || *format == LogFormat::Json { stamp::now() } else { String::new() };
                let render = Render { format: *format, look, cluster, worker: id, pid, stream, ts: &ts };
                let records = destination::records();
                let (room, mut count) = (sink.has_room(From::Worker), 0);
                let mut keeping = recent.keeping();
                make(&mut |line| {
                    let (line, replaced) = decode(encoding, line);
                    keeping.push(Some(id), written, &line);
                    kept(&line);
                    count += 1;
                    match records {
                        _ if !room => {}
                        None => render.line(batch, &line, replaced),
                        Some(records) => {
                            let stream = stream.name();
                            let (priority, text) = priority_of(&line);
                            records.put(
                                batch,
                                &Fields { cluster, worker: Some(id), pid, stream, priority, text },
                            );
                            sink.mirror(|| {
                                let mut text = Vec::new();
                                render.line(&mut text, &line, replaced);
                                text
                            });
                        }
                    }
                });
                drop(keeping);
                match drops {
                    Some(drops) if count > 0 && room => sink.put(From::Worker, batch, count, drops),
                    Some(drops) if count > 0 => drops.add(count),
                    _ => {}
                }
                batch.clear();
            }
            To::Log => make(&mut |line| {
                let (line, _) = decode(encoding, line);
                keep(&line);
                let target = match stream {
                    Stream::Stdout => "clustermon::stdout",
                    Stream::Stderr => "clustermon::stderr",
                };
                log::info!(target: target, "[{cluster}/{id}] {}", String::from_utf8_lossy(&line));
            }),
            To::Lines(handler) => make(&mut |line| {
                let (line, _) = decode(encoding, line);
                keep(&line);
                handler.take(id, stream, &line);
            }),
        }
    }
}
