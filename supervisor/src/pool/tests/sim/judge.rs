//! What is true of a history: nothing is lost, nobody waits in vain, and of credits there are as many as were given.

use super::history::History;
use super::{Fate, Record, Sim, ms};
use crate::ids::{LaneId, WorkerId};
use crate::pool::{
    BalancerState, Change, Finding, Input, LaneStatus, Note, Output, Phase, Reloaded, State, WhenNoWorker,
};
use std::collections::BTreeSet;
use std::time::Duration;

impl History {
    /// Stop, a long jump of the clock, and nothing is left.
    pub(in crate::pool) fn end(mut self, honest: bool) {
        if honest && self.sim.done.is_some() {
            return;
        }
        self.sim.prompt = true;
        self.deliver_all();
        self.tell(Input::Stop);
        // The intake, the drain, the signal and the kill: each begins when the one before was late.
        for _ in 0..4 {
            self.sim.jump(Duration::from_secs(365 * 24 * 3600));
        }
        if self.sim.done.is_none() {
            let debugged = |state| matches!(state, State::Stopping(stop) if stop.debugging);
            assert!(
                self.sim.pool.settings().stop.timeout().is_none()
                    || self.sim.pool.workers().any(|worker| debugged(worker.state())),
                "it takes a kill only without a time to stop, or when somebody debugs"
            );
            self.tell(Input::Kill);
        }
        assert!(self.sim.done.is_some(), "the cluster did not come to rest: {:?}", self.sim.pool);
        assert!(matches!(self.sim.pool.phase(), Phase::Done(_)));
        assert!(!self.sim.step(), "something is still waited for");
        assert_eq!(self.sim.pool.count_active_workers(), 0);
        assert!(self.sim.pool.retiring().next().is_none(), "{:?}", self.sim.pool);
        assert!(!honest || self.sim.alive.is_empty(), "a process was forgotten: {:?}", self.sim.alive);
        assert!(self.sim.kernel.is_empty(), "a listening socket was forgotten");
        for (conn, fate) in &self.sim.conns {
            assert!(
                matches!(fate, Fate::TakenBy(_) | Fate::Closed | Fate::Refused),
                "{conn:?} was lost: {fate:?}"
            );
        }
        self.judged_by_the_rules();
        self.sim.jump(Duration::from_secs(365 * 24 * 3600));
        self.tell(Input::Kill);
        self.tell(Input::Start);
        let orders = self.sim.take_orders();
        let mut orders = orders.into_iter().skip_while(|order| !matches!(order, Output::Done(_)));
        assert!(orders.next().is_some(), "the end was not told");
        let closes = |order: &Output| match order {
            Output::Refuse { .. } | Output::Retire { .. } | Output::CloseBalancer { .. } => true,
            // Whoever asks is answered.
            Output::Reloaded { reloaded, .. } => *reloaded == Reloaded::Stopped,
            _ => false,
        };
        assert!(orders.all(|order| closes(&order)), "more than what came late was closed after the end");
    }

    /// What holds after each act of an honest and prompt shell.
    pub(in crate::pool) fn is_honest(&mut self) {
        self.is_work_conserving();
        for balancer in self.sim.pool.balancers() {
            let is_kept = balancer.held() > 0 && self.sim.pool.is_hushed(balancer.id());
            assert!(!is_kept, "{:?} holds a connection behind open credits", balancer.id());
        }
        // Each time is a look at every queue: often enough, and not most of what a history takes.
        if self.told.len().is_multiple_of(4) {
            self.credits_add_up();
        }
        self.everybody_is_told();
    }

    /// By credit: what was granted and neither used nor revoked is what the core believes to be out, lane by lane.
    fn credits_add_up(&mut self) {
        // What the first look takes back is counted by the second.
        self.sim.look_at_all_queues();
        self.sim.look_at_all_queues();
        for (id, lane) in self.sim.lanes.iter().filter(|(_, lane)| lane.credit) {
            let Some(seen) = self.sim.pool.lane(*id) else { panic!("{id:?} was forgotten") };
            let singles = lane.singles;
            let out = lane.queue.iter().filter(|record| **record == Record::Single).count() as u64;
            assert_eq!(singles.granted - singles.used - singles.revoked, out, "{id:?}: {singles:?}");
            // Where the queue is not given out nobody looks.
            if self.sim.pool.wants_queue(lane.balancer) {
                // Whether what is being served counts depends on who has looked last.
                let (least, most) = (lane.waiting(), lane.waiting() + u32::from(lane.away));
                assert!(
                    (u64::from(least)..=u64::from(most)).contains(&seen.in_flight()),
                    "{id:?} holds {:?}: {seen:?}",
                    lane.queue
                );
                assert_eq!(seen.has_open_credit(), lane.open, "{id:?} holds {:?}: {seen:?}", lane.queue);
            }
            assert!(
                !lane.open || lane.direct || lane.queue.contains(&Record::Open),
                "{id:?} is open and wakes nobody"
            );
        }
    }

