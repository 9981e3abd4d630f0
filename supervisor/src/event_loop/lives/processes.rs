//! Workers' processes as the loop sees them once they run: ended, members come and gone, orphans reaped, and nothing left at
//! the end. Restarts are the core's to order.

use super::super::Shell;
use super::super::os::Os;
use crate::ids::WorkerId;
use crate::io::kernel::pidfd;
use crate::io::launch::process_calls::Ended;
use crate::io::launch::worker_processes::{self, Kind, Member, Process, Survivors};
use crate::pool::{Exit, Input, Signal as Ordered};
use nix::sys::signal::Signal;
use std::time::Duration;
/// A process that executes another program cannot be told whose it is; when to look again, and how often.
const SEARCH_AGAIN: Duration = Duration::from_millis(2);
const SEARCHES: u32 = 50;

impl<O: Os> Shell<O> {
    pub(in crate::event_loop) fn logical_id(&self, worker: WorkerId) -> &str {
        self.launching.ids.get(worker.slot as usize).map_or("?", String::as_str)
    }

    /// The processes of a worker that are known: its first and its members.
    pub(in crate::event_loop) fn pids(&self, worker: WorkerId) -> Vec<u32> {
        let Some(process) = self.lives.process(worker) else { return Vec::new() };
        std::iter::once(process.pid).chain(process.members.values().map(|member| member.pid)).collect()
    }

    /// A process of the worker listens: its end will be seen, and it is asked to stop before its wrappers are.
    pub(in crate::event_loop) fn join(&mut self, worker: WorkerId, pid: u32) {
        let Some(process) = self.lives.process_mut(worker) else { return };
        process.served = true;
        if pid == process.pid {
            process.listens = true;
        }
        if !process.knows(pid) {
            self.watch_member(worker, pid, Kind::Listens);
        }
    }

    /// A process that some other of the worker has forked serves: its end will be seen. It is its parent's to stop.
    pub(in crate::event_loop) fn join_forked(&mut self, worker: WorkerId, pid: u32) {
        if self.lives.process(worker).is_some_and(|process| !process.knows(pid)) {
            self.watch_member(worker, pid, Kind::Forked);
        }
    }

    fn watch_member(&mut self, worker: WorkerId, pid: u32, kind: Kind) {
        let pidfd = match pidfd::open(pid) {
            Ok(pidfd) => pidfd,
            Err(error) => {
                log::warn!("worker {}: process {pid} cannot be watched: {error}", self.logical_id(worker));
                return;
            }
        };
        if self.lives.join(worker, Member { pid, pidfd, kind }, self.poll.registry()) {
            let pids = self.pids(worker);
            self.idle_detector.update(worker, pids);
        }
    }

    pub(in crate::event_loop) fn on_child(&mut self, worker: WorkerId) {
        if let Some(process) = self.lives.process_mut(worker).filter(|process| process.ended.is_none()) {
            process.look(&self.os);
            let (pid, ended) = (process.pid, process.ended.is_some());
            self.bury_if_gone(worker);
            if ended {
                self.has_ended(worker, pid);
                self.first_has_ended(worker);
            }
        }
    }

    pub(in crate::event_loop) fn on_member(&mut self, place: usize) {
        let stop = self.stop_signal();
        let Some((worker, member)) = self.lives.part(place, self.poll.registry()) else { return };
        if let Some(process) = self.lives.process_mut(worker) {
            process.member_ended(&self.os, &member);
            process.member_gone(&self.os, stop);
        }
        self.bury_if_gone(worker);
        self.has_ended(worker, member.pid);
    }

    fn bury_if_gone(&mut self, worker: WorkerId) {
        if !self.adopt_survivors(worker) || !self.lives.process(worker).is_some_and(Process::is_gone) {
            return;
        }
        // Everybody else who is to hear of the end hears of it here: with the record goes the rest.
        self.no_longer_drains(worker);
        let Some(mut life) = self.lives.take(worker, self.poll.registry()) else { return };
        life.process.bury(&self.os);
        self.look_for_remains_of(worker, life.process.token, std::mem::take(&mut life.below));
        self.outputs.exited(worker, self.poll.registry());
        let exit = self.exit_of(&life.process);
        self.lives.begin_to_end(worker, life);
        self.input(Input::Exited { worker, exit });
        self.lives.has_ended();
    }

