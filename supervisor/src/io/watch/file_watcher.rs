//! Watches files on a thread of its own, which wakes the loop when something has changed: reading folders can take as long as the disk
//! likes, and a connection must not wait for it.

use super::folders::{self, Folders};
use super::watching::{Changed, Watching};
use crate::io::output::log_file::place;
use crossbeam_channel::{Receiver, Sender, TryRecvError, at, never, select, unbounded};
use mio::Waker;
use std::convert::Infallible;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Instant;

/// The thread's other end. The thread has ended once this is dropped.
#[derive(Debug)]
pub(crate) struct FileWatcher {
    changes: Receiver<Changed>,
    /// Taken away to end the thread.
    life: Option<Sender<Infallible>>,
    thread: Option<JoinHandle<()>>,
}

impl FileWatcher {
    /// Watches these files, and folders with all below them. The loop is woken after each change.
    pub(crate) fn start(places: Vec<PathBuf>, waker: Arc<Waker>) -> io::Result<Self> {
        let (sender, changes) = unbounded();
        let (life, is_over) = unbounded();
        let report = move |changed| sender.send(changed).is_ok() && waker.wake().is_ok();
        let thread =
            thread::Builder::new().name("watch".into()).spawn(move || run(places, &is_over, report))?;
        Ok(Self { changes, life: Some(life), thread: Some(thread) })
    }

    /// A change that is over.
    pub(crate) fn next(&self) -> Option<Changed> {
        self.changes.try_recv().ok()
    }
}

impl Drop for FileWatcher {
    fn drop(&mut self) {
        self.life = None;
        if let Some(thread) = self.thread.take() {
            // It looks between two folders; it does not panic.
            let _ = thread.join();
        }
    }
}

/// Ends when nobody holds the other end of `life` any more, or `report` answers false.
fn run(places: Vec<PathBuf>, life: &Receiver<Infallible>, mut report: impl FnMut(Changed) -> bool) {
    let (sender, events) = unbounded();
    let folders = match Folders::new(sender) {
        Ok(folders) => folders,
        Err(error) => return log::warn!("watch: no change is noticed: {}", folders::because(&error)),
    };
    let is_over = || life.try_recv() == Err(TryRecvError::Disconnected);
    let mut watching = Watching::new(places, place::all().into(), folders, is_over);
    watching.begin();
    loop {
        let due = watching.next_deadline().map_or_else(never, at);
        select! {
            recv(life) -> _ => break,
            recv(events) -> told => match told {
                Ok(told) => watching.on_told(now(), told),
                Err(_) => break,
            },
            recv(due) -> _ => {
                if watching.take().is_some_and(|changed| !report(changed)) {
                    break;
                }
            }
        }
    }
    drop(watching);
    // The library's own thread has ended once it can send nothing more.
    for _ in events {}
}

#[expect(clippy::disallowed_methods, reason = "this thread paces itself; the loop's clock is not its own")]
fn now() -> Instant {
    Instant::now()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::scratch::Scratch;
    use mio::{Events, Poll, Token};
    use std::time::Duration;

    #[test]
    fn a_change_wakes_the_loop_and_the_thread_ends_with_it() {
        let scratch = Scratch::new();
        let place = std::fs::canonicalize(scratch.path()).unwrap();
        let mut poll = Poll::new().unwrap();
        let waker = Arc::new(Waker::new(poll.registry(), Token(1)).unwrap());
        let watcher = FileWatcher::start(vec![place.clone()], waker).unwrap();
        let mut events = Events::with_capacity(1);
        // What is written before it has begun is not noticed.
        let mut tries = 0..120;
        let changed = loop {
            let turn = tries.next().expect("nothing is noticed");
            scratch.file("app.py", turn.to_string(), 0o644);
            poll.poll(&mut events, Some(Duration::from_millis(500))).unwrap();
            if !events.is_empty() {
                break watcher.next().expect("it wakes the loop for something");
            }
        };
        assert_eq!(changed.to_string(), format!("{} has changed", place.join("app.py").display()));
        drop(watcher);
    }
}
