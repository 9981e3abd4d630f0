//! Workers' processes as the loop sees them: started, ended, members come and gone, orphans reaped, and nothing left at
//! the end. Restarts are the core's to order.

use super::Shell;
use crate::ids::WorkerId;
use crate::io::events::source::Source;
use crate::io::kernel::pidfd;
use crate::io::kernel::{descriptors, random};
use crate::io::launch::child::{self, Ended, Heirs, Kind, Member, Process};
use crate::io::process::leftovers::digits;
use crate::io::process::process_tree::children;
use crate::pool::{Exit, Input};
use clustermon_protocol::env;
use mio::Interest;
use mio::unix::SourceFd;
use nix::sys::signal::Signal;
use std::io;
use std::os::fd::AsRawFd;
use std::time::Duration;

/// How long a process may take to end after it was killed.
const SWEEP: Duration = Duration::from_secs(2);
/// A process that executes another program cannot be told whose it is; when to look again, and how often.
const SEARCH_AGAIN: Duration = Duration::from_millis(2);
const SEARCHES: u32 = 50;

impl Shell {
    pub(super) fn logical_id(&self, worker: WorkerId) -> &str {
        self.ids.get(worker.slot as usize).map_or("?", String::as_str)
    }

    pub(super) fn spawn(&mut self, worker: WorkerId, version: u32) {
        let input = match self.try_spawn(worker, version) {
            Ok(pid) => Input::Spawned { worker, pid },
            Err(error) => {
                self.no_longer_listen_for(worker);
                self.readiness.forget(worker);
                Input::SpawnFailed { worker, error: descriptors::explain(&error) }
            }
        };
        self.pool.handle(self.now, input);
    }

    fn try_spawn(&mut self, worker: WorkerId, version: u32) -> io::Result<u32> {
        let token = random::bytes()?;
        let mut own = self.notify_variables(worker)?;
        own.extend([(env::LOGICAL_ID, self.logical_id(worker).to_owned()), (env::TOKEN, digits(&token))]);
        let wanted = self.hooks.environment.as_ref().map(|make| make(self.logical_id(worker)));
        let id = self.logical_id(worker).to_owned();
        let on_trial = self.is_on_trial(version);
        let output = self.outputs.attach(worker, &id, on_trial, self.poll.registry())?;
        let told = self.newline_for(worker)?;
        // A worker without it would listen outside of the cluster.
        let thunk = self.thunk.ensure()?;
        let library = thunk.file_name().unwrap_or_default().to_owned();
        let template = self.templates.get(&version).ok_or(io::ErrorKind::NotFound)?;
        let spawned = template.spawn(thunk, &own, wanted, output, told)?;
        let pid = spawned.pid;
        let source = Source::Child(worker).into();
        let mut pidfd = SourceFd(&spawned.pidfd.as_raw_fd());
        self.poll.registry().register(&mut pidfd, source, Interest::READABLE).inspect_err(|_| {
            pidfd::send(&spawned.pidfd, Signal::SIGKILL);
            pidfd::wait(&spawned.pidfd, SWEEP);
            pidfd::reap(pid);
        })?;
        self.tokens.insert(token, worker);
        self.processes.insert(worker, Process::new(spawned, token));
        self.oom_kills.watch(pid, self.now);
        self.uncovered.begin(worker, library, self.now);
        Ok(pid)
    }

    /// The processes of a worker that are known: its first and its members.
    pub(super) fn pids(&self, worker: WorkerId) -> Vec<u32> {
        let Some(process) = self.processes.get(&worker) else { return Vec::new() };
        std::iter::once(process.pid).chain(process.members.values().map(|member| member.pid)).collect()
    }

    /// A process of the worker listens: its end will be seen, and it is asked to stop before its wrappers are.
    pub(super) fn join(&mut self, worker: WorkerId, pid: u32) {
        let Some(process) = self.processes.get_mut(&worker) else { return };
        process.served = true;
        if pid == process.pid {
            process.listens = true;
        }
        if !process.knows(pid) {
            self.watch_member(worker, pid, Kind::Listens);
        }
    }

