//! Finds out, off the loop, whether any process of a worker still holds a lane, and whether one listens without the library:
//! reading the descriptors of a process that has many takes longer than a connection may wait. What it cannot find out it
//! takes for held, and for neither of the two.

use super::lane::{self, Holder};
use crate::ids::{LaneId, WorkerId};
use crate::io::kernel::pidfd;
use crate::io::privileges::view::Onlooker;
use crate::io::process::descriptor_table::{self, Reading};
use crate::io::process::process_tree::ProcessTree;
use crate::io::sockets::unmanaged_listener::{self, ListenerLook, Suspects};
use crossbeam_channel::{Receiver, Sender, unbounded};
use mio::Waker;
use std::collections::{HashMap, HashSet};
use std::io;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// A process that ends is waited for: until then nobody can tell what it had open.
const LAST_MOMENTS: Duration = Duration::from_millis(100);

/// Who may hold what.
#[derive(Debug)]
pub(crate) struct Question {
    pub(crate) lanes: Vec<Wanted>,
    /// The processes to begin with; their groups and descendants are looked at too.
    pub(crate) pids: Vec<u32>,
    /// Nothing waits in these lanes.
    pub(crate) idle: bool,
}

/// A lane that is looked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wanted {
    pub(crate) lane: LaneId,
    /// Of the worker end.
    pub(crate) inode: u64,
    /// Where it is looked for first.
    pub(crate) seen_at: Holder,
}

/// What was found of one lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) lane: LaneId,
    pub(crate) found: Found,
    /// As it was asked.
    pub(crate) idle: bool,
}

/// Who holds a lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    At(Holder),
    /// Some process hides what it has, or is about to end.
    Unknown,
    Nobody,
}

/// What is asked.
#[derive(Debug)]
pub(crate) enum Asked {
    Held(Question),
    Unmanaged(WorkerId, Suspects),
}

/// The thread's other end. The thread has ended once this is dropped.
#[derive(Debug)]
pub(crate) struct LaneOwnerProbe {
    /// Taken away to end the thread.
    questions: Option<Sender<Asked>>,
    thread: Option<JoinHandle<()>>,
    answers: Receiver<Answer>,
    uncovered: Receiver<(WorkerId, ListenerLook)>,
    /// Asked and not answered: a slow thread is not asked the same again and again.
    asked: HashSet<(LaneId, bool)>,
}

impl LaneOwnerProbe {
    /// Starts the thread; it wakes the loop after each answer.
    pub(crate) fn start(waker: Arc<Waker>, onlooker: Onlooker) -> io::Result<Self> {
        let (questions, asked) = unbounded::<Asked>();
        let (found, answers) = unbounded();
        let (judged, uncovered) = unbounded();
        let thread = thread::Builder::new().name("lane-owners".into()).spawn(move || {
            onlooker.begin();
            for question in asked {
                let sent = match question {
                    Asked::Held(Question { lanes, pids, idle }) => {
                        let mut holders = holders(&lanes, &pids).into_iter();
                        holders.all(|(lane, holder)| found.send(Answer { lane, found: holder, idle }).is_ok())
                    }
                    Asked::Unmanaged(worker, suspects) => {
                        judged.send((worker, unmanaged_listener::find(&suspects))).is_ok()
                    }
                };
                if !sent || waker.wake().is_err() {
                    return;
                }
            }
        })?;
        let mut probe = Self::of(questions, answers, uncovered);
        probe.thread = Some(thread);
        Ok(probe)
    }

    /// One whose questions somebody else answers.
    pub(crate) fn of(
        questions: Sender<Asked>,
        answers: Receiver<Answer>,
        uncovered: Receiver<(WorkerId, ListenerLook)>,
    ) -> Self {
        Self { questions: Some(questions), thread: None, answers, uncovered, asked: HashSet::new() }
    }

    /// Asks; answered by `next`.
    pub(crate) fn ask(&mut self, mut question: Question) {
        question.lanes.retain(|wanted| self.asked.insert((wanted.lane, question.idle)));
        if question.lanes.is_empty() {
            return;
        }
        // The thread lives as long as this; were it gone, the lane would simply stay.
        let _ = self.questions.as_ref().map(|questions| questions.send(Asked::Held(question)));
    }

    /// Asks whether one of the worker's processes listens without the library; answered by `next_unmanaged`.
    pub(crate) fn ask_unmanaged(&self, worker: WorkerId, suspects: Suspects) {
        // The thread lives as long as this.
        let _ = self.questions.as_ref().map(|questions| questions.send(Asked::Unmanaged(worker, suspects)));
    }

