//! One client: it asks until it is told to stop, and accounts for every request. It never gives up a request under way.

use super::mix::Mix;
use super::tally::{End, Incident, Kind, Tally};
use super::wire::{Answer, Wire};
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// A client that was refused or failed tries again after this.
const PAUSE: Duration = Duration::from_millis(2);
/// An upload is written in so many pieces.
const PIECES: u32 = 20;
const PIECE: usize = 3000;

/// What all clients of one load look at.
#[derive(Debug)]
pub(in crate::loss) struct Shared {
    pub(in crate::loss) server: SocketAddr,
    pub(in crate::loss) mix: Mix,
    pub(in crate::loss) stop: AtomicBool,
    /// The server has been told to end: connections may be refused from here on.
    pub(in crate::loss) ending: AtomicBool,
    pub(in crate::loss) answered: AtomicU64,
    /// Tries to connect.
    pub(in crate::loss) tried: AtomicU64,
    /// Clients of which a request has been under way.
    pub(in crate::loss) begun: AtomicUsize,
}

#[derive(Debug)]
pub(in crate::loss) struct Client<'a> {
    kind: Kind,
    /// Among those of its kind.
    number: usize,
    shared: &'a Shared,
    tally: Tally,
    wire: Option<Wire>,
    has_begun: bool,
}

impl<'a> Client<'a> {
    pub(in crate::loss) fn new(kind: Kind, number: usize, shared: &'a Shared) -> Self {
        Self { kind, number, shared, tally: Tally::default(), wire: None, has_begun: false }
    }

    pub(in crate::loss) fn run(mut self) -> Tally {
        // Spread over time, so that some are at each stage at any moment.
        let period = match self.kind {
            Kind::Closing => Duration::ZERO,
            Kind::Kept => self.shared.mix.think,
            Kind::Upload | Kind::Slow => self.shared.mix.long,
        };
        let all = self.shared.mix.count(self.kind) as u32;
        self.pause(period * self.number as u32 / all.max(1));
        while !self.stopped() {
            self.request();
            if self.kind == Kind::Kept {
                self.pause(self.shared.mix.think);
            }
        }
        self.tally
    }

    fn stopped(&self) -> bool {
        self.shared.stop.load(Ordering::Relaxed)
    }

    fn pause(&self, time: Duration) {
        if !time.is_zero() && !self.stopped() {
            thread::sleep(time);
        }
    }

    /// One request, from the connection to the last byte of the answer.
    fn request(&mut self) {
        let mut began = Instant::now();
        let mut wire = match self.wire.take() {
            Some(wire) if wire.has_ended() => {
                self.tally.reopened(self.kind);
                None
            }
            wire => wire,
        };
        let mut open = match wire.take() {
            Some(wire) => wire,
            None => match self.open() {
                Some(wire) => wire,
                None => return,
            },
        };
        if self.kind == Kind::Kept {
            began = Instant::now();
        }
        open.begin();
        if !self.has_begun {
            self.has_begun = true;
            self.shared.begun.fetch_add(1, Ordering::Relaxed);
        }
        let served = open.served;
        match self.talk(&mut open) {
            Ok(()) => {
                self.tally.answered(self.kind, began.elapsed());
                self.shared.answered.fetch_add(1, Ordering::Relaxed);
                match self.kind {
                    Kind::Kept => self.wire = Some(open),
                    Kind::Closing => open.let_close(),
                    Kind::Upload | Kind::Slow => {}
                }
            }
            Err(error) => {
                self.account(&open, began, served, &error);
                self.pause(PAUSE);
            }
        }
    }

    fn open(&mut self) -> Option<Wire> {
        let ending = self.shared.ending.load(Ordering::SeqCst);
        self.shared.tried.fetch_add(1, Ordering::Relaxed);
        match Wire::open(self.shared.server) {
            Ok(wire) => Some(wire),
            Err(_) => {
                // Told between the look and the try: still after the announcement.
                let ending = ending || self.shared.ending.load(Ordering::SeqCst);
                self.tally.count(self.kind, if ending { End::TurnedAway } else { End::Refused });
                self.pause(PAUSE);
                None
            }
        }
    }

    fn talk(&self, wire: &mut Wire) -> io::Result<()> {
        const CLOSE: &str = "Connection: close\r\n";
        let get = |page: &str, close: &str| format!("GET {page} HTTP/1.1\r\nHost: test\r\n{close}\r\n");
        match self.kind {
            Kind::Closing => {
                wire.send(get("/", CLOSE).as_bytes())?;
                good(wire.answer()?, |body| body.starts_with(b"pid="))
            }
            Kind::Kept => {
                wire.send(get("/", "").as_bytes())?;
                good(wire.answer()?, |body| body.starts_with(b"pid="))
            }
            Kind::Slow => {
                let pages = self.shared.mix.slow_pages;
                wire.send(get(pages[self.number % pages.len()], CLOSE).as_bytes())?;
                good(wire.answer()?, |body| !body.is_empty())
            }
            Kind::Upload => {
                let body: Vec<u8> = (0..PIECE * PIECES as usize).map(|at| (at % 251) as u8).collect();
                let length = body.len();
                let head =
                    format!("POST /echo HTTP/1.1\r\nHost: test\r\n{CLOSE}Content-Length: {length}\r\n\r\n");
                wire.send(head.as_bytes())?;
                for piece in body.chunks(PIECE) {
                    wire.send(piece)?;
                    thread::sleep(self.shared.mix.long / PIECES);
                }
                good(wire.answer()?, |echoed| echoed == body)
            }
        }
    }

    fn account(&mut self, wire: &Wire, began: Instant, served: u32, error: &io::Error) {
        let ended = Instant::now();
        let was_kept = self.kind == Kind::Kept && served > 0;
        let unacknowledged = wire.unacknowledged();
        let end = match (wire.written, was_kept) {
            (0, true) => return self.tally.reopened(self.kind),
            (0, false) => End::Reset,
            (_, true) if wire.input.is_empty() && was_unread(error, wire) => End::Raced,
            _ => End::Failed,
        };
        self.tally.count(self.kind, end);
        self.tally.incidents.push(Incident {
            kind: self.kind,
            end,
            port: wire.port,
            began,
            ended,
            written: wire.written,
            unacknowledged,
            received: wire.input.len(),
            served,
            how: error.to_string(),
        });
    }
}

/// Whether the server closed without having read the request. A system resets a connection that is closed with bytes
/// unread, at once or after an orderly end, and does not acknowledge bytes that arrive after the close.
fn was_unread(error: &io::Error, wire: &Wire) -> bool {
    match error.kind() {
        ErrorKind::ConnectionReset | ErrorKind::BrokenPipe => true,
        ErrorKind::UnexpectedEof => wire.unacknowledged() > 0 || wire.is_reset_too(),
        _ => false,
    }
}

fn good(answer: Answer, is_right: impl Fn(&[u8]) -> bool) -> io::Result<()> {
    if answer.status == 200 && is_right(&answer.body) {
        return Ok(());
    }
    let start = String::from_utf8_lossy(&answer.body[..answer.body.len().min(60)]).into_owned();
    Err(io::Error::new(ErrorKind::InvalidData, format!("answered by {} {start:?}", answer.status)))
}
