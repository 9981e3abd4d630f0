//! The processes of one life of a worker: the first one, and the members, which are those that listen. Tells when they
//! are gone and passes signals on; restarts nothing.

use super::process_calls::{Ended, ProcessCalls};
use super::spawn::Spawned;
use crate::io::kernel::pidfd;
use crate::io::lanes::pulse::Pulse;
use crate::io::output::throttle::Throttle;
use crate::io::process::leftovers::Mark;
use crate::io::process::process_tree::children;
use crate::io::process::startup::environment;
use clustermon_protocol::address::Address;
use clustermon_protocol::message::Token;
use nix::sys::signal::Signal;
use nix::unistd::Pid;
use std::collections::{HashMap, HashSet};
use std::os::fd::OwnedFd;

/// How a process came to serve.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// It listens.
    Listens,
    /// One that listens has forked it, and stops it.
    Forked,
}

/// One process that serves.
#[derive(Debug)]
pub(crate) struct Member {
    pub(crate) pid: u32,
    pub(crate) pidfd: OwnedFd,
    pub(crate) kind: Kind,
}

/// One life of a worker.
#[derive(Debug)]
pub(crate) struct Process {
    pub(crate) pid: u32,
    pub(crate) token: Token,
    pub(crate) pidfd: OwnedFd,
    /// Members other than the first process, by their place in the shell's table.
    pub(crate) members: HashMap<usize, Member>,
    /// The first process listens itself.
    pub(crate) listens: bool,
    /// The first process has ended and is not yet reaped, so that its group's number stays taken.
    pub(crate) ended: Option<Ended>,
    pub(crate) stopping: bool,
    /// One of its processes has listened.
    pub(crate) served: bool,
    /// How often its survivors were looked for in vain.
    pub(crate) searches: u32,
    /// The pulse pages of its processes.
    pub(crate) pulses: Vec<Pulse>,
    /// Sockets whose bind was in name only.
    pub(crate) owned: HashMap<u64, Address>,
    /// Sockets on which the program set SO_REUSEPORT itself.
    pub(crate) reuse_port: HashSet<u64>,
    /// How many sockets of each kind were bound to port 0.
    pub(crate) bound_any: HashMap<(Address, bool), u32>,
    /// How often it was spoken of for what no program does.
    pub(crate) complaints: Throttle,
}

impl Process {
    pub(crate) fn new(spawned: Spawned, token: Token) -> Self {
        Self {
            pid: spawned.pid,
            token,
            pidfd: spawned.pidfd,
            members: HashMap::new(),
            listens: false,
            ended: None,
            stopping: false,
            served: false,
            searches: 0,
            pulses: Vec::new(),
            owned: HashMap::new(),
            reuse_port: HashSet::new(),
            bound_any: HashMap::new(),
            complaints: Throttle::default(),
        }
    }

    /// True if this process is the first one or a known member.
    pub(crate) fn knows(&self, pid: u32) -> bool {
        self.pid == pid || self.members.values().any(|member| member.pid == pid)
    }

    /// The descriptor of the first process or of a member, which no other process can come to have.
    pub(crate) fn pidfd_of(&self, pid: u32) -> Option<&OwnedFd> {
        let member = || self.members.values().find(|member| member.pid == pid).map(|member| &member.pidfd);
        if self.pid == pid { Some(&self.pidfd) } else { member() }
    }

    /// True if the process is the first one or a member and has ended, and its end has not been taken in yet.
    pub(crate) fn has_ended_unheard(&self, pid: u32) -> bool {
        let heard = self.pid == pid && self.ended.is_some();
        !heard && self.pidfd_of(pid).is_some_and(pidfd::has_ended)
    }

    /// The processes whose memory and processor time are the worker's: its first, its members and all that have a pulse.
    pub(crate) fn counted(&self) -> Vec<u32> {
        let mut pids: Vec<u32> = self.pulses.iter().map(|pulse| pulse.pid).collect();
        pids.extend(self.members.values().map(|member| member.pid));
        pids.push(self.pid);
        pids.sort_unstable();
        pids.dedup();
        pids
    }

    /// True once nothing that matters lives: the first process has ended and no member is left.
    pub(crate) fn is_gone(&self) -> bool {
        self.ended.is_some() && self.members.is_empty()
    }

    /// Looks whether the first process has ended, without reaping it.
    pub(crate) fn look(&mut self, os: &impl ProcessCalls) {
        // Somebody else reaped it: how it ended is lost, that it ended is not.
        self.ended = os.end_of(self.pid, &self.pidfd, false).unwrap_or(Some(Ended::Code(0)));
    }

    /// True if all that is known of it has ended, and well: a wrapper, or a program that went into the background, may have
    /// left the server behind.
    pub(crate) fn may_have_survivors(&self) -> bool {
        self.is_gone() && !self.stopping && self.ended == Some(Ended::Code(0))
    }

