//! One load balancer: its rotation of lanes, the connections held for it, and the picking of a lane for each.
//! It owns no lane and decides nothing about workers.

use super::lane::{Lanes, Standing};
use super::{Deadline, Output, Settings};
use crate::ids::{BalancerId, ConnId, LaneId};
use std::collections::VecDeque;
use std::time::Instant;

/// A shared address and what it hands out next to whom.
#[derive(Clone, Debug)]
pub struct Balancer {
    id: BalancerId,
    /// The lanes that may be given a connection, each with the turn of its last one: least recent first.
    pub(super) rotation: VecDeque<(u64, LaneId)>,
    /// Counts dispatches; a lane's `turn` is one of these.
    turns: u64,
    /// Came back from a lane: go before all that was accepted.
    pub(super) returned: VecDeque<ConnId>,
    pub(super) accepted: VecDeque<ConnId>,
    /// The lane whose `Measured` the held connections wait for.
    pub(super) measuring: Option<LaneId>,
    /// What the shell takes `may_accept` to be.
    pub(super) accepting: bool,
    /// It has had a lane. One that has not is being opened just now, and is not closed for having none.
    pub(super) served: bool,
}

impl Balancer {
    pub(super) fn new(id: BalancerId) -> Self {
        Self {
            id,
            rotation: VecDeque::new(),
            turns: 0,
            returned: VecDeque::new(),
            accepted: VecDeque::new(),
            measuring: None,
            accepting: false,
            served: false,
        }
    }

    /// Its name.
    pub fn id(&self) -> BalancerId {
        self.id
    }

    /// Connections that the shell holds for it now.
    pub fn held(&self) -> usize {
        self.returned.len() + self.accepted.len()
    }

    /// Connections dispatched so far, counting again those that came back.
    pub fn dispatched(&self) -> u64 {
        self.turns
    }

    /// Lanes in rotation, the next to be given a connection first.
    pub fn rotation(&self) -> impl Iterator<Item = LaneId> + '_ {
        self.rotation.iter().map(|(_, lane)| *lane)
    }

    /// It could do something with one more connection at once. Once the cluster stops, no lane is in rotation.
    pub(super) fn has_room(&self) -> bool {
        self.held() == 0 && !self.rotation.is_empty()
    }

    /// The lane joins the rotation where its turn puts it. One that was never dispatched to (0) thus comes first, behind
    /// others like it: after n lanes have opened, the next n connections go to n lanes, and none gets two.
    pub(super) fn enter(&mut self, turn: u64, lane: LaneId) {
        let place = self.rotation.partition_point(|(other, _)| *other <= turn);
        self.rotation.insert(place, (turn, lane));
    }

    /// The turn of a lane that is to wait until all others have had theirs.
    pub(super) fn last_turn(&mut self) -> u64 {
        self.turns += 1;
        self.turns
    }

    /// The lane gets no more connections, and none waits for it to be measured.
    pub(super) fn leave(&mut self, lane: LaneId) {
        if let Some(place) = self.rotation.iter().position(|(_, other)| *other == lane) {
            self.rotation.remove(place);
        }
        if self.measuring == Some(lane) {
            self.measuring = None;
        }
    }

    /// Takes what is held, in the order in which it would be dispatched.
    pub(super) fn drain_held(&mut self) -> impl Iterator<Item = ConnId> + '_ {
        self.returned.drain(..).chain(self.accepted.drain(..))
    }

    /// Dispatches what is held as far as it goes, and tells when `may_accept` has turned true.
    /// Returns the earliest look that is due sooner than before.
    pub(super) fn pump(
        &mut self,
        now: Instant,
        settings: &Settings,
        lanes: &mut Lanes,
        outbox: &mut VecDeque<Output>,
    ) -> Option<Deadline> {
        let mut look = None;
        while self.measuring.is_none() && self.held() > 0 {
            let Some(&(_, id)) = self.rotation.front() else { break };
            let Some(lane) = lanes.get_mut(&id).filter(|lane| lane.standing == Standing::Ready) else {
                self.rotation.pop_front();
                continue;
            };
            if lane.in_flight() >= u64::from(settings.window) {
                self.measuring = Some(id);
                outbox.push_back(Output::Measure { lane: id });
                break;
            }
            let Some(conn) = self.returned.pop_front().or_else(|| self.accepted.pop_front()) else { break };
            self.turns += 1;
            lane.turn = self.turns;
            self.rotation.pop_front();
            self.rotation.push_back((self.turns, id));
            let sooner = lane.dispatch(now, conn, settings);
            look = look.into_iter().chain(sooner).min();
            outbox.push_back(Output::Dispatch { conn, lane: id });
        }
        let may_accept = self.has_room();
        if may_accept && !self.accepting {
            outbox.push_back(Output::Resume { balancer: self.id });
        }
        self.accepting = may_accept;
        look
    }
}
