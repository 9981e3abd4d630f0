//! The simulated shell's part in credits, and what simulated workers do with them: they accept from the kernel's queue, and
//! never without a right to.

use super::{Fate, Record, Sim, SimLane};
use crate::ids::{BalancerId, ConnId, LaneId, WorkerId};
use crate::pool::Input;

impl SimLane {
    /// What it holds that may be taken, or is void: the record of an open credit is none of it.
    pub(in crate::pool) fn waiting(&self) -> u32 {
        self.queue.iter().filter(|record| **record != Record::Open).count() as u32
    }
}

impl Sim {
    pub(in crate::pool) fn grant(&mut self, id: LaneId) {
        assert!(!self.retired.contains(&id), "a credit was given to {id:?}, which is closed");
        if let Some(lane) = self.lanes.get_mut(&id) {
            assert!(lane.credit, "{id:?} takes no credit");
            lane.queue.push_back(Record::Single);
            lane.singles.granted += 1;
        }
    }

    pub(in crate::pool) fn open_credit(&mut self, id: LaneId) {
        if let Some(lane) = self.lanes.get_mut(&id) {
            assert!(lane.credit && !lane.open, "{id:?} is open already, or takes no credit");
            lane.open = true;
            lane.queue.push_back(Record::Open);
        }
    }

    /// Accepts one for a lane that takes no credit.
    pub(in crate::pool) fn take_for(&mut self, id: LaneId) {
        let Some(balancer) = self.lanes.get(&id).map(|lane| lane.balancer) else { return };
        let source = self.kernel.get_mut(&balancer).and_then(|listener| listener.queue.pop_front());
        match source {
            Some(source) => {
                let conn = ConnId(self.id().into());
                self.conns.insert(conn, Fate::InLane(id));
                self.sources.insert(conn, source);
                if let Some(lane) = self.lanes.get_mut(&id) {
                    lane.queue.push_back(Record::Conn(conn));
                }
            }
            None => self.tell(Input::NoneTaken { lane: id }),
        }
    }

    /// Looks at the queues that are to be looked at. True if there were any.
    pub(in crate::pool) fn look_at_queues(&mut self) -> bool {
        let mut any = false;
        while let Some(balancer) = self.to_look_at.pop_first() {
            if !self.pool.wants_queue(balancer) || !self.kernel.contains_key(&balancer) {
                continue;
            }
            any = true;
            let lanes: Vec<LaneId> = self.lanes.keys().copied().collect();
            for lane in lanes {
                let Some(own) = self.lanes.get_mut(&lane).filter(|lane| lane.balancer == balancer) else {
                    continue;
                };
                if own.open && own.direct {
                    let empty = std::mem::take(&mut own.empty);
                    self.tell(Input::Direct { lane, empty });
                }
                self.count(lane);
            }
            let waiting = self.queued(balancer) as u32;
            self.tell(Input::Queued { balancer, waiting });
        }
        any
    }

    /// Looks at every queue, unasked.
    pub(in crate::pool) fn look_at_all_queues(&mut self) {
        self.to_look_at.extend(self.kernel.keys().copied());
        self.drain();
    }

    /// The process that holds the lane accepts by itself from now on, or no longer.
    pub(in crate::pool) fn takes_credit(&mut self, id: LaneId, on: bool) {
        let by_credit = self.by_credit;
        let Some(lane) = self.lanes.get_mut(&id).filter(|_| by_credit) else { return };
        lane.credit = on;
        self.tell(Input::TakesCredit { lane: id, on });
        self.drain();
    }

    /// The lane's process has found that it has no descriptor left: what it was about to accept by goes back.
    pub(in crate::pool) fn exhaust(&mut self, id: LaneId) {
        let Some(lane) = self.lanes.get_mut(&id).filter(|lane| lane.credit) else { return };
        if let Some(place) = lane.queue.iter().position(|record| *record == Record::Single) {
            lane.queue.remove(place);
            lane.singles.used += 1;
        }
        self.tell(Input::Exhausted { lane: id });
        self.ring(id);
    }

    /// The lane's open credit is found not to have moved.
    pub(in crate::pool) fn stall(&mut self, id: LaneId) {
        let waits = |lane: &SimLane| self.kernel.get(&lane.balancer).is_some_and(|it| !it.queue.is_empty());
        let stalls = |lane: &&SimLane| lane.open && waits(lane);
        if self.lanes.get(&id).filter(stalls).is_some() {
            self.tell(Input::Stalled { lane: id });
            self.drain();
        }
    }

    /// The worker cannot wait at the queue itself any longer: it shuts its open credit, and sends word.
    pub(in crate::pool) fn shut_by_the_program(&mut self, id: LaneId) {
        if let Some(lane) = self.lanes.get_mut(&id) {
            (lane.open, lane.direct) = (false, false);
        }
        self.tell(Input::Shut { lane: id });
        self.ring(id);
    }

    /// Unused singles of the worker.
    pub(in crate::pool) fn rights(&self, worker: WorkerId) -> u64 {
        let its = self.lanes.values().filter(|lane| lane.worker == worker);
        let records = its.flat_map(|lane| &lane.queue);
        records.filter(|record| **record == Record::Single).count() as u64
    }

    /// The worker sends word of what it has used or shut.
    pub(in crate::pool) fn ring(&mut self, id: LaneId) {
        if let Some(lane) = self.lanes.get(&id) {
            self.to_look_at.insert(lane.balancer);
        }
        self.drain();
    }

    /// An accept while a credit is open; `None` if none is.
    pub(in crate::pool) fn accept_by_open(&mut self, id: LaneId) -> Option<Option<Record>> {
        let lane = self.lanes.get(&id).filter(|lane| lane.open)?;
        let balancer = lane.balancer;
        if let Some(record) = self.accept_for(id, balancer) {
            return Some(Some(record));
        }
        let direct = self.direct;
        let lane = self.lanes.get_mut(&id)?;
        (lane.open, lane.direct, lane.woken) = (direct, direct, false);
        lane.empty += u32::from(direct);
        if let Some(place) = lane.queue.iter().position(|record| *record == Record::Open) {
            lane.queue.remove(place);
        }
        if !direct {
            self.tell(Input::Shut { lane: id });
            self.ring(id);
        }
        Some(None)
    }

    pub(in crate::pool) fn accept_by_single(&mut self, id: LaneId) -> Option<Record> {
        let balancer = self.lanes.get(&id)?.balancer;
        self.accept_for(id, balancer)
    }

    fn accept_for(&mut self, id: LaneId, balancer: BalancerId) -> Option<Record> {
        let source = self.kernel.get_mut(&balancer)?.queue.pop_front()?;
        let conn = ConnId(self.id().into());
        let worker = self.lanes.get(&id)?.worker;
        self.conns.insert(conn, Fate::TakenBy(worker));
        self.sources.insert(conn, source);
        self.tell(Input::Took { lane: id, count: 1 });
        Some(Record::Conn(conn))
    }
}
