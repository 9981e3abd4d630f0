//! Finds listeners that a program has closed while no client came, and has the core close them here too: it looks for the
//! worker's end of each lane in the descriptor tables of the worker's processes, from time to time. A lane is closed only if two
//! looks in a row did not find it. Where a client waits, the core orders a look at once (`Output::Look`).

use super::super::Shell;
use super::super::os::Os;
use crate::ids::{LaneId, WorkerId};
use crate::io::lanes::lane_owner_probe::{Answer, Found, Question, Wanted};
use crate::io::lanes::thunk_socket::Delivery;
use crate::io::process::process_tree::children;
use crate::pool::Input;
use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant};

/// From a listen() to the first look. The pause doubles with each further look, and the next listen() sets it back: a
/// program that opens listeners while it serves also closes some.
const FIRST: Duration = Duration::from_secs(1);
/// The longest pause between two looks. A look reads one link in /proc for each lane: for some hundred lanes that takes about
/// a thousandth of a processor.
const LAST: Duration = Duration::from_secs(8);

/// When to look next, and what was missing before.
#[derive(Debug, Default)]
pub(in crate::event_loop) struct IdleLanes {
    next: Option<Instant>,
    step: Duration,
    round: u64,
    /// For each lane that was not found, the number of the last look that did not find it.
    missing: HashMap<LaneId, u64>,
}

impl IdleLanes {
    pub(in crate::event_loop) fn next_deadline(&self) -> Option<Instant> {
        self.next
    }

    /// A lane has been opened.
    pub(in crate::event_loop) fn opened(&mut self, now: Instant) {
        self.step = FIRST;
        self.look_by(now + FIRST);
    }

    fn look_by(&mut self, at: Instant) {
        self.next = Some(self.next.map_or(at, |next| next.min(at)));
    }

    /// A look begins at so many lanes. If there are none, no further look is due until a lane is opened.
    fn begin(&mut self, now: Instant, lanes: usize) {
        self.step = (self.step * 2).clamp(FIRST, LAST);
        self.next = (lanes > 0).then_some(now + self.step);
        self.round += 1;
        let round = self.round;
        self.missing.retain(|_, missed| *missed + 1 == round);
    }

    /// This look has not found the lane. True if the one before it did not find it either. Once is not enough, because a
    /// descriptor that one process sends to another is in no table until it is received.
    fn is_closed(&mut self, lane: LaneId, now: Instant) -> bool {
        let round = self.round;
        let before = self.missing.insert(lane, round);
        self.look_by(now + FIRST);
        before.is_some_and(|before| before + 1 == round)
    }
}

impl<O: Os> Shell<O> {
    /// Has the lane owner probe look for the lanes of all workers that are not stopping.
    pub(in crate::event_loop) fn look_at_idle_lanes(&mut self) {
        let members = self.wanted_members();
        self.lanes.idle.begin(self.now, self.lanes.all.len() + members.len());
        let mut asked: BTreeMap<WorkerId, Vec<Wanted>> = BTreeMap::new();
        for (&lane, its) in self.lanes.all.iter().filter(|(id, _)| !self.is_coming(**id)) {
            let wanted = Wanted { lane, inode: its.inode, seen_at: its.seen_at };
            asked.entry(its.worker).or_default().push(wanted);
        }
        for (worker, wanted) in members.into_iter().filter(|(_, wanted)| !self.is_coming(wanted.lane)) {
            asked.entry(worker).or_default().push(wanted);
        }
        // A worker that is stopping closes its listeners, and all its lanes are closed when it has ended.
        let stops = |worker: &WorkerId| self.lives.process(*worker).is_none_or(|process| process.stopping);
        asked.retain(|worker, _| !stops(worker));
        for (worker, lanes) in asked {
            let pids = self.possible_holders(worker);
            self.lanes.owner_probe.ask(Question { lanes, pids, idle: true });
        }
    }

    /// The core wants to know whether anybody holds the lane.
    pub(in crate::event_loop) fn look(&mut self, id: LaneId) {
        self.look_for_missed(id);
        if let Some(lane) = self.lanes.all.get_mut(&id) {
            lane.write_off_lost();
        }
        let Some(lane) = self.lanes.all.get(&id) else { return };
        let waiting = lane.waiting();
        if waiting == 0 || self.is_coming(id) || self.os.is_at(lane.seen_at, lane.inode) {
            self.pool.handle(self.now, Input::Looked { lane: id, waiting, held: true });
            return;
        }
        let (worker, wanted) = (lane.worker, Wanted { lane: id, inode: lane.inode, seen_at: lane.seen_at });
        let pids = self.possible_holders(worker);
        self.lanes.owner_probe.ask(Question { lanes: vec![wanted], pids, idle: false });
    }

