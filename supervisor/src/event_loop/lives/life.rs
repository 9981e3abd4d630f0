//! One record for each living process of a worker, with all that is known of it alone: when the process has ended the record is taken out,
//! and nothing of it can be left behind. What is to outlive a process is never kept here.

use super::super::changes::draining::Drain;
use super::super::health::bypass::Bypass;
use super::super::health::examine::Baseline;
use super::super::health::monitor::Watched;
use super::super::health::uncovered::Watch;
use super::super::report::causes::OfLife;
use super::bereaved::Bereaved;
use super::notices::{Ear, Ears};
use super::readiness::Readiness;
use super::suspended::Suspended;
use crate::ids::{LaneId, WorkerId};
use crate::io::drain::handover::Handover;
use crate::io::events::source::Source;
use crate::io::launch::worker_processes::{Member, Process};
use crate::io::process::leftovers::Seen;
use crate::io::seccomp::notifier::Notifier;
use clustermon_protocol::message::Token;
use mio::unix::SourceFd;
use mio::{Interest, Registry};
use slab::Slab;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ffi::OsString;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::time::Instant;

/// The process of a worker that was started, its members, and what is known of them.
#[derive(Debug)]
pub(in crate::event_loop) struct Life {
    pub(in crate::event_loop) process: Process,
    /// When to look again for what it has left behind.
    pub(in crate::event_loop) search_at: Option<Instant>,
    /// Lanes of its processes that have ended.
    pub(in crate::event_loop) bereaved: Bereaved,
    /// It is to stop, and its first process is gone: when the others are told by the supervisor.
    pub(in crate::event_loop) survivors_at: Option<Instant>,
    /// What was below it when it was told to end.
    pub(super) below: BTreeSet<Seen>,
    /// Where it tells how it fares, if it was given such a socket.
    pub(in crate::event_loop) ear: Option<Ear>,
    pub(in crate::event_loop) readiness: Readiness,
    pub(in crate::event_loop) suspended: Suspended,
    pub(in crate::event_loop) health: Watched,
    /// Where the time of its serving threads had gone when they were first seen to lag.
    pub(in crate::event_loop) baseline: Option<Baseline>,
    /// The same of single processes of it, which are looked at for what waits in their lanes.
    pub(in crate::event_loop) baselines: HashMap<LaneId, Baseline>,
    /// It was asked to say what it is doing, and is told to stop then.
    pub(in crate::event_loop) dumps_until: Option<Instant>,
    pub(in crate::event_loop) bypass: Bypass,
    /// While it has no lane, as far as is known.
    pub(in crate::event_loop) uncovered: Option<Watch>,
    pub(in crate::event_loop) drain: Drain,
    /// Its connections are being taken.
    pub(in crate::event_loop) moving: Option<Handover>,
    /// Its listeners come by a seccomp filter.
    pub(in crate::event_loop) has_filter: bool,
    /// Where its bind and listen are read and answered, if they come by a seccomp filter and some process of it has that yet.
    pub(in crate::event_loop) calls: Option<Notifier>,
    pub(in crate::event_loop) causes: OfLife,
}

impl Life {
    /// The process was started, with the library of this file name.
    pub(in crate::event_loop) fn new(
        process: Process,
        library: OsString,
        ear: Option<Ear>,
        readiness: Readiness,
        now: Instant,
    ) -> Self {
        Self {
            process,
            search_at: None,
            bereaved: Bereaved::default(),
            survivors_at: None,
            below: BTreeSet::new(),
            ear,
            readiness,
            suspended: Suspended::default(),
            health: Watched::default(),
            baseline: None,
            baselines: HashMap::new(),
            dumps_until: None,
            bypass: Bypass::default(),
            uncovered: Some(Watch::new(now, library)),
            drain: Drain::default(),
            moving: None,
            has_filter: false,
            calls: None,
            causes: OfLife::default(),
        }
    }

    /// Gives back what others hold for it: its places in the poll and in the tables by which the poll's tokens are read.
    fn release(&self, registry: &Registry, members: &mut Slab<WorkerId>, ears: &mut Ears) {
        leave(registry, &self.process.pidfd);
        for (place, member) in &self.process.members {
            leave(registry, &member.pidfd);
            members.try_remove(*place);
        }
        if let Some(ear) = &self.ear {
            ears.close(ear, registry);
        }
        if let Some(calls) = &self.calls {
            let _ = registry.deregister(&mut SourceFd(&calls.as_fd().as_raw_fd()));
        }
        self.readiness.release(registry);
    }

