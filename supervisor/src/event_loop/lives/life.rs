//! One record for each living process of a worker, with all that is known of it alone: when the process has ended the record is taken out,
//! and nothing of it can be left behind. What is to outlive a process is never kept here.

use super::super::changes::draining::Drain;
use super::super::health::bypass::Bypass;
use super::super::health::examine::Baseline;
use super::super::health::monitor::Watched;
use super::super::health::uncovered::Watch;
use super::super::report::causes::OfLife;
use super::notices::{Ear, Ears};
use super::orphaned_lanes::OrphanedLanes;
use super::readiness::Readiness;
use super::suspended::Suspended;
use crate::ids::{LaneId, WorkerId};
use crate::io::drain::handover::Handover;
use crate::io::launch::worker_processes::Process;
use crate::io::process::leftovers::SeenProcess;
use crate::io::seccomp::notifier::Notifier;
use mio::Registry;
use mio::unix::SourceFd;
use slab::Slab;
use std::collections::{BTreeSet, HashMap};
use std::ffi::OsString;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::time::Instant;

/// The process of a worker that was started, its members, and what is known of them.
#[derive(Debug)]
pub(in crate::event_loop) struct Life {
    pub(in crate::event_loop) process: Process,
    /// When to look again for what it has left behind.
    pub(in crate::event_loop) search_at: Option<Instant>,
    /// Lanes of its processes that have ended.
    pub(in crate::event_loop) orphaned_lanes: OrphanedLanes,
    /// It is to stop, and its first process is gone: when the others are told by the supervisor.
    pub(in crate::event_loop) survivors_at: Option<Instant>,
    /// What was below it when it was told to end.
    pub(super) below: BTreeSet<SeenProcess>,
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
            orphaned_lanes: OrphanedLanes::default(),
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
    pub(super) fn release(&self, registry: &Registry, members: &mut Slab<WorkerId>, ears: &mut Ears) {
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
    pub(super) fn with_filter(self, calls: Notifier) -> Self {
        Self { has_filter: true, calls: Some(calls), uncovered: None, ..self }
    }
}

/// The poll tells of it no more.
pub(super) fn leave(registry: &Registry, pidfd: &OwnedFd) {
    let _ = registry.deregister(&mut SourceFd(&pidfd.as_raw_fd()));
}