    /// Nothing of a socket is to be seen where it was last: has it looked for, unless the worker is about to close it.
    pub(in crate::event_loop) fn ask_for(&mut self, worker: WorkerId, wanted: Wanted) {
        let stops = self.lives.process(worker).is_none_or(|process| process.stopping);
        if !stops && !self.is_coming(wanted.lane) {
            let pids = self.possible_holders(worker);
            self.lanes.owner_probe.ask(Question { lanes: vec![wanted], pids, idle: false });
        }
    }

    /// Takes in what the lane owner probe has found.
    pub(in crate::event_loop) fn on_lane_owners(&mut self) {
        while let Some(Answer { lane: id, found, idle }) = self.lanes.owner_probe.next() {
            let Some(lane) = self.lanes.all.get_mut(&id) else {
                self.on_member_found(id, found, idle);
                continue;
            };
            if let Found::At(place) = found {
                lane.seen_at = place;
            }
            let (waiting, holder, worker) = (lane.waiting(), lane.holder.pid, lane.worker);
            // It may have been put in its place while the lane owner probe looked. And who has ended has closed nothing: what becomes
            // of its lanes follows from its end, of which the loop may not have heard yet.
            let held = found != Found::Nobody
                || self.os.is_at(lane.seen_at, lane.inode)
                || self.lives.process(worker).is_some_and(|process| process.has_ended_unheard(holder));
            if !idle || (!held && self.is_idle_lane_closed(id)) {
                self.input(Input::Looked { lane: id, waiting, held });
            }
        }
    }

    /// The lane owner probe has found the lane in no process of its worker: whether it is to be closed.
    pub(in crate::event_loop) fn is_idle_lane_closed(&mut self, lane: LaneId) -> bool {
        !self.is_coming(lane) && self.lanes.idle.is_closed(lane, self.now)
    }

    /// True while the lane is on its way to the worker: then it is in no descriptor table, however long that takes.
    pub(in crate::event_loop) fn is_coming(&self, lane: LaneId) -> bool {
        let is_coming = |(coming, delivery): &(LaneId, Delivery)| *coming == lane && delivery.is_under_way();
        self.lanes.deliveries.iter().any(is_coming)
    }

    /// The known processes of a worker, and all children of this process that are not known to be another worker's: where
    /// orphans become its children, a process of the worker that went into the background is among them.
    pub(in crate::event_loop) fn possible_holders(&self, worker: WorkerId) -> Vec<u32> {
        let orphans = if self.signals.is_some() { children() } else { Vec::new() };
        let of_others =
            |pid: &u32| self.lives.iter().any(|(other, life)| other != worker && life.process.knows(*pid));
        let orphans = orphans.into_iter().filter(|pid| !of_others(pid));
        self.pids(worker).into_iter().chain(orphans).collect()
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "a moment to count from")]
mod tests {
    use super::*;

    fn seconds(count: u64) -> Duration {
        Duration::from_secs(count)
    }

    #[test]
    fn looks_come_less_and_less_often_and_soon_after_a_listen() {
        let start = Instant::now();
        let mut lanes = IdleLanes::default();
        assert_eq!(lanes.next_deadline(), None);
        lanes.opened(start);
        lanes.opened(start + seconds(1) / 2);
        assert_eq!(
            lanes.next_deadline(),
            Some(start + seconds(1)),
            "who listens on and on does not put it off"
        );
        let mut now = start;
        for pause in [1, 2, 4, 8, 8, 8] {
            now += seconds(pause);
            assert_eq!(lanes.next_deadline(), Some(now));
            lanes.begin(now, 3);
        }
        lanes.opened(now);
        assert_eq!(lanes.next_deadline(), Some(now + seconds(1)));
        lanes.begin(now + seconds(1), 0);
        assert_eq!(lanes.next_deadline(), None, "there is nothing to look at");
    }

    #[test]
    fn a_lane_is_closed_when_it_was_missing_twice_in_turn() {
        let start = Instant::now();
        let (one, other) = (LaneId(1), LaneId(2));
        let mut lanes = IdleLanes::default();
        lanes.opened(start);
        for _ in 0..3 {
            lanes.begin(start, 2);
        }
        assert!(!lanes.is_closed(one, start));
        assert_eq!(lanes.next_deadline(), Some(start + seconds(1)), "the second look comes soon");
        lanes.begin(start, 2);
        assert!(lanes.is_closed(one, start));
        assert!(!lanes.is_closed(other, start));
        lanes.begin(start, 2);
        // This time it was found.
        lanes.begin(start, 2);
        assert!(!lanes.is_closed(other, start), "it was missing before, and was found since");
    }
}
