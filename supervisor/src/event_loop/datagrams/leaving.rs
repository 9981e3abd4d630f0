//! How a UDP socket ceases to be a member: its worker is gone, drains, or has closed or connected it. What waits in the socket of a worker
//! that is gone is kept for the next.

use super::super::Shell;
use super::super::os::Os;
use super::{Datagrams, named};
use crate::ids::{BalancerId, LaneId, WorkerId};
use crate::io::datagrams::group::Group;
use crate::io::datagrams::member::Member;
use crate::pool::Input;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

/// What waits in the socket of a worker that is gone is kept for so long where others serve: clients have asked again by then.
const KEPT: Duration = Duration::from_secs(10);

impl<O: Os> Shell<O> {
    /// A process of the worker says that it has connected a socket.
    pub(in crate::event_loop) fn leave_datagrams(&mut self, worker: WorkerId, cookie: u64) {
        let found = self.datagrams.of(worker).find(|(_, member)| member.cookie == cookie);
        if let Some((lane, _)) = found.filter(|(_, member)| member.is_connected()) {
            self.input(Input::LaneClosed { lane });
        }
    }

    /// The core knows the member no more.
    pub(in crate::event_loop) fn retire_datagrams(&mut self, id: LaneId) {
        let Datagrams { groups, members, orphans, .. } = &mut self.datagrams;
        let Some(mut member) = members.remove(&id) else { return };
        let balancer = member.balancer;
        let Some(group) = groups.get_mut(&balancer) else { return };
        group.give_up_flows(id);
        if member.is_connected() || self.pool.balancer(balancer).is_none() {
            // It is its program's alone: what comes from anybody but its peer comes to others.
            group.leave(id);
        } else {
            member.left_at = Some(self.now);
            orphans.insert(id, member);
        }
        // First nothing more is to come to it.
        self.steer_datagrams(balancer);
    }

    /// Closes sockets that no process has, where nothing is lost by that; and forgets a group that is over.
    pub(super) fn settle_datagrams(&mut self, balancer: BalancerId) {
        let is_over = self.pool.balancer(balancer).is_none();
        let Datagrams { groups, members, orphans, by_key, closed, .. } = &mut self.datagrams;
        let Some(group) = groups.get_mut(&balancer) else { return };
        let own = |member: &&Member| member.balancer == balancer;
        let count = members.values().filter(own).count();
        let mut left = orphans.values().filter(own).count();
        let mut is_free = |member: &Member| {
            // Somebody has to be there for whoever sends, though no worker is.
            let others = if group.can_leave_out() { group.has_live() } else { count + left > 1 };
            let is_old = member.left_at.is_some_and(|since| since + KEPT <= self.now);
            // Where the kernel goes on to choose it, what comes would wait for nobody.
            let is_free = is_over || others && (member.is_empty() || is_old || !group.can_leave_out());
            left -= usize::from(is_free);
            is_free
        };
        let free = orphans.iter().filter(|(_, member)| own(member) && is_free(member));
        let free: Vec<LaneId> = free.map(|(id, _)| *id).collect();
        for id in &free {
            group.leave(*id);
            // Now, and not at some time: the places of others change with it.
            orphans.remove(id).into_iter().for_each(Member::close);
        }
        if !free.is_empty() {
            let socket = members.values().chain(orphans.values()).find(own);
            if let Err(error) = group.steer_again(socket.map(AsFd::as_fd)) {
                log::error!("{}: the kernel keeps its choice of workers: {error}", named(group));
            }
        }
        if is_over && count == 0 {
            closed.extend(groups.remove(&balancer).map(|group| (balancer, group.address)));
            by_key.retain(|_, other| *other != balancer);
        }
    }

    /// The address is no longer the cluster's. Its workers keep their sockets, and the flows that these have, until they end.
    pub(in crate::event_loop) fn close_datagrams(&mut self, balancer: BalancerId) {
        self.datagrams.by_key.retain(|_, other| *other != balancer);
        if let Some(group) = self.datagrams.groups.get(&balancer) {
            log::debug!("{}: given to no worker any more", named(group));
        }
        self.steer_datagrams(balancer);
    }

    /// The worker has been told to stop, and may close its sockets at any time: its flows go to others.
    pub(in crate::event_loop) fn give_up_flows(&mut self, worker: WorkerId) {
        let Datagrams { groups, members, .. } = &mut self.datagrams;
        for (&lane, member) in members.iter_mut().filter(|(_, member)| member.worker == worker) {
            let Some(group) = groups.get(&member.balancer) else { continue };
            group.give_up_flows(lane);
            // The last that is told of it.
            if let Some(count) = member.untold(group.given(lane).map_or(0, |(_, flows)| flows)) {
                self.pool.handle(self.now, Input::Took { lane, count });
            }
        }
    }

    /// When to look again whether flows of the worker, which gets no new ones, are silent; `None` if they are, or cannot be waited for.
    pub(in crate::event_loop) fn flows_talk_until(&mut self, worker: WorkerId) -> Option<Instant> {
        let (now, grace) = (self.now, self.config.settings.stop.idle_grace);
        let Datagrams { groups, members, .. } = &mut self.datagrams;
        let own = members.iter_mut().filter(|(_, member)| member.worker == worker);
        let waits = own.filter_map(|(id, member)| {
            let group = groups.get(&member.balancer).filter(|group| Group::can_leave_out(group))?;
            // What it has received last it may still be answering, also where its flows have moved.
            member.look(now, group.given(*id).map_or(0, |(datagrams, _)| datagrams));
            let missing = grace.saturating_sub(member.silent_for(now));
            (!missing.is_zero()).then_some(missing)
        });
        waits.max().map(|missing| now + missing)
    }
}
