//! What other threads of a supervisor do off the loop: questions and commands are taken in after each turn, and answered a little later.

pub(super) mod hooks;

use super::World;
use super::agenda::Deed;
use super::processes::process::Process;
use crate::ids::WorkerId;
use crate::io::drain::idle_detector::{self, IdleDetector, Report};
use crate::io::lanes::lane_owner_probe::{Answer, Asked, Found, LaneOwnerProbe, Question};
use crate::io::sockets::unmanaged_listener::ListenerLook;
use crossbeam_channel::{Receiver, Sender, unbounded};
use mio::Waker;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;

/// What is asked off the loop.
#[derive(Debug)]
pub(super) struct OffLoop {
    questions: Receiver<Asked>,
    answers: Sender<Answer>,
    unmanaged: Sender<(WorkerId, ListenerLook)>,
    commands: Receiver<idle_detector::DetectorCommand>,
    reports: Sender<(WorkerId, Report)>,
    waker: Arc<Waker>,
}

impl OffLoop {
    /// It, and what the supervisor asks it by.
    pub(super) fn new(waker: Arc<Waker>) -> (Self, LaneOwnerProbe, IdleDetector) {
        let (asks, questions) = unbounded();
        let (answers, answered) = unbounded();
        let (unmanaged, uncovered) = unbounded();
        let (orders, commands) = unbounded();
        let (reports, reported) = unbounded();
        let off_loop = Self { questions, answers, unmanaged, commands, reports, waker };
        (off_loop, LaneOwnerProbe::of(asks, answered, uncovered), IdleDetector::of(orders, reported))
    }
}

impl World {
    pub(super) fn take_questions(&mut self) {
        let Some(off_loop) = &self.off_loop else { return };
        let mut is_any = false;
        while let Ok(asked) = off_loop.questions.try_recv() {
            self.unanswered.push(asked);
            is_any = true;
        }
        while let Ok(command) = off_loop.commands.try_recv() {
            match command {
                idle_detector::DetectorCommand::Watch(watched) => {
                    self.watched.insert(watched.worker, *watched);
                    is_any = true;
                }
                idle_detector::DetectorCommand::Update(..) => {}
                idle_detector::DetectorCommand::Forget(worker) => drop(self.watched.remove(&worker)),
            }
        }
        if is_any && !self.report_is_due {
            self.report_is_due = true;
            let pause = self.dice.micros(50, 5_000);
            self.after(pause, Deed::Report);
        }
    }

    /// Answers what was asked off the loop.
    pub(super) fn report(&mut self) {
        self.report_is_due = false;
        for asked in std::mem::take(&mut self.unanswered) {
            match asked {
                Asked::Held(Question { lanes, idle, .. }) => {
                    for wanted in lanes {
                        let held = self.processes.values().any(|process| process.holds(wanted.inode));
                        let found = if held { Found::At(wanted.seen_at) } else { Found::Nobody };
                        let answer = Answer { lane: wanted.lane, found, idle };
                        self.tell(|off| off.answers.send(answer).is_ok());
                    }
                }
                Asked::Unmanaged(worker, _) => {
                    self.tell(|off| off.unmanaged.send((worker, ListenerLook::Nobody)).is_ok());
                }
            }
        }
        let mut quiet = Vec::new();
        for (worker, watched) in &self.watched {
            let busy = self.processes.get(watched.pids.first().unwrap_or(&0)).map_or(0, Process::busy);
            let waits =
                |lane: &OwnedFd| crate::io::kernel::sockopt::unreceived(lane.as_fd()).unwrap_or(0) > 0;
            let lanes = watched.lanes.iter().filter(|lane| waits(lane)).count();
            quiet.push((*worker, busy as u32, busy as u32 + lanes as u32));
        }
        for (worker, connections, busy) in quiet {
            let report = Report { connections, busy, quiet: busy == 0, blind: None };
            if report.quiet {
                self.watched.remove(&worker);
            }
            self.tell(|off| off.reports.send((worker, report)).is_ok());
        }
        if !self.watched.is_empty() {
            self.report_is_due = true;
            self.after(Duration::from_millis(20), Deed::Report);
        }
    }

    /// Has the loop look at an answer.
    fn tell(&mut self, say: impl FnOnce(&OffLoop) -> bool) {
        if let Some(off_loop) = self.off_loop.as_ref().filter(|off_loop| say(off_loop)) {
            // The poll that it belongs to lives as long as the history.
            let _ = off_loop.waker.wake();
        }
    }
}
