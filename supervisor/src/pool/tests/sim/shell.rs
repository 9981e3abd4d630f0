//! The simulated shell: carries out orders on lanes made of queues, and answers at once or later.

use super::{Fate, Record, Sim, SimLane};
use crate::ids::{BalancerId, ConnId, LaneId, WorkerId};
use crate::pool::{Exit, Input, Output, Signal};

impl Sim {
    pub(in crate::pool) fn drain(&mut self) {
        for _ in 0..100_000 {
            let Some(output) = self.pool.poll_output() else {
                let held = self.conns.values().filter(|fate| **fate == Fate::Held).count();
                assert_eq!(self.pool.held(), held, "the core does not hold what it was given");
                if self.tell_quiet() || self.look_at_queues() {
                    continue;
                }
                return self.accept();
            };
            match output {
                Output::Note(note) => self.notes.push(note),
                Output::Changed(change) => self.changes.push(change),
                order => {
                    self.orders.push(order.clone());
                    self.carry_out(order);
                }
            }
        }
        panic!("the core and the shell keep each other busy: {:?}", &self.orders[self.orders.len() - 9..]);
    }

    /// Takes connections out of kernel queues, like the shell: while it may, and again after `Resume`.
    pub(in crate::pool) fn accept(&mut self) {
        let ids: Vec<_> = self.kernel.keys().copied().collect();
        for balancer in ids {
            let may = self.pool.may_accept(balancer);
            let Some(listener) = self.kernel.get_mut(&balancer) else { continue };
            listener.accepting &= may;
            if !listener.accepting || !listener.sound {
                continue;
            }
            let Some(source) = listener.queue.pop_front() else {
                if std::mem::take(&mut listener.closing) {
                    return self.input(Input::Emptied { balancer });
                }
                continue;
            };
            let conn = ConnId(self.id().into());
            self.conns.insert(conn, Fate::Held);
            self.sources.insert(conn, source);
            return self.input(Input::Accepted { conn, balancer, source });
        }
    }

    /// Tells of one that drains and has nothing left. True if there was one.
    fn tell_quiet(&mut self) -> bool {
        let quiet = |worker: &&WorkerId| self.open_connections(**worker) == 0;
        let Some(worker) = self.draining.iter().find(quiet).copied() else { return false };
        self.draining.remove(&worker);
        self.answer(Input::Quiet { worker });
        true
    }

    fn carry_out(&mut self, output: Output) {
        match output {
            Output::Spawn { worker, version } => {
                self.versions.insert(worker, version);
                self.alive.insert(worker);
                let pid = self.id();
                self.answer(Input::Spawned { worker, pid });
            }
            Output::Prepare { ticket, .. } => self.answer(match self.fit {
                true => Input::Prepared { ticket },
                false => Input::Unfit { ticket, error: "there is no such program".to_owned() },
            }),
            Output::AskGate { gate } => self.answer(match self.allows {
                true => Input::Allowed { gate },
                false => Input::Denied { gate, error: "the migration failed".to_owned() },
            }),
            Output::DropGate { .. } => {}
            Output::Reloaded { ticket, reloaded } => self.reloads.push((ticket, reloaded)),
            Output::Drain { worker } => {
                self.draining.insert(worker);
            }
            Output::StopIntake { balancer } => {
                if let Some(listener) = self.kernel.get_mut(&balancer) {
                    listener.closing = true;
                    listener.accepting = true;
                }
            }
            Output::Dispatch { conn, lane } => self.dispatch(conn, lane),
            Output::Grant { lane } => self.grant(lane),
            Output::Open { lane } => self.open_credit(lane),
            Output::Wake { lane } => {
                if let Some(lane) = self.lanes.get_mut(&lane) {
                    lane.woken = true;
                }
            }
            Output::Pace { lane, one_each } => {
                if let Some(lane) = self.lanes.get_mut(&lane) {
                    lane.one_each = one_each;
                }
            }
            Output::TakeFor { lane } => self.take_for(lane),
            Output::LookAtQueue { balancer } => {
                self.to_look_at.insert(balancer);
            }
            Output::Steer { balancer } => {
                // Who is live is read from the rotation.
                self.steered.insert(balancer);
            }
            Output::Refuse { conn } => self.moved(conn, Fate::Held, Fate::Refused),
            Output::Measure { lane } => self.count(lane),
            Output::Watch { lane } => {
                let Some(watched) = self.lanes.get_mut(&lane) else { return };
                watched.watched = true;
                let waits = !watched.away && watched.queue.is_empty();
                let told = if watched.one_by_one { waits } else { watched.read };
                if told {
                    watched.watched = false;
                    self.count(lane);
                }
            }
            Output::Look { lane } => {
                let looked = self.lanes.get(&lane).map(|lane| (lane.waiting(), lane.held));
                let (waiting, held) = looked.unwrap_or((0, false));
                self.answer(Input::Looked { lane, waiting, held });
            }
            Output::TakeBack { lane } => {
                if let Some(lane) = self.lanes.get_mut(&lane) {
                    (lane.open, lane.direct) = (false, false);
                }
                // As the shell does: who had nothing to lose has nothing to be told.
                let is_told = |lane: &SimLane| !(lane.queue.is_empty() || lane.credit && self.may_open);
                let waits = self.lanes.get(&lane).is_some_and(is_told);
                self.empty(lane);
                if let Some(lane) = self.lanes.get_mut(&lane).filter(|_| waits) {
                    lane.queue.push_back(Record::Void);
                }
            }
            Output::Vacate { lane } => {
                self.empty(lane);
                if let Some(lane) = self.lanes.get_mut(&lane) {
                    lane.open = false;
                    lane.queue.push_back(Record::Void);
                }
            }
            Output::Retire { lane } => {
                self.empty(lane);
                self.lanes.remove(&lane);
                self.retired.insert(lane);
            }
            Output::Resume { balancer } => {
                if let Some(listener) = self.kernel.get_mut(&balancer) {
                    listener.accepting = true;
                }
            }
            Output::Reopen { balancer } => {
                let Some(listener) = self.kernel.get_mut(&balancer) else { return };
                listener.sound = self.reopens;
                self.answer(match self.reopens {
                    true => Input::BalancerReopened { balancer, anew: self.by_credit },
                    false => Input::BalancerFailed { balancer, error: "it is still broken".to_owned() },
                });
            }
            Output::Count { worker } => {
                let open = self.open_connections(worker) + self.rights(worker);
                self.answer(Input::OpenConnections { worker, open });
            }
            Output::LookAtBoot { worker } => {
                let activity = self.activity;
                self.answer(Input::Booting { worker, activity });
            }
            Output::MeasureMemory { worker } => {
                let bytes = self.proportional;
                self.answer(Input::MemoryMeasured { worker, bytes });
            }
            Output::Examine { worker } => {
                let (finding, evidence) = (self.finding, "what it was doing".to_owned());
                self.answer(Input::Examined { worker, finding, evidence });
            }
            Output::ExamineHolder { lane } => {
                let (finding, evidence) = (self.finding, "what it was doing".to_owned());
                self.answer(Input::HolderExamined { lane, finding, evidence });
            }
            Output::EndHolder { lane } => {
                if let Some(lane) = self.lanes.get_mut(&lane) {
                    lane.held = false;
                }
            }
            Output::CloseBalancer { balancer } => {
                self.kernel.remove(&balancer);
            }
            Output::Signal { worker, signal } => {
                self.draining.remove(&worker);
                match signal {
                    Signal::Kill | Signal::Abort => self.end(worker, Exit::Code(1)),
                    Signal::Stop if self.polite => self.end(worker, Exit::Code(0)),
                    // What these do is for the test to say.
                    Signal::Stop | Signal::HangUp | Signal::Debug | Signal::Number(_) => {}
                }
            }
            Output::Note(_) | Output::Changed(_) => {}
            Output::Done(outcome) => {
                assert_eq!(self.done.replace(outcome), None, "done twice");
            }
        }
    }

