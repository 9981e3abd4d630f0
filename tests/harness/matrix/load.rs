//! Clients with a connection for each request, while something is done to the cluster. A single failure is one too many.

use super::client::Client;
use super::table::Row;
use crate::clients::http::Target;
use crate::system::wait::{PATIENCE, wait_until};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

const CLIENTS: usize = 2;

/// Running clients.
pub(super) struct Load {
    stop: Arc<AtomicBool>,
    done: Arc<AtomicU64>,
    clients: Vec<JoinHandle<io::Result<()>>>,
}

impl Load {
    pub(super) fn start(row: &Row, target: &Target) -> Self {
        let (stop, done) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let client = |_| {
            let (stop, done, target, speaks) = (stop.clone(), done.clone(), target.clone(), row.speaks);
            thread::spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    Client::open(&target, speaks)?.ask_last()?;
                    done.fetch_add(1, Ordering::Relaxed);
                    // It is there all the time; it need not take all that there is.
                    thread::sleep(Duration::from_millis(1));
                }
                Ok(())
            })
        };
        let clients = (0..CLIENTS).map(client).collect();
        Self { stop, done, clients }
    }

    /// Waits until some more requests have been answered, or one has failed.
    pub(super) fn wait_for_more(&self) {
        let before = self.done.load(Ordering::Relaxed);
        wait_until("requests are answered", PATIENCE, || {
            self.done.load(Ordering::Relaxed) >= before + 10
                || self.clients.iter().any(JoinHandle::is_finished)
        });
    }

    /// None has failed, and some came after what was done.
    #[track_caller]
    pub(super) fn finish(self, what: &str) -> String {
        self.wait_for_more();
        self.stop.store(true, Ordering::Relaxed);
        let done = self.done.load(Ordering::Relaxed);
        for client in self.clients {
            if let Err(error) = client.join().expect("it never panics") {
                panic!("a request failed during {what}, after {done} that did not: {error}");
            }
        }
        format!("0 of {done}")
    }
}
