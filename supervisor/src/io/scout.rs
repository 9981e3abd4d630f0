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
    /// With the inode of the worker end of each.
    pub(crate) lanes: Vec<(LaneId, u64)>,
    /// The processes to begin with; their groups and descendants are looked at too.
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
                for (lane, held) in held(&question.lanes, &question.pids) {
                    if found.send((lane, held)).is_err() {
                        return;
                    }
                }
                if waker.wake().is_err() {
                    return;
                }
            }
        })?;
        Ok(Self { questions: Some(questions), thread: Some(thread), answers, asked: HashSet::new() })
    }

    /// Asks; answered by `next`.
    pub(crate) fn ask(&mut self, mut question: Question) {
        question.lanes.retain(|(lane, _)| self.asked.insert(*lane));
        if question.lanes.is_empty() {
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

/// Of each whether one of the processes, of their groups or of their descendants has the socket open, or hides what it has.
fn held(lanes: &[(LaneId, u64)], pids: &[u32]) -> Vec<(LaneId, bool)> {
    let mut missing: HashSet<u64> = lanes.iter().map(|(_, inode)| *inode).collect();
    for pid in Table::read().family(pids) {
        let read = family::each_socket(pid, |_, inode| {
            missing.remove(&inode);
            !missing.is_empty()
        });
        if read.is_err() {
            missing.clear();
        }
        if missing.is_empty() {
            break;
        }
    }
    lanes.iter().map(|(lane, inode)| (*lane, !missing.contains(inode))).collect()
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
        let lanes = [(LaneId(1), inode), (LaneId(2), u64::MAX)];
        assert_eq!(held(&lanes, &me), [(LaneId(1), true), (LaneId(2), false)]);
        drop(a);
        assert_eq!(held(&lanes[..1], &me), [(LaneId(1), false)]);
        assert_eq!(held(&lanes[..1], &[u32::MAX]), [(LaneId(1), false)]);
    }
}