    /// Takes in how a member ended, if that is known here: a wrapper that ended well before it says nothing.
    pub(crate) fn member_ended(&mut self, os: &impl ProcessCalls, member: &Member) {
        let ended = os.end_of(member.pid, &member.pidfd, true);
        if let (Some(Ended::Code(0)), Ok(Some(ended))) = (self.ended, ended) {
            self.ended = Some(ended);
        }
    }

    /// Asks the members to stop; the wrappers are asked when these are gone.
    pub(crate) fn stop(&mut self, os: &impl ProcessCalls, signal: Signal) {
        self.stopping = true;
        for member in self.listening() {
            os.ask(member.pid, &member.pidfd, signal);
        }
        if self.listens {
            os.ask(self.pid, &self.pidfd, signal);
        }
        if !self.listens && self.listening().next().is_none() {
            self.ask_group(os, signal);
        }
    }

    /// Sends a signal to those who serve; where nobody is known to, to the first process.
    pub(crate) fn send(&self, os: &impl ProcessCalls, signal: Signal) {
        for member in self.listening() {
            os.send(member.pid, &member.pidfd, signal);
        }
        if self.listens || self.listening().next().is_none() {
            os.send(self.pid, &self.pidfd, signal);
        }
    }

    /// Sends a signal to the members of this kind.
    pub(crate) fn send_to(&self, os: &impl ProcessCalls, kind: Kind, signal: Signal) {
        for member in self.members.values().filter(|member| member.kind == kind) {
            os.send(member.pid, &member.pidfd, signal);
        }
    }

    /// The process to name for the worker: the first one while it lives, then one that serves.
    pub(crate) fn shown_pid(&self) -> u32 {
        let by_kind = |member: &&Member| (member.kind == Kind::Forked, member.pid);
        match self.members.values().min_by_key(by_kind) {
            Some(member) if self.ended.is_some() => member.pid,
            Some(_) | None => self.pid,
        }
    }

    /// Members that nobody else of the worker stops.
    fn listening(&self) -> impl Iterator<Item = &Member> {
        let orphaned = self.ended.is_some();
        self.members.values().filter(move |member| orphaned || member.kind == Kind::Listens)
    }

    /// A member has gone: the wrappers are next.
    pub(crate) fn member_gone(&mut self, os: &impl ProcessCalls, signal: Signal) {
        if self.stopping && self.listening().next().is_none() && !self.listens {
            self.ask_group(os, signal);
        }
    }

    /// Kills all of it.
    pub(crate) fn kill(&self, os: &impl ProcessCalls) {
        for member in self.members.values() {
            os.send(member.pid, &member.pidfd, Signal::SIGKILL);
        }
        // The first process is unreaped, so the number is still its group's.
        os.send_to_group(self.pid, Signal::SIGKILL);
    }

    fn ask_group(&self, os: &impl ProcessCalls, signal: Signal) {
        os.send_to_group(self.pid, signal);
        self.resume(os);
    }

    /// Whoever of its group is stopped goes on.
    pub(crate) fn resume(&self, os: &impl ProcessCalls) {
        os.send_to_group(self.pid, Signal::SIGCONT);
    }

    /// Ends what is left of the group and reaps the first process.
    pub(crate) fn bury(&self, os: &impl ProcessCalls) {
        os.send_to_group(self.pid, Signal::SIGKILL);
        let _ = os.end_of(self.pid, &self.pidfd, true);
    }
}

/// What a life of a worker has left behind.
#[derive(Debug, Default)]
pub(crate) struct Survivors {
    pub(crate) pids: Vec<u32>,
    /// Another look may find more: an orphan has just ended, or executes another program and cannot be told whose it is.
    pub(crate) doubtful: bool,
}

/// Which children of this process came from that life of a worker: they are in its group, or have its token. Those that
/// are `known` to be somebody else's are not looked at.
pub(crate) fn survivors(group: u32, token: &Token, known: impl Fn(u32) -> bool) -> Survivors {
    let mark = Mark::of(token);
    let mut survivors = Survivors::default();
    for pid in children().into_iter().filter(|pid| !known(*pid)) {
        if pidfd::reap(pid) {
            // What it left behind may have become ours after the list was read.
            survivors.doubtful = true;
            continue;
        }
        let in_group =
            nix::unistd::getpgid(Some(Pid::from_raw(pid as i32))) == Ok(Pid::from_raw(group as i32));
        let environment = environment(pid);
        if in_group || mark.is_in(&environment) {
            survivors.pids.push(pid);
        } else {
            survivors.doubtful |= environment.is_empty();
        }
    }
    survivors
}

/// Orphans of workers become children of this process instead of init's.
pub(crate) fn become_subreaper() {
    // SAFETY: no memory is involved.
    unsafe { libc::prctl(libc::PR_SET_CHILD_SUBREAPER, 1) };
}
