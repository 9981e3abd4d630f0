//! What workers leave behind ends with them: helpers that have left the process group, by `setsid`, `timeout` or job
//! control, would pile up, one a restart. Only what is provably a worker's is touched, and only where orphans become
//! children of this process.

use super::super::Shell;
use super::super::os::Os;
use crate::ids::WorkerId;
use crate::io::kernel::pidfd;
use crate::io::process::leftovers::{self, SeenProcess};
use crate::io::process::process_tree::children;
use clustermon_protocol::message::Token;
use nix::sys::signal::Signal;
use std::collections::{BTreeSet, HashSet};
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

/// From the signal that asks to the one that kills. A helper has no connections to finish.
pub(super) const GRACE: Duration = Duration::from_secs(1);
/// After a worker's end it is looked again and again, each time after twice as long, since what one process leaves is an
/// orphan only once that one has ended. The last look comes well after everybody was killed.
const AGAIN: Duration = Duration::from_millis(10);
const LOOK_FOR: Duration = Duration::from_secs(5);
/// How long the end may take after everything was killed.
const SWEEP: Duration = Duration::from_secs(2);
/// How long one of several is waited for.
const STEP: Duration = Duration::from_millis(20);

/// What is being ended.
#[derive(Debug, Default)]
pub(in crate::event_loop) struct Remains {
    /// Workers that have ended, and may have left something.
    ended: Vec<Ended>,
    /// Processes that are asked to end.
    asked: Vec<Asked>,
    /// The cluster stops, and some worker has had its time: nobody is waited for any more.
    at_once: bool,
}

#[derive(Debug)]
struct Ended {
    worker: WorkerId,
    token: Token,
    seen: BTreeSet<SeenProcess>,
    due: Instant,
    pause: Duration,
    until: Instant,
}

#[derive(Debug)]
struct Asked {
    worker: WorkerId,
    pid: u32,
    pidfd: OwnedFd,
    kill_at: Instant,
}

impl Remains {
    pub(in crate::event_loop) fn next_deadline(&self) -> Option<Instant> {
        let looks = self.ended.iter().map(|ended| ended.due);
        looks.chain(self.asked.iter().map(|asked| asked.kill_at)).min()
    }
}

impl<O: Os> Shell<O> {
    /// The worker is about to be told to end: what is below it now is its own, whatever that does to its environment.
    pub(super) fn note_descendants(&mut self, worker: WorkerId) {
        if self.signals.is_some() {
            let below = leftovers::below(&self.pids(worker));
            if let Some(life) = self.lives.get_mut(worker) {
                life.below.extend(below);
            }
        }
    }

    /// The worker is killed.
    pub(super) fn waits_no_more(&mut self) {
        self.remains.at_once |= self.stop_requests.any();
    }

    /// Ends all that is left when the cluster has come to rest. Bounded in time. Where the process is not ours alone, its
    /// other children are not ours to end.
    pub(in crate::event_loop) fn sweep(&mut self) {
        if self.signals.is_none() {
            return;
        }
        let kill_at = if self.remains.at_once { self.os.now() } else { self.os.now() + GRACE };
        let mut asked: HashSet<u32> = self.remains.asked.iter().map(|asked| asked.pid).collect();
        while self.os.now() < kill_at + SWEEP {
            let left: Vec<u32> = children().into_iter().filter(|pid| !pidfd::reap(*pid)).collect();
            if left.is_empty() {
                break;
            }
            for pid in left {
                let Ok(pidfd) = pidfd::open(pid) else { continue };
                let left = kill_at.saturating_duration_since(self.os.now());
                if left.is_zero() {
                    log::warn!("process {pid} outlived its worker: killed");
                    pidfd::send(&pidfd, Signal::SIGKILL);
                    pidfd::wait(&pidfd, SWEEP);
                } else if asked.insert(pid) {
                    pidfd::ask(&pidfd, Signal::SIGTERM);
                } else {
                    pidfd::wait(&pidfd, left.min(STEP));
                }
            }
        }
    }

    /// All processes of the worker that are known have ended; these were below it before.
    pub(super) fn look_for_remains_of(
        &mut self,
        worker: WorkerId,
        token: Token,
        seen: BTreeSet<SeenProcess>,
    ) {
        if self.signals.is_some() {
            let (due, until) = (self.now, self.now + LOOK_FOR);
            self.remains.ended.push(Ended { worker, token, seen, due, pause: AGAIN, until });
        }
    }

    /// A child of this process has ended: its own children may be here now.
    pub(in crate::event_loop) fn remains_may_have_come(&mut self) {
        let now = self.now;
        self.remains.ended.iter_mut().for_each(|ended| ended.due = ended.due.min(now));
    }

    /// Asks those to end that have come, and kills those that had their time.
    pub(in crate::event_loop) fn look_at_remains(&mut self) {
        let now = self.now;
        let due = self.remains.ended.extract_if(.., |ended| ended.due <= now).collect::<Vec<_>>();
        for mut ended in due {
            let known = |pid| self.lives.by_pid(pid).is_some();
            let found = leftovers::of(&ended.token, &ended.seen, known);
            let below = leftovers::below(&found);
            self.ask_to_end(ended.worker, found.into_iter().chain(below.iter().map(|seen| seen.pid)));
            ended.seen.extend(below);
            if now < ended.until {
                ended.due = now + ended.pause;
                ended.pause *= 2;
                self.remains.ended.push(ended);
            }
        }
        for Asked { worker, pid, pidfd, .. } in
            self.remains.asked.extract_if(.., |asked| asked.kill_at <= now).collect::<Vec<_>>()
        {
            if !pidfd::has_ended(&pidfd) {
                log::warn!(
                    "worker {}: process {pid}, which it left behind, goes on after SIGTERM: killed",
                    self.logical_id(worker)
                );
                pidfd::send(&pidfd, Signal::SIGKILL);
            }
        }
    }

    fn ask_to_end(&mut self, worker: WorkerId, pids: impl Iterator<Item = u32>) {
        let mut told = Vec::new();
        for pid in pids {
            if self.remains.asked.iter().any(|asked| asked.pid == pid && !pidfd::has_ended(&asked.pidfd)) {
                continue;
            }
            let Ok(pidfd) = pidfd::open(pid) else { continue };
            if !pidfd::has_ended(&pidfd) {
                pidfd::ask(&pidfd, Signal::SIGTERM);
                told.push(pid.to_string());
                self.remains.asked.push(Asked { worker, pid, pidfd, kill_at: self.now + GRACE });
            }
        }
        if !told.is_empty() {
            let (id, pids) = (self.logical_id(worker), told.join(", "));
            log::info!("worker {id} has ended and left processes behind, which end with it: {pids}");
        }
    }
}
