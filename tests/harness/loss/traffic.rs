//! All clients of one load at work: started, watched and stopped by the scenario.

use super::clients::client::{Client, Shared};
use super::clients::mix::Mix;
use super::clients::tally::{Kind, Tally};
use super::row::Row;
use crate::system::wait::{PATIENCE, wait_until};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

const STACK: usize = 256 * 1024;

/// Running clients, a thread each.
#[derive(Debug)]
pub struct Traffic {
    shared: Arc<Shared>,
    clients: Vec<JoinHandle<Tally>>,
    pub begun: Instant,
}

impl Traffic {
    pub fn start(server: SocketAddr, mix: Mix) -> Self {
        let shared = Arc::new(Shared {
            server,
            mix,
            stop: AtomicBool::new(false),
            ending: AtomicBool::new(false),
            answered: AtomicU64::new(0),
            tried: AtomicU64::new(0),
            begun: AtomicUsize::new(0),
        });
        let begun = Instant::now();
        let kinds = [Kind::Closing, Kind::Kept, Kind::Upload, Kind::Slow];
        let all = kinds.into_iter().flat_map(|kind| (0..mix.count(kind)).map(move |number| (kind, number)));
        let spawn = |(kind, number)| {
            let shared = shared.clone();
            let client = thread::Builder::new().stack_size(STACK);
            let client = client.spawn(move || Client::new(kind, number, &shared).run());
            client.expect("the system allows a hundred threads")
        };
        let clients = all.map(spawn).collect();
        Self { shared, clients, begun }
    }

    /// Requests that were answered so far.
    pub fn answered(&self) -> u64 {
        self.shared.answered.load(Ordering::Relaxed)
    }

    /// How often a client has tried to connect.
    pub fn tried(&self) -> u64 {
        self.shared.tried.load(Ordering::Relaxed)
    }

    /// Waits until every client has a request under way or behind it.
    #[track_caller]
    pub fn wait_begun(&self) {
        let all = self.shared.mix.clients();
        wait_until("every client has begun a request", PATIENCE, || {
            self.shared.begun.load(Ordering::Relaxed) >= all
        });
    }

    /// Waits until so many more have been answered. If that takes too long, the row has a problem, and this is false.
    pub fn wait_more(&self, count: u64, row: &mut Row) -> bool {
        let wanted = self.answered() + count;
        let begun = Instant::now();
        while self.answered() < wanted {
            if begun.elapsed() > PATIENCE {
                row.problems.push(format!("fewer than {count} requests were answered in {PATIENCE:?}"));
                return false;
            }
            thread::sleep(Duration::from_millis(2));
        }
        true
    }

    /// To be called before the server is told to end: from here on connections may be refused.
    pub fn announce_end(&self) {
        self.shared.ending.store(true, Ordering::SeqCst);
    }

    /// Lets every client end its request, and returns what all saw.
    pub fn finish(mut self) -> Tally {
        self.stop();
        let mut sum = Tally::default();
        for client in self.clients.drain(..) {
            sum.merge(client.join().expect("a client never panics"));
        }
        sum
    }

    fn stop(&self) {
        self.shared.stop.store(true, Ordering::Relaxed);
    }
}

impl Drop for Traffic {
    /// A scenario that fails leaves nobody asking.
    fn drop(&mut self) {
        self.stop();
    }
}
