//! What a program wrote to a pipe so far, read by a thread of its own so that the program never waits for the test.

use crate::system::wait::{PATIENCE, wait_until};
use std::io::Read;
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// The growing text.
#[derive(Clone, Debug, Default)]
pub struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    /// Collects from the pipe until every writer has closed it.
    pub fn collect(mut pipe: impl Read + Send + 'static) -> (Self, JoinHandle<()>) {
        let log = Self::default();
        let copy = log.clone();
        let reader = thread::spawn(move || {
            let mut chunk = [0; 8192];
            while let Ok(length @ 1..) = pipe.read(&mut chunk) {
                copy.bytes().extend_from_slice(&chunk[..length]);
            }
        });
        (log, reader)
    }

    fn bytes(&self) -> std::sync::MutexGuard<'_, Vec<u8>> {
        self.0.lock().expect("no holder of this lock panics")
    }

    /// The same, byte for byte.
    pub fn raw(&self) -> Vec<u8> {
        self.bytes().clone()
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes()).into_owned()
    }

    /// The complete lines that contain the text.
    pub fn lines_with(&self, part: &str) -> Vec<String> {
        let text = self.text();
        let complete = text.rfind('\n').map_or("", |end| &text[..end]);
        complete.lines().filter(|line| line.contains(part)).map(str::to_owned).collect()
    }

    pub fn count(&self, part: &str) -> usize {
        self.lines_with(part).len()
    }

    /// Waits until so many lines contain the text.
    #[track_caller]
    pub fn wait_for_count(&self, part: &str, count: usize, limit: Duration) {
        wait_until(&format!("{count} log lines with {part:?}"), limit, || self.count(part) >= count);
    }

    #[track_caller]
    pub fn wait_for(&self, part: &str) {
        self.wait_for_count(part, 1, PATIENCE);
    }
}
