//! Looks at the queues of members: how long they are, whether they move, and whether somebody still has the socket. It tells the core and
//! judges nobody.

use super::super::Shell;
use super::super::os::Os;
use super::Joined;
use crate::event_loop::health::monitor::joined;
use crate::ids::{LaneId, WorkerId};
use crate::io::lanes::lane::Holder;
use crate::io::lanes::lane_owner_probe::{Found, Wanted};
use crate::io::sockets::unaccepted::longest_wait;
use crate::io::steering::member::{Member, Sign};
use crate::pool::Input;
use std::collections::{BTreeMap, BTreeSet};
use std::os::fd::AsFd;
use std::time::Duration;

impl<O: Os> Shell<O> {
    /// Looks at all of them.
    pub(in crate::event_loop) fn look_at_members(&mut self) {
        if self.steering.members.is_empty() && self.steering.orphans.is_empty() {
            return;
        }
        let accepted: BTreeMap<WorkerId, u64> = self
            .lives
            .iter()
            .map(|(worker, life)| (worker, joined(&life.process, self.os.monotonic()).accepted))
            .collect();
        let without_pulse: BTreeSet<WorkerId> =
            self.lives.iter().filter(|(_, life)| life.has_filter).map(|(worker, _)| worker).collect();
        let (mut facts, mut missing) = (Vec::new(), Vec::new());
        let (groups, listeners) = (&self.steering.groups, &self.listeners.all);
        let mut longest = BTreeMap::new();
        for (&lane, member) in &mut self.steering.members {
            let Some(group) = groups.get(&member.balancer) else { continue };
            let Some(waiting) = member.waiting() else {
                facts.push(Input::LaneClosed { lane });
                continue;
            };
            let taken = accepted.get(&member.worker).copied().unwrap_or(0);
            // Where it is counted what was given, the library need not tell what was taken.
            let given = group.given(lane);
            // A program may also accept where the library does not see it.
            let is_blind = taken == 0 || without_pulse.contains(&member.worker);
            let sign = match given {
                Some(given) if is_blind => Sign::Given(given),
                None if is_blind && waiting > 0 => {
                    let port = listeners.get(&member.balancer).and_then(|listener| listener.address.port());
                    let age = longest.entry(member.balancer).or_insert_with(|| port.map(longest_wait));
                    Sign::Longest(age.unwrap_or_default())
                }
                given => {
                    let gone = given.map_or(0, |given| given.saturating_sub(waiting.into()));
                    Sign::Taken(gone.wrapping_add(taken))
                }
            };
            member.look(self.now, waiting, sign);
            let total = given.unwrap_or(taken);
            let more = total.saturating_sub(member.told);
            member.told = total;
            if let Some(count) = u32::try_from(more).ok().filter(|count| *count > 0) {
                facts.push(Input::Took { lane, count });
            }
            if waiting > 0 {
                facts.push(Input::QueuedAt { lane, waiting });
                if group.is_split() && !member.is_where_it_was() {
                    let wanted = Wanted { lane, inode: member.inode, seen_at: member.seen_at };
                    missing.push((member.worker, wanted));
                }
            }
        }
        self.join_children();
        self.look_for_idle();
        for fact in facts {
            self.input(fact);
        }
        for (worker, wanted) in missing {
            self.ask_for(worker, wanted);
        }
        self.settle_all_orphans();
        let balancers: Vec<_> = self.steering.groups.keys().copied().collect();
        for balancer in balancers {
            self.relieve_suspects(balancer);
            if self.pool.balancer(balancer).is_some_and(crate::pool::Balancer::is_refusing) {
                self.refuse_waiting(balancer);
            }
        }
        self.carry_out();
    }

    /// Children that accept from a socket of their parent's belong to the worker: their end is seen, and they end with it.
    fn join_children(&mut self) {
        let mut found = Vec::new();
        for (worker, life) in
            self.lives.iter().filter(|(worker, _)| self.steering.of(*worker).next().is_some())
        {
            let process = &life.process;
            let serves = process.pulses.iter().filter(|pulse| pulse.serves() && !process.knows(pulse.pid));
            found.extend(serves.filter(|pulse| self.os.is_there(pulse.pid)).map(|pulse| (worker, pulse.pid)));
        }
        for (worker, pid) in found {
            self.join_forked(worker, pid);
        }
    }

