//! Clients that ask again and again, each on a new connection, until told to stop.

use crate::clients::http::{Conn, Target, Who};
use crate::system::wait::PATIENCE;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// Running clients.
#[derive(Debug)]
pub struct Load {
    stop: Arc<AtomicBool>,
    done: Arc<AtomicUsize>,
    clients: Vec<JoinHandle<Vec<Sample>>>,
}

/// What became of one request.
#[derive(Debug)]
pub struct Sample {
    /// The connection was made.
    pub connected: bool,
    pub result: io::Result<Who>,
    pub took: Duration,
}

impl Load {
    /// Starts so many clients that ask for the page.
    pub fn start(target: &Target, clients: usize, page: &'static str) -> Self {
        Self::start_within(target, clients, page, PATIENCE)
    }

    /// The same, where an answer may take so long.
    pub fn start_within(target: &Target, clients: usize, page: &'static str, limit: Duration) -> Self {
        let (stop, done) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let client = |_| {
            let (target, stop, done) = (target.clone(), stop.clone(), done.clone());
            thread::spawn(move || {
                let mut samples = Vec::new();
                while !stop.load(Ordering::Relaxed) {
                    samples.push(ask(&target, page, limit));
                    done.fetch_add(1, Ordering::Relaxed);
                }
                samples
            })
        };
        let clients = (0..clients).map(client).collect();
        Self { stop, done, clients }
    }

    /// How many requests have ended so far.
    pub fn done(&self) -> usize {
        self.done.load(Ordering::Relaxed)
    }

    /// Lets every client end its request and returns what all saw.
    pub fn finish(self) -> Vec<Sample> {
        self.stop.store(true, Ordering::Relaxed);
        self.clients.into_iter().flat_map(|client| client.join().expect("a client never panics")).collect()
    }

    /// The same for clients of which each must have had every answer. Returns who answered.
    #[track_caller]
    pub fn finish_unharmed(self) -> Vec<Who> {
        let samples = self.finish();
        let count = samples.len();
        let answered = samples.into_iter().map(|sample| sample.result);
        answered.collect::<io::Result<_>>().unwrap_or_else(|error| panic!("of {count} requests: {error}"))
    }
}

fn ask(target: &Target, page: &str, limit: Duration) -> Sample {
    let start = Instant::now();
    let mut connected = false;
    let result = Conn::open(target).and_then(|mut conn| {
        connected = true;
        conn = conn.within(limit)?;
        conn.last_request(page)?;
        conn.response()?.who()
    });
    Sample { connected, result, took: start.elapsed() }
}
