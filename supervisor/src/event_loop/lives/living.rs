//! All processes that live, by their workers, with the tables by which one is found: a token, a place in the poll, a pid. What is known of one
//! stands in `life`.

use super::life::{Life, leave};
use super::notices::Ears;
use crate::ids::WorkerId;
use crate::io::events::source::Source;
use crate::io::launch::worker_processes::{Member, Process};
use clustermon_protocol::message::Token;
use mio::unix::SourceFd;
use mio::{Interest, Registry};
use slab::Slab;
use std::collections::{BTreeMap, HashMap};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::time::Instant;

/// All of them.
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

#[cfg(test)]
mod tests {
    use super::super::readiness::Readiness;
    use super::*;
    use crate::io::kernel::pidfd;
    use crate::io::launch::spawn::Spawned;
    use crate::io::launch::worker_processes::Kind;
    use mio::Poll;
    use std::ffi::OsString;

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