    /// The process has the seccomp filter, and no library that others could lack.
    pub(in crate::event_loop) fn with_filter(self, calls: Notifier) -> Self {
        Self { has_filter: true, calls: Some(calls), uncovered: None, ..self }
    }
}

/// All processes that live, by their workers.
#[derive(Debug, Default)]
pub(in crate::event_loop) struct Lives {
    living: BTreeMap<WorkerId, Life>,
    /// The one whose end is being told to the core: what that orders and notes may yet be about it.
    ending: Option<(WorkerId, Life)>,
    tokens: HashMap<Token, WorkerId>,
    /// Which worker a member belongs to.
    members: Slab<WorkerId>,
    pub(super) ears: Ears,
}

impl Lives {
    /// A process was started.
    pub(in crate::event_loop) fn begin(&mut self, worker: WorkerId, life: Life) {
        self.tokens.insert(life.process.token, worker);
        self.living.insert(worker, life);
    }

    /// The worker's process is gone, and the poll tells of it no more.
    pub(in crate::event_loop) fn take(&mut self, worker: WorkerId, registry: &Registry) -> Option<Life> {
        let life = self.living.remove(&worker)?;
        self.tokens.remove(&life.process.token);
        life.release(registry, &mut self.members, &mut self.ears);
        Some(life)
    }

    /// The end of a process that was taken is about to be told to the core.
    pub(super) fn begin_to_end(&mut self, worker: WorkerId, life: Life) {
        self.ending = Some((worker, life));
    }

    /// It has been told.
    pub(in crate::event_loop) fn has_ended(&mut self) {
        self.ending = None;
    }

    pub(in crate::event_loop) fn get(&self, worker: WorkerId) -> Option<&Life> {
        self.living.get(&worker)
    }

    pub(in crate::event_loop) fn get_mut(&mut self, worker: WorkerId) -> Option<&mut Life> {
        self.living.get_mut(&worker)
    }

    /// Also the one whose end is being told.
    pub(in crate::event_loop) fn get_to_the_end(&self, worker: WorkerId) -> Option<&Life> {
        let ending = self.ending.as_ref().filter(|(ending, _)| *ending == worker);
        self.living.get(&worker).or_else(|| ending.map(|(_, life)| life))
    }

    /// The same, to change it.
    pub(in crate::event_loop) fn get_mut_to_the_end(&mut self, worker: WorkerId) -> Option<&mut Life> {
        let ending = self.ending.as_mut().filter(|(ending, _)| *ending == worker);
        self.living.get_mut(&worker).or_else(|| ending.map(|(_, life)| life))
    }

    pub(in crate::event_loop) fn process(&self, worker: WorkerId) -> Option<&Process> {
        self.get(worker).map(|life| &life.process)
    }

    pub(in crate::event_loop) fn process_mut(&mut self, worker: WorkerId) -> Option<&mut Process> {
        self.get_mut(worker).map(|life| &mut life.process)
    }

    /// Nothing is kept, of anybody.
    #[cfg(feature = "simulation")]
    pub(in crate::event_loop) fn is_bare(&self) -> bool {
        let is_nobody = self.living.is_empty() && self.ending.is_none();
        is_nobody && self.tokens.is_empty() && self.members.is_empty() && self.ears.is_empty()
    }

    pub(in crate::event_loop) fn contains(&self, worker: WorkerId) -> bool {
        self.living.contains_key(&worker)
    }

    pub(in crate::event_loop) fn len(&self) -> usize {
        self.living.len()
    }

    pub(in crate::event_loop) fn iter(&self) -> impl Iterator<Item = (WorkerId, &Life)> {
        self.living.iter().map(|(worker, life)| (*worker, life))
    }

    pub(in crate::event_loop) fn iter_mut(&mut self) -> impl Iterator<Item = (WorkerId, &mut Life)> {
        self.living.iter_mut().map(|(worker, life)| (*worker, life))
    }

    pub(in crate::event_loop) fn processes(&self) -> impl Iterator<Item = &Process> {
        self.living.values().map(|life| &life.process)
    }

    /// The worker to which a process was started that has this token.
    pub(in crate::event_loop) fn by_token(&self, token: &Token) -> Option<WorkerId> {
        self.tokens.get(token).copied()
    }

    /// The worker of which this process is the first or a member.
    pub(in crate::event_loop) fn by_pid(&self, pid: u32) -> Option<WorkerId> {
        self.iter().find(|(_, life)| life.process.knows(pid)).map(|(worker, _)| worker)
    }