    /// An answer to that.
    pub(crate) fn next_unmanaged(&mut self) -> Option<(WorkerId, ListenerLook)> {
        self.uncovered.try_recv().ok()
    }

    /// An answer.
    pub(crate) fn next(&mut self) -> Option<Answer> {
        let answer = self.answers.try_recv().ok()?;
        self.asked.remove(&(answer.lane, answer.idle));
        Some(answer)
    }
}

impl Drop for LaneOwnerProbe {
    fn drop(&mut self) {
        self.questions = None;
        if let Some(thread) = self.thread.take() {
            // It ends after the question that it is at; it does not panic.
            let _ = thread.join();
        }
    }
}

/// Of each lane which of the processes, of their groups or of their descendants has it open.
fn holders(lanes: &[Wanted], pids: &[u32]) -> Vec<(LaneId, Found)> {
    let mut missing: HashMap<u64, LaneId> = HashMap::new();
    let mut found: Vec<(LaneId, Found)> = Vec::new();
    for &Wanted { lane, inode, seen_at } in lanes {
        if lane::is_at(seen_at, inode) {
            found.push((lane, Found::At(seen_at)));
        } else {
            missing.insert(inode, lane);
        }
    }
    let sure = missing.is_empty() || search(&mut missing, pids, &mut found);
    let rest = if sure { Found::Nobody } else { Found::Unknown };
    found.extend(missing.into_values().map(|lane| (lane, rest)));
    found
}

/// Looks for what is missing in all of these processes; false if something of them could not be seen.
fn search(missing: &mut HashMap<u64, LaneId>, pids: &[u32], found: &mut Vec<(LaneId, Found)>) -> bool {
    let mut sure = true;
    let mut seen = HashSet::new();
    // A process may fork and close what it has just before its descriptors are read: the child is in the second table.
    for _ in 0..2 {
        let table = ProcessTree::read();
        sure &= table.is_complete;
        for pid in table.family(pids).into_iter().filter(|pid| seen.insert(*pid)).collect::<Vec<_>>() {
            let read = descriptor_table::each_socket(pid, |fd, inode| {
                let lane = missing.remove(&inode);
                found.extend(lane.map(|lane| (lane, Found::At(Holder { pid, fd }))));
                !missing.is_empty()
            });
            if missing.is_empty() {
                return sure;
            }
            sure &= match read {
                Ok(Reading::Complete | Reading::Ended) => true,
                Ok(Reading::Ending) => ends_soon(pid),
                Err(_) => false,
            };
        }
    }
    sure
}

/// Waits for a process that is about to end; true once it has.
fn ends_soon(pid: u32) -> bool {
    if let Ok(pidfd) = pidfd::open(pid) {
        pidfd::wait(&pidfd, LAST_MOMENTS);
    }
    matches!(descriptor_table::each_socket(pid, |_, _| true), Ok(Reading::Ended))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::{AsFd, AsRawFd};
    use std::os::unix::net::UnixDatagram;

    #[test]
    fn finds_what_this_process_holds_and_nothing_else() {
        let (a, _b) = UnixDatagram::pair().unwrap();
        let inode = nix::sys::stat::fstat(a.as_fd()).unwrap().st_ino;
        let me = std::process::id();
        let place = Holder { pid: me, fd: a.as_raw_fd() };
        let elsewhere = Holder { pid: me, fd: i32::MAX };
        let wanted = |lane, inode, seen_at| Wanted { lane: LaneId(lane), inode, seen_at };
        let own = wanted(1, inode, place);
        assert_eq!(holders(&[own], &[]), [(LaneId(1), Found::At(place))], "it is where it was");
        let moved = wanted(1, inode, elsewhere);
        assert_eq!(holders(&[moved], &[me]), [(LaneId(1), Found::At(place))], "it is found");
        let strange = wanted(2, u64::MAX, elsewhere);
        assert_eq!(holders(&[moved, strange], &[me]).len(), 2);
        assert_eq!(holders(&[strange], &[me]), [(LaneId(2), Found::Nobody)]);
        drop(a);
        assert_eq!(holders(&[own], &[me]), [(LaneId(1), Found::Nobody)]);
        assert_eq!(holders(&[own], &[u32::MAX]), [(LaneId(1), Found::Nobody)]);
    }
}
