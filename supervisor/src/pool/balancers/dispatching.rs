//! Gives out what waits at a balancer, one connection or credit at a time, for as long as there is a lane with room. It looks into no lane:
//! where one may be full it has it measured.

use super::balancer::{Balancer, Place, Pumped};
use super::covered::is_coming;
use crate::pool::lanes::lane::Lanes;
use crate::pool::workers::processes::Processes;
use crate::pool::{Output, Policy, Settings};
use std::collections::VecDeque;
use std::time::Instant;

impl Balancer {
    /// Dispatches what is held as far as it goes, and tells when `may_accept` has turned true.
    pub(in crate::pool) fn pump(
        &mut self,
        now: Instant,
        settings: &Settings,
        lanes: &mut Lanes,
        processes: &mut Processes,
        outbox: &mut VecDeque<Output>,
    ) -> Pumped {
        let mut look = None;
        let mut spent = false;
        while self.measuring.is_none()
            && let Some((conn, source)) = self.next_up()
            && let Some(place) = self.pick(source, settings.balancing.policy, processes)
        {
            if conn.is_none()
                && settings.balancing.policy == Policy::LeastConnections
                && self.is_fewer_coming(now, place, lanes, processes)
            {
                self.forget_queue();
                continue;
            }
            let Some(&given) = self.rotation.get(place) else { break };
            let Place { lane: id, worker, .. } = given;
            let Some(lane) = lanes.get_mut(&id).filter(|lane| lane.is_ready()) else {
                self.rotation.remove(place);
                continue;
            };
            if lane.may_be_full(settings) {
                self.measuring = Some(id);
                outbox.push_back(Output::Measure { lane: id });
                break;
            }
            let by_credit = conn.is_none() && lane.credit;
            match conn {
                Some(_) if self.returned.pop_front().is_some() => {}
                Some(_) => drop(self.accepted.pop_front()),
                None => self.queue.queued -= 1,
            }
            lane.turn = self.last_turn();
            self.rotation.remove(place);
            self.rotation.push_back(Place { turn: lane.turn, lane: id, worker });
            let sooner = match conn {
                Some(conn) => lane.dispatch(now, conn, settings),
                None => lane.grant(now, settings),
            };
            look = look.into_iter().chain(sooner).min();
            outbox.push_back(match conn {
                Some(conn) => Output::Dispatch { conn, lane: id },
                None if by_credit => Output::Grant { lane: id },
                None => Output::TakeFor { lane: id },
            });
            self.note_missed(given, source, settings, lanes, processes);
            if !by_credit {
                self.dispatched += 1;
            }
            if let Some(process) = processes.active_mut(worker) {
                process.load.add(1);
                if !by_credit {
                    process.load.took(1);
                }
                spent |= process.recycle.is_spent(process.load.dispatched());
                if process.load.is_full(settings) {
                    return Pumped { look, at_limit: Some(worker), spent };
                }
            }
        }
        self.tell_room(outbox);
        Pumped { look, at_limit: None, spent }
    }

    /// Somebody who has fewer connections than the one at this place is about to take one, and may take the next as well.
    fn is_fewer_coming(&self, now: Instant, place: usize, lanes: &Lanes, processes: &Processes) -> bool {
        let open = |worker| processes.active(worker).map_or(u64::MAX, |process| process.load.open());
        let least = self.rotation.get(place).map_or(0, |place| open(place.worker));
        let mut own = lanes.values().filter(|lane| lane.balancer() == self.id);
        own.any(|lane| is_coming(now, lane) && open(lane.worker()) < least)
    }
}