    fn exit_of(&mut self, process: &Process) -> Exit {
        match process.ended {
            Some(Ended::Signal { signal, core_dumped }) => {
                let oom_killed =
                    signal == Signal::SIGKILL && self.health.oom_kills.has_struck(process.pid, self.now);
                Exit::Signal { signal: signal as i32, core_dumped, oom_killed }
            }
            Some(Ended::Code(code)) => Exit::Code(code),
            None => Exit::Code(0),
        }
    }

    /// What a wrapper or a program that went into the background has left behind is the worker now. Where orphans do not
    /// become children of this process, none is found. False if it is worth another look in a moment.
    fn adopt_survivors(&mut self, worker: WorkerId) -> bool {
        let Some(process) = self.lives.process(worker).filter(|process| process.may_have_survivors()) else {
            return true;
        };
        if self.signals.is_none() {
            return true;
        }
        let known = |pid| self.lives.by_pid(pid).is_some();
        let Survivors { mut pids, mut doubtful } =
            worker_processes::survivors(process.pid, &process.token, known);
        let served = process.served;
        if served {
            // What has listened and is gone is missed only where another has its listener: it went into the background.
            let lanes = || self.lanes.all.values().filter(|lane| lane.worker == worker);
            pids.retain(|&pid| {
                let inherits: Vec<Option<bool>> = lanes().map(|lane| lane.is_inherited_by(pid)).collect();
                let is_survivor = inherits.contains(&Some(true));
                // What cannot be seen now, as of a process that executes another program, is looked at again.
                doubtful |= !is_survivor && inherits.contains(&None);
                is_survivor
            });
        }
        for &pid in &pids {
            log::info!("worker {}: its process has ended, and {pid} goes on", self.logical_id(worker));
            self.watch_member(worker, pid, Kind::Listens);
        }
        let Some(life) = self.lives.get_mut(worker) else { return true };
        life.process.searches += 1;
        let searches = life.process.searches;
        // One may have become ours just after the list was read: once is not enough. A replacement waits for no more.
        let is_sure = !doubtful && (served || searches > 1);
        if !pids.is_empty() || is_sure || searches >= SEARCHES {
            return true;
        }
        life.search_at = Some(self.now + SEARCH_AGAIN);
        false
    }

    /// Looks again for survivors that could not be told from others.
    pub(in crate::event_loop) fn search_survivors(&mut self) {
        for worker in self.lives.due(self.now, |life| life.search_at) {
            if let Some(life) = self.lives.get_mut(worker) {
                life.search_at = None;
            }
            self.bury_if_gone(worker);
        }
    }

    /// Reaps children that nobody here started: descendants of workers whose parents have ended. How a member ends is
    /// taken in with its end.
    pub(in crate::event_loop) fn reap_orphans(&self) {
        self.hook_commands.other_children(|children| {
            children.into_iter().filter(|pid| self.lives.by_pid(*pid).is_none()).for_each(|pid| {
                pidfd::reap(pid);
            });
        });
    }

    /// What asks a worker to stop.
    pub(in crate::event_loop) fn stop_signal(&self) -> Signal {
        Signal::try_from(self.config.settings.stop.stop_signal).unwrap_or(Signal::SIGTERM)
    }

    /// Sends the worker what the core orders.
    pub(in crate::event_loop) fn signal(&mut self, worker: WorkerId, signal: Ordered) {
        self.no_longer_drains(worker);
        if signal == Ordered::Stop && self.is_dumping(worker) {
            return;
        }
        let stop = self.stop_signal();
        if matches!(signal, Ordered::Stop | Ordered::Kill | Ordered::Abort) {
            self.note_descendants(worker);
        }
        if signal == Ordered::Kill {
            self.waits_no_more();
        }
        let Some(process) = self.lives.process_mut(worker) else { return };
        match signal {
            Ordered::Stop => process.stop(&self.os, stop),
            Ordered::Kill => process.kill(&self.os),
            Ordered::HangUp => process.send(&self.os, Signal::SIGHUP),
            Ordered::Abort => process.stop(&self.os, Signal::SIGABRT),
            Ordered::Debug => process.send(&self.os, Signal::SIGUSR1),
            Ordered::Number(number) => match Signal::try_from(number) {
                Ok(signal) => process.send(&self.os, signal),
                Err(_) => log::error!("worker {worker}: there is no signal {number}"),
            },
        }
    }
}
