//! One process of several that takes nothing from its own lane: what it is doing, and its end. Whether it is to end is the
//! core's to say; starting another is its parent's.

use super::super::Shell;
use super::super::os::Os;
use super::examine::Baseline;
use crate::ids::LaneId;
use crate::io::process::procfs;
use crate::pool::Input;
use nix::sys::signal::Signal;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

/// From the stop signal to SIGKILL.
const PATIENCE: Duration = Duration::from_secs(2);

/// Processes that are told to end.
#[derive(Debug, Default)]
pub(in crate::event_loop) struct Holders {
    /// When they are killed.
    ending: Vec<(Instant, u32, OwnedFd)>,
}

impl Holders {
    pub(in crate::event_loop) fn next_deadline(&self) -> Option<Instant> {
        self.ending.iter().map(|(due, _, _)| *due).min()
    }
}

impl<O: Os> Shell<O> {
    /// Carries out the order to examine the process that holds a lane. At the first look only the counting begins.
    pub(in crate::event_loop) fn examine_holder(&mut self, id: LaneId) {
        let Some(lane) = self.lanes.all.get(&id) else { return };
        let (pid, worker) = (lane.holder.pid, lane.worker);
        let Some(life) = self.lives.get_mut(worker) else { return };
        life.baselines.retain(|lane, _| self.lanes.all.contains_key(lane));
        let own = life.process.pulses.iter().filter(|pulse| pulse.pid == pid);
        let mut tids: Vec<u32> = own.flat_map(|pulse| pulse.serving()).collect();
        if tids.is_empty() {
            tids.push(pid);
        }
        let threads: Vec<_> =
            tids.into_iter().filter_map(|tid| Some((pid, tid, self.os.thread(pid, tid)?))).collect();
        if threads.is_empty() {
            return;
        }
        let waited = self.pool.lane(id).and_then(|lane| lane.suspect_for(self.now)).unwrap_or_default();
        // One that is older is of a time before it had come back.
        if life.baselines.get(&id).is_none_or(|known| known.age(self.now) > waited) {
            life.baselines.insert(id, Baseline::begin(self.now, &threads));
            return;
        }
        let traced = procfs::tracer(pid).is_some();
        let baseline = self.lives.get(worker).and_then(|life| life.baselines.get(&id));
        let (finding, evidence) = self.find(traced, threads, baseline);
        self.pool.handle(self.now, Input::HolderExamined { lane: id, finding, evidence });
    }

    /// Tells the process that holds the lane to stop, and kills it if it has not.
    pub(in crate::event_loop) fn end_holder(&mut self, id: LaneId) {
        let Some(lane) = self.lanes.all.get(&id) else { return };
        // Its number may be another's by now, its descriptor not.
        let process = self.lives.process(lane.worker);
        let Some(pidfd) = process.and_then(|process| process.pidfd_of(lane.holder.pid)) else { return };
        let pid = lane.holder.pid;
        self.os.send(pid, pidfd, self.stop_signal());
        match pidfd.try_clone() {
            Ok(pidfd) => self.health.holders.ending.push((self.now + PATIENCE, pid, pidfd)),
            Err(_) => self.os.send(pid, pidfd, Signal::SIGKILL),
        }
    }

    /// Kills those that have had their time.
    pub(in crate::event_loop) fn kill_holders(&mut self) {
        let now = self.now;
        for (_, pid, pidfd) in self.health.holders.ending.extract_if(.., |(due, _, _)| *due <= now) {
            self.os.send(pid, &pidfd, Signal::SIGKILL);
        }
    }
}