    /// The earliest of the times for which the parts of lives wait.
    pub(in crate::event_loop) fn earliest(&self, time: impl Fn(&Life) -> Option<Instant>) -> Option<Instant> {
        self.living.values().filter_map(time).min()
    }

    /// The workers for which such a time has come.
    pub(in crate::event_loop) fn due(
        &self,
        now: Instant,
        time: impl Fn(&Life) -> Option<Instant>,
    ) -> Vec<WorkerId> {
        let due = self.iter().filter(|(_, life)| time(life).is_some_and(|at| at <= now));
        due.map(|(worker, _)| worker).collect()
    }

    /// A further process of the worker: the poll tells of its end. False if it cannot.
    pub(in crate::event_loop) fn join(
        &mut self,
        worker: WorkerId,
        member: Member,
        registry: &Registry,
    ) -> bool {
        let Some(life) = self.living.get_mut(&worker) else { return false };
        let entry = self.members.vacant_entry();
        let place = entry.key();
        let source = Source::Member(place).into();
        let pidfd = member.pidfd.as_raw_fd();
        if registry.register(&mut SourceFd(&pidfd), source, Interest::READABLE).is_err() {
            return false;
        }
        entry.insert(worker);
        life.process.members.insert(place, member);
        true
    }

    /// The process at this place has ended, and is a member no more.
    pub(in crate::event_loop) fn part(
        &mut self,
        place: usize,
        registry: &Registry,
    ) -> Option<(WorkerId, Member)> {
        let worker = self.members.try_remove(place)?;
        let member = self.living.get_mut(&worker)?.process.members.remove(&place)?;
        leave(registry, &member.pidfd);
        Some((worker, member))
    }
}

/// Has the poll tell when the first process of the worker ends.
pub(in crate::event_loop) fn watch(registry: &Registry, worker: WorkerId, pidfd: &OwnedFd) -> io::Result<()> {
    registry.register(&mut SourceFd(&pidfd.as_raw_fd()), Source::Child(worker).into(), Interest::READABLE)
}

fn leave(registry: &Registry, pidfd: &OwnedFd) {
    let _ = registry.deregister(&mut SourceFd(&pidfd.as_raw_fd()));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::kernel::pidfd;
    use crate::io::launch::spawn::Spawned;
    use crate::io::launch::worker_processes::Kind;
    use mio::Poll;

    #[test]
    #[expect(clippy::disallowed_methods, reason = "a moment to begin at")]
    fn with_a_life_goes_all_that_was_kept_for_it() {
        let poll = Poll::new().unwrap();
        let registry = poll.registry();
        let (worker, token) = (WorkerId { slot: 0, incarnation: 1 }, Token::default());
        let pid = std::process::id();
        let mut lives = Lives::default();
        let ear = lives.ears.open(worker, u64::from(pid) << 32, registry).unwrap();
        let process = Process::new(Spawned { pid, pidfd: pidfd::open(pid).unwrap(), filter: None }, token);
        watch(registry, worker, &process.pidfd).unwrap();
        let life = Life::new(process, OsString::new(), Some(ear), Readiness::default(), Instant::now());
        lives.begin(worker, life);
        let parent = std::os::unix::process::parent_id();
        let member = |pid| Member { pid, pidfd: pidfd::open(pid).unwrap(), kind: Kind::Listens };
        assert!(lives.join(worker, member(parent), registry));
        assert_eq!((lives.by_pid(parent), lives.by_token(&token)), (Some(worker), Some(worker)));
        assert!(lives.part(0, registry).is_some_and(|(_, member)| member.pid == parent));
        assert!(lives.part(0, registry).is_none(), "it has parted");
        assert!(lives.join(worker, member(parent), registry));

        let life = lives.take(worker, registry).unwrap();
        assert!(lives.members.is_empty() && lives.tokens.is_empty() && !lives.contains(worker));
        assert!(lives.ears.is_empty());
        // What the poll has let go of can be registered anew.
        assert!(watch(registry, worker, &life.process.pidfd).is_ok());
        lives.begin_to_end(worker, life);
        assert!(lives.get(worker).is_none() && lives.get_to_the_end(worker).is_some());
        lives.has_ended();
        assert!(lives.get_to_the_end(worker).is_none());
        assert!(!lives.join(worker, member(parent), registry), "there is nobody to join");
    }
}
