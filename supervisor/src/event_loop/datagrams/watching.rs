//! Looks at UDP sockets of workers: what they were given, whether one is connected by now, and whether somebody still has it. It tells the
//! core and judges nobody.

use super::super::Shell;
use super::super::os::Os;
use super::Datagrams;
use crate::ids::{BalancerId, LaneId};
use crate::io::lanes::lane_owner_probe::{Found, Wanted};
use crate::pool::Input;
use std::time::Duration;

/// How often: a look at one socket takes some microseconds.
const LOOK: Duration = Duration::from_millis(250);

impl<O: Os> Shell<O> {
    /// Looks at all of them.
    pub(in crate::event_loop) fn look_at_datagrams(&mut self) {
        let Datagrams { groups, members, orphans, next_look, .. } = &mut self.datagrams;
        let is_any = !members.is_empty() || !orphans.is_empty();
        *next_look = is_any.then(|| self.now + LOOK);
        let (mut facts, mut missing) = (Vec::new(), Vec::new());
        for (&lane, member) in members.iter_mut() {
            let Some(group) = groups.get(&member.balancer) else { continue };
            if member.is_connected() {
                facts.push(Input::LaneClosed { lane });
                continue;
            }
            if let Some((datagrams, flows)) = group.given(lane) {
                member.look(self.now, datagrams);
                facts.extend(member.untold(flows).map(|count| Input::Took { lane, count }));
            }
            if !member.is_where_it_was() {
                let wanted = Wanted { lane, inode: member.inode, seen_at: member.seen_at };
                missing.push((member.worker, wanted));
            }
        }
        facts.into_iter().for_each(|fact| self.input(fact));
        for (worker, wanted) in missing {
            self.ask_for(worker, wanted);
        }
        let mut balancers: Vec<BalancerId> =
            self.datagrams.orphans.values().map(|member| member.balancer).collect();
        balancers.dedup();
        balancers.into_iter().for_each(|balancer| self.settle_datagrams(balancer));
    }

    /// The lane owner probe has looked for a member in the processes of its worker.
    pub(in crate::event_loop) fn on_datagrams_found(&mut self, id: LaneId, found: Found) {
        let Some(member) = self.datagrams.members.get_mut(&id) else { return };
        if let Found::At(place) = found {
            member.seen_at = place;
        }
        let (holder, worker) = (member.holder.pid, member.worker);
        // As of a lane: who has ended has closed nothing.
        let held = found != Found::Nobody
            || member.is_where_it_was()
            || self.lives.process(worker).is_some_and(|process| process.has_ended_unheard(holder));
        if !held {
            self.input(Input::LaneClosed { lane: id });
        }
    }
}
