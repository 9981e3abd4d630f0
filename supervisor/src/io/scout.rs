//! Finds out, off the loop, whether any process of a worker still holds a lane: reading the descriptors of a process
//! that has many takes longer than a connection may wait.

use super::family::{self, Table};
use crate::ids::LaneId;
use crossbeam_channel::{Receiver, Sender, unbounded};
use mio::Waker;
use std::collections::HashSet;
use std::io;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

/// Who may hold what.
#[derive(Debug)]
pub(crate) struct Question {
    pub(crate) lane: LaneId,
    /// Inode of the worker end.
    pub(crate) inode: u64,
    /// The first process and the members; their groups and descendants are looked at too.
    pub(crate) pids: Vec<u32>,
}

/// The thread's other end. The thread has ended once this is dropped.
#[derive(Debug)]
pub(crate) struct Scout {
    /// Taken away to end the thread.
    questions: Option<Sender<Question>>,
    thread: Option<JoinHandle<()>>,
    answers: Receiver<(LaneId, bool)>,
    /// Asked and not answered: a slow thread is not asked the same again and again.
    asked: HashSet<LaneId>,
}

impl Scout {
    /// Starts the thread; it wakes the loop after each answer.
    pub(crate) fn start(waker: Arc<Waker>) -> io::Result<Self> {
        let (questions, asked) = unbounded::<Question>();
        let (found, answers) = unbounded();
        let thread = thread::Builder::new().name("scout".into()).spawn(move || {
            for question in asked {
                let held = is_held(question.inode, &question.pids);
                if found.send((question.lane, held)).is_err() || waker.wake().is_err() {
                    return;
                }
            }
        })?;
        Ok(Self { questions: Some(questions), thread: Some(thread), answers, asked: HashSet::new() })
    }

    /// Asks; answered by `next`.
    pub(crate) fn ask(&mut self, question: Question) {
        if !self.asked.insert(question.lane) {
            return;
        }
        // The thread lives as long as this; were it gone, the lane would simply stay.
        let _ = self.questions.as_ref().map(|questions| questions.send(question));
    }

    /// An answer: whether somebody holds the lane, or nobody could be asked.
    pub(crate) fn next(&mut self) -> Option<(LaneId, bool)> {
        let (lane, held) = self.answers.try_recv().ok()?;
        self.asked.remove(&lane);
        Some((lane, held))
    }
}

impl Drop for Scout {
    fn drop(&mut self) {
        self.questions = None;
        if let Some(thread) = self.thread.take() {
            // It ends after the question that it is at; it does not panic.
            let _ = thread.join();
        }
    }
}

/// True if one of the processes, of their groups or of their descendants has the socket open, or hides what it has.
fn is_held(inode: u64, pids: &[u32]) -> bool {
    Table::read().family(pids).into_iter().any(|pid| {
        let mut held = false;
        let read = family::each_socket(pid, |_, its| {
            held = its == inode;
            !held
        });
        held || read.is_err()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::AsFd;
    use std::os::unix::net::UnixDatagram;

    #[test]
    fn finds_what_this_process_holds_and_nothing_else() {
        let (a, _b) = UnixDatagram::pair().unwrap();
        let inode = nix::sys::stat::fstat(a.as_fd()).unwrap().st_ino;
        let me = [std::process::id()];
        assert!(is_held(inode, &me));
        drop(a);
        assert!(!is_held(inode, &me));
        assert!(!is_held(inode, &[u32::MAX]));
    }
}
