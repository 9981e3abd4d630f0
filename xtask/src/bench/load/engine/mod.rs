//! Makes the load: one thread, one epoll instance, sockets that never block. It counts and times; what the figures
//! mean is said elsewhere.

mod exchange;

use self::exchange::{Client, Progress, reset_on_close};
use super::client::{Connection, Load, Pace, Requests};
use crate::Result;
use crate::bench::figures::processor;
use crate::bench::figures::stats::Sample;
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};
use std::io::ErrorKind;
use std::os::fd::{AsFd, AsRawFd};
use std::time::{Duration, Instant};

/// How long after the end an answer is still waited for; later ones are failures.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long a client that failed keeps still, so that a server that is gone does not make it spin.
const PAUSE: Duration = Duration::from_millis(5);
/// Open pace: more unanswered requests than this, and the next ones fail unsent.
const MOST_OPEN: usize = 4096;

/// Runs the load to its end.
pub(in crate::bench) fn run(load: &Load) -> Result<Sample> {
    measure(load, Engine::new(load)?)
}

/// The same, and notes which process has answered, which costs the client some time.
pub(in crate::bench) fn run_by_process(load: &Load) -> Result<Sample> {
    measure(load, Engine { notes_process: true, ..Engine::new(load)? })
}

fn measure(load: &Load, mut engine: Engine<'_>) -> Result<Sample> {
    let before = processor::of_tree(load.pid);
    engine.run()?;
    let spent = processor::of_tree(load.pid).saturating_sub(before);
    Ok(Sample { lasted: load.duration, spent, ..engine.sample })
}

struct Engine<'a> {
    load: &'a Load,
    poll: Poll,
    clients: Vec<Client>,
    /// Clients without a request, by index; used as a stack.
    idle: Vec<usize>,
    /// Clients that failed, and when they may go on.
    resting: Vec<(Instant, usize)>,
    requests: Requests,
    sample: Sample,
    notes_process: bool,
    end: Instant,
    /// Requests that were begun and not finished.
    busy: usize,
    /// When there was last none.
    calm: Instant,
}

impl<'a> Engine<'a> {
    fn new(load: &'a Load) -> Result<Self> {
        Ok(Self {
            load,
            poll: Poll::new()?,
            clients: Vec::new(),
            idle: Vec::new(),
            resting: Vec::new(),
            requests: Requests::new(load.work, load.connection),
            sample: Sample::default(),
            notes_process: false,
            end: Instant::now() + load.duration,
            busy: 0,
            calm: Instant::now(),
        })
    }

    fn run(&mut self) -> Result<()> {
        let mut events = Events::with_capacity(256);
        let start = Instant::now();
        self.end = start + self.load.duration;
        let mut due = start;
        if let Pace::Closed { clients } | Pace::Bursts { clients, .. } = self.load.pace {
            for _ in 0..clients {
                self.begin(start);
            }
        }
        loop {
            let now = Instant::now();
            // At an open pace all that are due are begun, however late this thread comes to it.
            let is_all = due >= self.end || !matches!(self.load.pace, Pace::Open { .. });
            if now >= self.end && (self.busy == 0 && is_all || now >= self.end + PATIENCE) {
                self.sample.failed += self.busy;
                return Ok(());
            }
            let mut patience = PAUSE;
            match self.load.pace {
                Pace::Closed { .. } => {}
                Pace::Open { rate } => {
                    while due <= now && due < self.end {
                        self.begin(due);
                        due += Duration::from_secs_f64(1.0 / rate);
                    }
                    patience = self.wait_until(due, patience)?;
                }
                Pace::Bursts { clients, pause } if self.busy == 0 => {
                    due = self.calm + pause;
                    if due <= now && now < self.end {
                        (0..clients).for_each(|_| self.begin(now));
                    }
                    patience = self.wait_until(due, patience)?;
                }
                Pace::Bursts { .. } => {}
            }
            self.poll.poll(&mut events, Some(patience)).or_else(unless_interrupted)?;
            for event in &events {
                self.drive(event.token().0);
            }
            self.wake_rested();
        }
    }

    /// Waits until something is ready or due; how long to wait for the first of these afterwards.
    fn wait_until(&self, due: Instant, patience: Duration) -> Result<Duration> {
        let now = Instant::now();
        if due >= self.end || due <= now {
            return Ok(patience);
        }
        sleep_until_ready(self.poll.as_raw_fd(), due.saturating_duration_since(now))?;
        Ok(Duration::ZERO)
    }

