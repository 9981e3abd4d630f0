//! Watches workers that drain until nothing is under way in their connections. It only looks; the core says who drains and
//! what follows.

use super::super::Shell;
use super::super::os::Os;
use crate::config::Drain as How;
use crate::ids::{LaneId, WorkerId};
use crate::io::drain::idle_detector::{Report, Watched};
use crate::io::lanes::lane::Lane;
use crate::pool::Input;
use clustermon_protocol::address::Address;
use std::time::{Duration, Instant};

/// Lanes of a worker that drains by itself are looked at this often.
const STEP: Duration = Duration::from_millis(2);

/// How far a process of a worker has drained, if it does.
#[derive(Debug, Default)]
pub(in crate::event_loop) struct Drain {
    /// What was last seen, where its connections are watched.
    seen: Option<Report>,
    /// When to look at its lanes, where only these are to be empty.
    look_at: Option<Instant>,
}

impl Drain {
    pub(in crate::event_loop) fn next_deadline(&self) -> Option<Instant> {
        self.look_at
    }
}

impl<O: Os> Shell<O> {
    pub(in crate::event_loop) fn drain(&mut self, worker: WorkerId) {
        if !self.can_be_left_out(worker) {
            // It would be given new connections all the while: its program stops accepting when it is told to stop.
            return self.pool.handle(self.now, Input::Quiet { worker });
        }
        let Some(life) = self.lives.get_mut(worker) else { return };
        if self.config.settings.stop.drain == How::Signal {
            life.drain.look_at = Some(self.now);
            return;
        }
        let has_filter = life.has_filter;
        let watched = self.watched(worker);
        // Nothing can be moved to a program that the library is not in.
        if self.config.settings.stop.drain == How::Move && !has_filter {
            self.begin_moving(watched);
        } else {
            self.idle_detector.watch(watched);
        }
    }

    /// What of a worker is looked at while it drains.
    pub(in crate::event_loop) fn watched(&self, worker: WorkerId) -> Watched {
        let pids = self.pids(worker);
        let mut lanes = Vec::new();
        for lane in self.taking_lanes(worker) {
            match lane.observer() {
                Ok(observer) => lanes.push(observer),
                Err(error) => {
                    log::warn!("a lane of worker {} cannot be watched: {error}", self.logical_id(worker))
                }
            }
        }
        let addresses = self.listeners.all.values().map(|listener| listener.address);
        let (mut ports, mut names) = (Vec::new(), Vec::new());
        for address in addresses.chain(self.listeners.closed.iter().map(|(_, address)| *address)) {
            match address.port() {
                Some(port) => ports.push(port),
                None => names.extend(name_of(&address)),
            }
        }
        let idle_grace = self.config.settings.stop.idle_grace;
        let members = self.steering.of(worker).filter(|(_, member)| {
            self.steering.group(member.balancer).is_none_or(crate::io::steering::group::Group::is_split)
        });
        let queues = members.filter_map(|(_, member)| member.copy().ok()).collect();
        Watched { worker, pids, lanes, queues, ports, names, idle_grace }
    }

    /// Lanes of the worker but those that are left: the void record in one of these is for nobody to take.
    fn taking_lanes(&self, worker: WorkerId) -> impl Iterator<Item = &Lane> {
        let is_left = |id: &LaneId| self.pool.lane(*id).is_some_and(crate::pool::Lane::is_left);
        self.lanes
            .all
            .iter()
            .filter(move |(id, lane)| lane.worker == worker && !is_left(id))
            .map(|(_, lane)| lane)
    }

    /// What was found out about those that drain.
    pub(in crate::event_loop) fn on_drained(&mut self) {
        while let Some((worker, report)) = self.idle_detector.next() {
            self.reports.is_news = true;
            let is_quiet = report.quiet;
            let Some(life) = self.lives.get_mut(worker) else { continue };
            let before = life.drain.seen.replace(report.clone());
            let known = before.is_some_and(|before| before.blind == report.blind);
            if let Some(why) = report.blind.as_ref().filter(|_| !known) {
                log::warn!(
                    "worker {}: it cannot be told when it has drained: {why}",
                    self.logical_id(worker)
                );
            }
            if is_quiet && (self.taking_lanes(worker).any(Lane::may_follow) || self.may_still_come(worker)) {
                // A thread that was allowed to accept is about to.
                let watched = self.watched(worker);
                self.idle_detector.watch(watched);
            } else if is_quiet && let Some(at) = self.flows_talk_until(worker) {
                if let Some(life) = self.lives.get_mut(worker) {
                    life.drain.look_at = Some(at);
                }
            } else if is_quiet {
                self.input(Input::Quiet { worker });
            }
        }
    }

    /// Tells of those that have taken all that waited for them.
    pub(in crate::event_loop) fn look_at_lanes(&mut self) {
        for worker in self.lives.due(self.now, |life| life.drain.look_at) {
            if self.config.settings.stop.drain != How::Signal {
                // Its flows were waited for. Its connections were quiet before, and may not be any more.
                let talks_until = self.flows_talk_until(worker);
                if let Some(life) = self.lives.get_mut(worker) {
                    life.drain.look_at = talks_until;
                }
                if talks_until.is_none() {
                    let watched = self.watched(worker);
                    self.idle_detector.watch(watched);
                }
                continue;
            }
            let is_busy = self.taking_lanes(worker).any(|lane| lane.waiting() > 0 || lane.may_follow())
                || self.has_queue(worker)
                || self.may_still_come(worker);
            if let Some(life) = self.lives.get_mut(worker) {
                life.drain.look_at = is_busy.then(|| self.now + STEP);
            }
            if !is_busy {
                self.input(Input::Quiet { worker });
            }
        }
    }

    /// The worker is gone, or has been told to stop.
    pub(in crate::event_loop) fn no_longer_drains(&mut self, worker: WorkerId) {
        if let Some(life) = self.lives.get_mut(worker) {
            self.reports.is_news |= std::mem::take(&mut life.drain).seen.is_some();
        }
        self.idle_detector.forget(worker);
        self.end_move(worker);
        self.give_up_flows(worker);
    }

    /// Connections that are open in a worker that drains, and how many of them are at work.
    pub(in crate::event_loop) fn connections_of(&self, worker: WorkerId) -> Option<(u32, u32)> {
        let report = self.lives.get(worker)?.drain.seen.as_ref()?;
        Some((report.connections, report.busy))
    }

    /// ` (3 connections open, 1 of them at work)`, where that is known.
    pub(in crate::event_loop) fn connections_left(&self, worker: WorkerId) -> String {
        match self.connections_of(worker) {
            Some((open, busy)) => format!(" ({open} connections open, {busy} of them at work)"),
            None => String::new(),
        }
    }
}

/// The name of a unix socket as the kernel tells it: a path, or a zero byte before what is abstract.
fn name_of(address: &Address) -> Option<Vec<u8>> {
    let path = address.path().map(<[u8]>::to_vec);
    path.or_else(|| Some([b"\0", address.abstract_name()?].concat()))
}
