//! The wait of a process of a history: what the library does in it, which may watch the listening socket, and what wakes the thread. It accepts
//! nothing.

use super::super::World;
use super::super::agenda::Deed;
use super::lane::Watch;
use super::lane::{Lane, OWN_SET, Phase};
use super::process::{LANE_FD, Process, SET, Thread};
use clustermon_protocol::credit::Shut;
use clustermon_protocol::record::Upward;
use std::time::Duration;

impl World {
    /// The thread comes to its wait.
    pub(in crate::event_loop::simulation) fn enter_wait(&mut self, pid: u32) {
        let (now, at) = (self.monotonic(), self.now);
        let Some(process) = self.processes.get_mut(&pid).filter(|process| process.is_alive()) else { return };
        if process.hangs {
            return process.go_away(at);
        }
        process.come_back(at);
        let mut says_so = false;
        if let Some(record) = process.page().and_then(|page| page.record(key(pid), || pid)) {
            record.enter_set(now, SET as i32);
            says_so = record.answer().is_some_and(|lane| lane == LANE_FD);
        }
        if says_so {
            self.say(pid, Upward::Waits);
        }
        self.watch_in_wait(pid);
        self.wake_if_told(pid);
    }

    /// What the library does in the program's wait before it sleeps.
    fn watch_in_wait(&mut self, pid: u32) {
        loop {
            let lane = self.processes.get_mut(&pid).and_then(|process| process.lane.as_mut());
            let Some((lane, watch)) = lane.and_then(|lane| lane.watch.map(|watch| (lane, watch))) else {
                return;
            };
            let phase = match watch.phase {
                _ if !lane.holds(watch) => return self.stop_watching(pid, false),
                Phase::Told | Phase::Offered => return self.stop_watching(pid, false),
                Phase::Taken if lane.is_one_each() => Phase::Served,
                Phase::Served => {
                    self.watchers.retain(|watcher| *watcher != pid);
                    self.watchers.push_back(pid);
                    Phase::Empty
                }
                // There may be another.
                Phase::Taken => {
                    lane.watch = Some(Watch { phase: Phase::Offered, ..watch });
                    return self.wake(pid, false);
                }
                Phase::Empty => {
                    if !self.queue.is_empty() {
                        self.wake(pid, true);
                    }
                    return;
                }
            };
            let is_readable = lane.is_readable();
            lane.watch = Some(Watch { phase, ..watch });
            if phase == Phase::Served && is_readable {
                return;
            }
        }
    }

    /// The listening socket is watched no longer, and the credit ends by which it was.
    pub(super) fn stop_watching(&mut self, pid: u32, ring: bool) {
        self.watchers.retain(|watcher| *watcher != pid);
        let lane = self.processes.get_mut(&pid).and_then(|process| process.lane.as_mut());
        let Some((lane, watch)) = lane.and_then(|lane| lane.watch.take().map(|watch| (lane, watch))) else {
            return;
        };
        let Some(page) = lane.page() else { return };
        page.direct().watch(0, OWN_SET + 1);
        let is_over = page.shut(watch.generation) == Shut::Not;
        if ring || !is_over {
            self.say(pid, Upward::Ring);
        }
    }

    /// A connection has come: the kernel wakes the first that sleeps at the listening socket, and nobody else if that one does not take it.
    pub(in crate::event_loop::simulation) fn wake_watcher(&mut self) {
        if self.queue.is_empty() {
            return;
        }
        let sleeps = |pid: &&u32| self.processes.get(pid).is_some_and(|it| it.thread == Thread::Waits);
        if let Some(&pid) = self.watchers.iter().find(sleeps) {
            self.wake(pid, true);
        }
    }

    /// It sleeps, and something lies in its lane.
    pub(in crate::event_loop::simulation) fn wake_if_told(&mut self, pid: u32) {
        let Some(process) = self.processes.get(&pid).filter(|process| process.thread == Thread::Waits) else {
            return;
        };
        if process.is_alive() && process.lane.as_ref().is_some_and(Lane::is_readable) {
            self.wake(pid, false);
        }
    }

    fn wake(&mut self, pid: u32, by_listener: bool) {
        let is_slow = self.faults.is_some() && self.dice.once_in(40);
        let late = if is_slow { self.dice.millis(1, 40) } else { Duration::ZERO };
        let Some(process) = self.processes.get_mut(&pid) else { return };
        process.thread = Thread::Woken { by_listener };
        let latency = process.temper.latency + late;
        self.after(latency, Deed::Run(pid));
    }
}

/// By what a thread finds its record in the pulse page.
pub(super) fn key(pid: u32) -> u64 {
    u64::from(pid) << 6
}

pub(super) fn leave_wait(process: &Process, now: u64) {
    if let Some(record) = process.page().and_then(|page| page.record(key(process.pid), || process.pid)) {
        record.leave(now);
    }
}