    /// Begins a request with an idle client, or a new one.
    fn begin(&mut self, at: Instant) {
        let client = self.idle.pop().unwrap_or_else(|| {
            self.clients.push(Client::default());
            self.clients.len() - 1
        });
        if self.clients.len() > MOST_OPEN && matches!(self.load.pace, Pace::Open { .. }) {
            self.sample.failed += 1;
            self.idle.push(client);
            return;
        }
        self.begin_with(client, at);
    }

    fn begin_with(&mut self, index: usize, at: Instant) {
        let client = &mut self.clients[index];
        self.busy += usize::from(client.begun.replace(at).is_none());
        client.request = self.requests.next();
        client.answer.clear();
        let is_new = client.stream.is_none();
        if is_new {
            match TcpStream::connect(self.load.server) {
                Ok(stream) => client.stream = Some(stream),
                Err(_) => return self.finish(index, Progress::Failed),
            }
        }
        let wrote = client.write();
        if is_new && let Some(stream) = &mut client.stream {
            reset_on_close(stream.as_fd());
            // On the loopback a connection is mostly there at once and the request fits: then nothing waits to be written.
            let is_written = self.load.connection == Connection::Fresh && client.request.is_empty();
            let interest =
                if is_written { Interest::READABLE } else { Interest::READABLE | Interest::WRITABLE };
            if self.poll.registry().register(stream, Token(index), interest).is_err() {
                return self.finish(index, Progress::Failed);
            }
        }
        if wrote.is_err() {
            self.finish(index, Progress::Failed);
        }
    }

    /// Does all that can be done for a client now, and begins its next request.
    fn drive(&mut self, index: usize) {
        let client = &mut self.clients[index];
        match client.step(self.load.connection) {
            Progress::Waiting => {}
            done => self.finish(index, done),
        }
    }

    fn finish(&mut self, index: usize, outcome: Progress) {
        let now = Instant::now();
        let client = &mut self.clients[index];
        let Some(begun) = client.begun.take() else {
            // A kept connection that the server closed between requests; the next request opens another.
            client.stream = None;
            return;
        };
        self.busy -= 1;
        if self.busy == 0 {
            self.calm = now;
        }
        let answered = matches!(outcome, Progress::Answered);
        if !answered || self.load.connection == Connection::Fresh {
            client.stream = None;
        }
        if answered {
            let latency = now.saturating_duration_since(begun);
            self.sample.latencies.push(latency);
            if self.notes_process
                && let Some(pid) = client.answer.pid()
            {
                let share = self.sample.by_process.entry(pid).or_default();
                share.answers += 1;
                share.slowest = share.slowest.max(latency);
            }
            self.sample.answered_in_time += usize::from(now < self.end);
        } else {
            self.sample.failed += 1;
        }
        match self.load.pace {
            Pace::Open { .. } | Pace::Bursts { .. } => self.idle.push(index),
            Pace::Closed { .. } if now >= self.end => self.idle.push(index),
            Pace::Closed { .. } if answered => self.begin_with(index, now),
            Pace::Closed { .. } => self.resting.push((now + PAUSE, index)),
        }
    }

    fn wake_rested(&mut self) {
        if self.resting.is_empty() {
            return;
        }
        let now = Instant::now();
        for (until, index) in std::mem::take(&mut self.resting) {
            if now >= self.end {
                self.idle.push(index);
            } else if now >= until {
                self.begin_with(index, now);
            } else {
                self.resting.push((until, index));
            }
        }
    }
}

fn unless_interrupted(error: std::io::Error) -> std::io::Result<()> {
    if error.kind() == ErrorKind::Interrupted { Ok(()) } else { Err(error) }
}

/// Waits for events like mio's poll, but not rounded up to whole milliseconds, which would delay what is due sooner.
fn sleep_until_ready(epoll: std::os::fd::RawFd, at_most: Duration) -> Result<()> {
    let mut fd = libc::pollfd { fd: epoll, events: libc::POLLIN, revents: 0 };
    let time = libc::timespec {
        tv_sec: at_most.as_secs() as libc::time_t,
        tv_nsec: libc::c_long::from(at_most.subsec_nanos()),
    };
    // SAFETY: one pollfd and one timespec, both alive for the call; no signal mask is given.
    let ready = unsafe { libc::ppoll(&raw mut fd, 1, &raw const time, std::ptr::null()) };
    if ready >= 0 {
        return Ok(());
    }
    Ok(unless_interrupted(std::io::Error::last_os_error())?)
}

#[cfg(test)]
mod tests;