    /// By credit: in the end everybody who may take what waits in a queue has been told so, whoever was told before and takes
    /// nothing.
    fn everybody_is_told(&mut self) {
        let waits = |sim: &Sim| sim.kernel.values().any(|listener| !listener.queue.is_empty());
        if !self.sim.by_credit || !waits(&self.sim) {
            return;
        }
        // Whoever may take only since a moment ago, because its address was opened again or its worker is ready, is told later.
        let could: BTreeSet<LaneId> =
            self.sim.lanes.keys().copied().filter(|id| self.may_take(*id)).collect();
        // One that has been full is found to have room only when it is counted again.
        let workers: Vec<WorkerId> = self.sim.alive.iter().copied().collect();
        if self.sim.pool.settings().balancing.max_connections.is_some() {
            workers.iter().for_each(|worker| self.sim.count_connections(*worker));
        }
        let each_in_turn = ms(self.sim.lanes.len() as u64 * 2 + 2);
        self.sim.advance(each_in_turn);
        // Lanes may have ended meanwhile, and with them what they were given: for that the core counts once more by itself.
        let had_room: BTreeSet<WorkerId> =
            workers.into_iter().filter(|worker| self.has_room(*worker)).collect();
        if self.sim.pool.settings().balancing.max_connections.is_some() {
            self.sim.advance(each_in_turn);
        }
        for (id, lane) in &self.sim.lanes {
            let waits =
                self.sim.kernel.get(&lane.balancer).is_some_and(|listener| !listener.queue.is_empty());
            let told = !lane.queue.is_empty() || lane.open;
            let has_room = had_room.contains(&lane.worker) && self.has_room(lane.worker);
            assert!(
                told || !waits || !could.contains(id) || !self.may_take(*id) || !has_room,
                "{id:?} has not been told: {:?}",
                self.sim.pool.lane(*id)
            );
        }
    }

    /// The worker has fewer connections, with those that it may accept as it is, than it may have.
    fn has_room(&self, worker: WorkerId) -> bool {
        let has = || self.sim.open_connections(worker) + self.sim.rights(worker);
        self.sim.pool.settings().balancing.max_connections.is_none_or(|max| has() < max.into())
    }

    /// By credit: the lane may be given one, and what waits in its queue is given out.
    fn may_take(&self, id: LaneId) -> bool {
        self.sim.pool.lane(id).is_some_and(|lane| {
            lane.may_take()
                && !lane.is_resting()
                && !lane.is_busy()
                && self.sim.pool.wants_queue(lane.balancer())
        })
    }

    /// Whoever was found hung was so by the rules, and suspects were told of in turn and are none at the end.
    fn judged_by_the_rules(&self) {
        let settings = self.sim.pool.settings();
        for note in &self.sim.notes {
            let Note::Hung { worker, lag, finding, .. } = note else { continue };
            let by_choice = matches!(finding, Finding::Blocked | Finding::Unknown);
            assert!(
                !matches!(finding, Finding::Starved | Finding::Traced)
                    && (!by_choice || settings.health.replaces_blocked()),
                "{worker}: {note:?}"
            );
            assert!(settings.health.hang_limit().is_some_and(|limit| *lag >= limit), "{worker}: {note:?}");
            assert!(settings.health.max_unavailable(settings.workers) > 0, "{worker}: {note:?}");
        }
        let mut suspects = BTreeSet::new();
        for change in &self.sim.changes {
            match change {
                Change::Suspect { worker, suspect: true } => {
                    assert!(suspects.insert(*worker), "{worker} twice")
                }
                Change::Suspect { worker, suspect: false } => {
                    assert!(suspects.remove(worker), "{worker} was none")
                }
                _ => {}
            }
        }
        assert!(suspects.is_empty(), "still suspects: {suspects:?}");
    }

    /// Of an honest and prompt shell: lanes and workers hold no more than they may, and no connection waits beside a
    /// lane with room.
    fn is_work_conserving(&self) {
        let window = self.sim.pool.settings().balancing.window() as usize;
        if let Some(max) = self.sim.pool.settings().balancing.max_connections {
            for worker in self.sim.pool.workers().map(|worker| worker.id()) {
                let (open, rights) = (self.sim.open_connections(worker), self.sim.rights(worker));
                assert!(
                    open + rights <= max.into(),
                    "{worker} has {open} connections and may accept {rights}, and may have {max}"
                );
            }
        }
        for balancer in self.sim.pool.balancers() {
            let overdue = matches!(balancer.state(), BalancerState::Standby { due } if due < self.sim.now);
            assert!(!overdue, "{:?} is not opened again", balancer.id());
            let patience = match self.sim.pool.settings().balancing.when_no_worker {
                WhenNoWorker::Hold { refuse_after } => refuse_after,
                WhenNoWorker::Refuse => Some(ms(0)),
            };
            let waited = balancer.no_worker_since().map(|since| self.sim.now.duration_since(since));
            let enough = waited.zip(patience).is_some_and(|(waited, patience)| waited >= patience);
            assert_eq!(balancer.is_refusing(), enough, "{:?} has waited {waited:?}", balancer.id());
        }
        // Of credits there may be more, and they hold nothing.
        for (id, lane) in self.sim.lanes.iter().filter(|(_, lane)| !lane.credit) {
            assert!(lane.queue.len() <= window, "{id:?} holds {:?}", lane.queue);
            let Some(seen) = self.sim.pool.lane(*id) else { panic!("{id:?} was forgotten") };
            assert!(seen.in_flight() >= lane.queue.len() as u64, "{id:?} holds more than is believed");
            let queued =
                if self.sim.kernel[&lane.balancer].sound { self.sim.queued(lane.balancer) } else { 0 };
            let held = self.sim.pool.balancer(lane.balancer).map_or(0, |balancer| balancer.held());
            let may = if lane.one_by_one { 1 } else { window };
            let has = lane.queue.len() + usize::from(lane.away);
            // By credit it may be covered by what another lane was given, for a while.
            let is_due = matches!(seen.status(), LaneStatus::Ready | LaneStatus::Full) && !self.sim.by_credit;
            if is_due && has < may {
                assert_eq!((queued, held), (0, 0), "connections wait though {id:?} has room");
            }
        }
    }
}