    /// Shows the program which thread accepts for each member, where there is one alone in a process of its own: whether that is idle it sees
    /// by itself.
    fn look_for_idle(&mut self) {
        let mut count: BTreeMap<WorkerId, u32> = BTreeMap::new();
        for member in self.steering.members.values() {
            *count.entry(member.worker).or_default() += 1;
        }
        let Self { steering, lives, .. } = self;
        for (&lane, member) in &mut steering.members {
            let Some(group) = steering.groups.get(&member.balancer) else { continue };
            let (Some(given), Some(waiting)) = (group.given(lane), member.waiting()) else { continue };
            // Of one that accepts from several sockets it is not known from which.
            let is_alone = count.get(&member.worker) == Some(&1);
            let process = lives.process(member.worker).filter(|_| is_alone);
            let mut serving =
                process.into_iter().flat_map(|process| &process.pulses).filter(|pulse| pulse.serves());
            let pulse = serving.next().filter(|_| serving.next().is_none());
            let found = pulse.and_then(|pulse| Some((pulse, pulse.sole_place()?)));
            let at = found.map(|(pulse, (place, _))| (pulse.pid, place));
            let accepted = found.map_or(0, |(_, (_, accepted))| accepted);
            if member.idle.at == at {
                if at.is_some_and(|_| member.idle.look(given, accepted, waiting)) {
                    group.see(lane, at.map_or(0, |(_, place)| place), member.idle.elsewhere());
                }
                continue;
            }
            member.idle.begin(at, given, accepted, waiting);
            if group.watch(lane, found.map(|(pulse, _)| pulse.as_fd())) {
                group.see(lane, at.map_or(0, |(_, place)| place), member.idle.elsewhere());
            }
        }
    }

    /// What the process listened on before it may have closed. Nobody is to wait there meanwhile.
    pub(super) fn ask_for_others(&mut self, worker: WorkerId, holder: Holder, joined: &Joined) {
        let is_other = |id: LaneId, member: &Member| {
            id != joined.member && member.balancer == joined.balancer && member.holder.pid == holder.pid
        };
        let others = self.steering.of(worker).filter(|(id, member)| is_other(*id, member));
        let missing = others.filter(|(_, member)| !member.is_where_it_was());
        let wanted =
            |(lane, member): (LaneId, &Member)| Wanted { lane, inode: member.inode, seen_at: member.seen_at };
        for wanted in missing.map(wanted).collect::<Vec<_>>() {
            self.ask_for(worker, wanted);
        }
    }

    /// The lane owner probe has looked for a member in the processes of its worker.
    pub(in crate::event_loop) fn on_member_found(&mut self, id: LaneId, found: Found, idle: bool) {
        let Some(member) = self.steering.member_mut(id) else { return self.on_datagrams_found(id, found) };
        if let Found::At(place) = found {
            member.seen_at = place;
        }
        let (holder, worker) = (member.holder.pid, member.worker);
        // As of a lane: who has ended has closed nothing.
        let held = found != Found::Nobody
            || member.is_where_it_was()
            || self.lives.process(worker).is_some_and(|process| process.has_ended_unheard(holder));
        if !held && (!idle || self.is_idle_lane_closed(id)) {
            self.input(Input::LaneClosed { lane: id });
        }
    }

    /// For how long the worker has taken nothing from its own socket though something waits, or could not have.
    pub(in crate::event_loop) fn stuck_for(&self, worker: WorkerId) -> Duration {
        let mut own = self.steering.of(worker).peekable();
        if own.peek().is_none() {
            return Duration::ZERO;
        }
        let stopped = self.lives.get(worker).and_then(|life| life.suspended.lasts(self.now));
        let shared =
            |member: &Member| self.steering.group(member.balancer).is_some_and(|group| !group.is_split());
        // What waits where all accept says nothing of one of them.
        let stuck = own.filter(|(_, member)| !shared(member)).map(|(_, member)| member.stuck_for(self.now));
        stuck.chain(stopped).max().unwrap_or_default()
    }

    /// The name that the core has for a member, and what is known of where it is.
    pub(in crate::event_loop) fn wanted_members(&self) -> Vec<(WorkerId, Wanted)> {
        let wanted =
            |lane: LaneId, member: &Member| Wanted { lane, inode: member.inode, seen_at: member.seen_at };
        self.steering.members().map(|(lane, member)| (member.worker, wanted(lane, member))).collect()
    }
}