    fn dispatch(&mut self, conn: ConnId, id: LaneId) {
        assert!(!self.retired.contains(&id), "{conn:?} was dispatched to {id:?}, which is closed");
        // Where threads take singles there may be more of them than the window allows; the buffer is that of four windows.
        let buffer = 4 * self.window() as usize;
        let fits = |lane: &&mut SimLane| {
            lane.queue.len() < if lane.credit { self.capacity.max(buffer) } else { self.capacity }
        };
        match self.lanes.get_mut(&id).filter(fits) {
            Some(lane) => {
                lane.queue.push_back(Record::Conn(conn));
                self.moved(conn, Fate::Held, Fate::InLane(id));
            }
            None => {
                let balancer = self.pool.lane(id).map(|lane| lane.balancer());
                self.moved(conn, Fate::Held, Fate::Coming);
                let is_known = self.lanes.contains_key(&id);
                self.answer(if is_known {
                    Input::NoRoom { lane: id }
                } else {
                    Input::LaneClosed { lane: id }
                });
                // A lane that was made up, and whose end was told since the order was given.
                let balancer = balancer.unwrap_or(BalancerId(0));
                let source = self.source(conn);
                self.answer(Input::Returned { conn, balancer, source });
            }
        }
    }

    pub(in crate::pool) fn source(&self, conn: ConnId) -> u64 {
        self.sources.get(&conn).copied().unwrap_or(0)
    }

    fn window(&self) -> u32 {
        self.pool.settings().balancing.window()
    }

    pub(in crate::pool) fn count(&mut self, id: LaneId) {
        let Some(lane) = self.lanes.get_mut(&id) else { return self.answer(Input::LaneClosed { lane: id }) };
        lane.read = false;
        let waiting = lane.waiting() + u32::from(lane.away);
        self.answer(Input::Measured { lane: id, waiting });
    }

    /// What waits in the lane comes back.
    fn empty(&mut self, id: LaneId) {
        let Some(lane) = self.lanes.get_mut(&id) else { return };
        let (balancer, queue) = (lane.balancer, std::mem::take(&mut lane.queue));
        lane.singles.revoked += queue.iter().filter(|record| **record == Record::Single).count() as u64;
        for record in queue {
            if let Record::Conn(conn) = record {
                self.moved(conn, Fate::InLane(id), Fate::Coming);
                let source = self.source(conn);
                self.answer(Input::Returned { conn, balancer, source });
            }
        }
    }

    /// The process ends. That it has is told even of one that never was, as by a signal to nobody.
    pub(in crate::pool) fn end(&mut self, worker: WorkerId, exit: Exit) {
        self.alive.remove(&worker);
        self.draining.remove(&worker);
        for lane in self.lanes.values_mut().filter(|lane| lane.worker == worker) {
            lane.held = false;
        }
        self.answer(Input::Exited { worker, exit });
    }

    fn answer(&mut self, input: Input) {
        if self.prompt { self.tell(input) } else { self.pending.push_back(input) }
    }

    pub(in crate::pool) fn tell(&mut self, input: Input) {
        if let Input::Returned { conn, .. } = input {
            self.moved(conn, Fate::Coming, Fate::Held);
        }
        self.pool.handle(self.now, input);
    }

    fn moved(&mut self, conn: ConnId, from: Fate, to: Fate) {
        let fate = self.conns.insert(conn, to);
        assert_eq!(fate, Some(from), "{conn:?} became {to:?}");
    }
}