    /// A process that some other of the worker has forked serves: its end will be seen. It is its parent's to stop.
    pub(super) fn join_forked(&mut self, worker: WorkerId, pid: u32) {
        if self.processes.get(&worker).is_some_and(|process| !process.knows(pid)) {
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
        let place = self.members.insert(worker);
        let source = Source::Member(place).into();
        if self
            .poll
            .registry()
            .register(&mut SourceFd(&pidfd.as_raw_fd()), source, Interest::READABLE)
            .is_err()
        {
            self.members.remove(place);
            return;
        }
        if let Some(process) = self.processes.get_mut(&worker) {
            process.members.insert(place, Member { pid, pidfd, kind });
            let pids = self.pids(worker);
            self.quiet.update(worker, pids);
        }
    }

    pub(super) fn on_child(&mut self, worker: WorkerId) {
        if let Some(process) = self.processes.get_mut(&worker).filter(|process| process.ended.is_none()) {
            process.look();
            let (pid, ended) = (process.pid, process.ended.is_some());
            self.bury_if_gone(worker);
            if ended {
                self.has_ended(worker, pid);
                self.first_has_ended(worker);
            }
        }
    }

    pub(super) fn on_member(&mut self, place: usize) {
        let stop = self.stop_signal();
        let Some(worker) = self.members.try_remove(place) else { return };
        let Some(process) = self.processes.get_mut(&worker) else { return };
        let mut ended = None;
        if let Some(member) = process.members.remove(&place) {
            ended = Some(member.pid);
            process.member_ended(&member);
            let _ = self.poll.registry().deregister(&mut SourceFd(&member.pidfd.as_raw_fd()));
        }
        process.member_gone(stop);
        self.bury_if_gone(worker);
        if let Some(pid) = ended {
            self.has_ended(worker, pid);
        }
    }

    fn bury_if_gone(&mut self, worker: WorkerId) {
        if !self.adopt_heirs(worker) || !self.processes.get(&worker).is_some_and(Process::is_gone) {
            return;
        }
        let Some(process) = self.processes.remove(&worker) else { return };
        process.bury();
        self.end_remains_of(worker, &process);
        self.suspended.forget(worker);
        self.outputs.exited(worker, self.poll.registry());
        let _ = self.poll.registry().deregister(&mut SourceFd(&process.pidfd.as_raw_fd()));
        self.tokens.remove(&process.token);
        self.monitor.forget(worker);
        self.bypasses.forget(worker);
        self.uncovered.forget(worker);
        self.no_longer_drains(worker);
        self.no_longer_listen_for(worker);
        let exit = match process.ended {
            Some(Ended::Signal { signal, core_dumped }) => {
                let oom_killed =
                    signal == Signal::SIGKILL && self.oom_kills.has_struck(process.pid, self.now);
                Exit::Signal { signal: signal as i32, core_dumped, oom_killed }
            }
            Some(Ended::Code(code)) => Exit::Code(code),
            None => Exit::Code(0),
        };
        self.input(Input::Exited { worker, exit });
        self.readiness.forget(worker);
        self.causes.forget(worker);
    }

    /// What a wrapper or a program that went into the background has left behind is the worker now. Where orphans do not
    /// become children of this process, none is found. False if it is worth another look in a moment.
    fn adopt_heirs(&mut self, worker: WorkerId) -> bool {
        let Some(process) = self.processes.get(&worker).filter(|process| process.may_have_heirs()) else {
            return true;
        };
        if self.signals.is_none() {
            return true;
        }
        let known = |pid| self.processes.values().any(|process| process.knows(pid));
        let Heirs { mut pids, mut doubtful } = child::heirs(process.pid, &process.token, known);
        let served = process.served;
        if served {
            // What has listened and is gone is missed only where another has its listener: it went into the background.
            let lanes = || self.lanes.values().filter(|lane| lane.worker == worker);
            pids.retain(|&pid| {
                let inherits: Vec<Option<bool>> = lanes().map(|lane| lane.is_inherited_by(pid)).collect();
                let is_heir = inherits.contains(&Some(true));
                // What cannot be seen now, as of a process that executes another program, is looked at again.
                doubtful |= !is_heir && inherits.contains(&None);
                is_heir
            });
        }
        for &pid in &pids {
            log::info!("worker {}: its process has ended, and {pid} goes on", self.logical_id(worker));
            self.watch_member(worker, pid, Kind::Listens);
        }
        let Some(process) = self.processes.get_mut(&worker) else { return true };
        process.searches += 1;
        // One may have become ours just after the list was read: once is not enough. A replacement waits for no more.
        let is_sure = !doubtful && (served || process.searches > 1);
        if !pids.is_empty() || is_sure || process.searches >= SEARCHES {
            return true;
        }
        self.search_at = Some(self.now + SEARCH_AGAIN);
        false
    }

    /// Looks again for heirs that could not be told from others.
    pub(super) fn search_heirs(&mut self) {
        self.search_at = None;
        let gone = self.processes.iter().filter(|(_, process)| process.is_gone());
        for worker in gone.map(|(worker, _)| *worker).collect::<Vec<_>>() {
            self.bury_if_gone(worker);
        }
    }

    /// Reaps children that nobody here started: descendants of workers whose parents have ended. How a member ends is
    /// taken in with its end.
    pub(super) fn reap_orphans(&self) {
        for pid in children() {
            if !self.processes.values().any(|process| process.knows(pid)) {
                pidfd::reap(pid);
            }
        }
    }
}
