//! Connections that are taken from a worker which drains and given to others: begun, and what has come of it told to the
//! core. How they are taken is for `io/drain/handover` to know, who gets them for the core.

use super::super::Shell;
use super::super::connections::giving::source_of;
use super::super::os::Os;
use crate::ids::{BalancerId, WorkerId};
use crate::io::drain::handover::{Handover, Left, Moved, Taken};
use crate::io::drain::idle_detector::Watched;
use crate::io::sockets::listener::Connection;
use crate::pool::Input;
use clustermon_protocol::address::Address;

impl<O: Os> Shell<O> {
    /// Where no move is to be had, the worker drains like any other. When all stop, nobody is left to be given anything.
    pub(super) fn begin_moving(&mut self, watched: Watched) {
        if self.stop_requests.any() {
            return self.idle_detector.watch(watched);
        }
        let worker = watched.worker;
        match Handover::start(watched, self.config.settings.stop.drain_timeout(), self.waker.clone()) {
            Ok(moving) => {
                if let Some(life) = self.lives.get_mut(worker) {
                    life.moving = Some(moving);
                }
            }
            Err(error) => self.cannot_move(worker, &error.to_string()),
        }
    }

    fn cannot_move(&mut self, worker: WorkerId, why: &str) {
        self.warn_of_move(worker, why);
        let watched = self.watched(worker);
        self.idle_detector.watch(watched);
    }

    fn warn_of_move(&self, worker: WorkerId, why: &str) {
        log::warn!("worker {}: its connections cannot be moved: {why}", self.logical_id(worker));
    }

    /// Takes in what has come of moves.
    pub(in crate::event_loop) fn on_moved(&mut self) {
        let outcomes = self.lives.iter().filter_map(|(worker, life)| {
            let outcome = life.moving.as_ref()?.outcome()?;
            Some((worker, outcome))
        });
        for (worker, outcome) in outcomes.collect::<Vec<_>>() {
            if let Some(life) = self.lives.get_mut(worker) {
                life.moving = None;
            }
            match outcome {
                Ok(moved) => {
                    self.give_on(worker, moved);
                    self.carry_out();
                }
                // It may have others, which cannot be taken.
                Err(left) if left.connections == 0 && left.effort.stops == 0 => {
                    let watched = self.watched(worker);
                    self.idle_detector.watch(watched);
                }
                Err(left) => self.cannot_move(worker, &describe(&left)),
            }
        }
    }

    /// The worker is gone, or is about to be told to stop. It may be gone because its connections were taken.
    pub(super) fn end_move(&mut self, worker: WorkerId) {
        let Some(moving) = self.lives.get_mut(worker).and_then(|life| life.moving.take()) else { return };
        match moving.end() {
            Some(Ok(moved)) => self.give_on(worker, moved),
            Some(Err(left)) if left.connections > 0 => self.warn_of_move(worker, &describe(&left)),
            Some(Err(_)) | None => {}
        }
    }

    /// They go to others as if they had just come. Their worker has been killed, which is told when it is seen.
    fn give_on(&mut self, worker: WorkerId, moved: Moved) {
        let Moved { taken, effort } = moved;
        let id = self.logical_id(worker);
        log::info!("worker {id}: {} connections go to others ({effort})", taken.len());
        for Taken { fd, local, peer, nonblock } in taken {
            let Some(balancer) = self.balancer_of(&local) else {
                log::warn!("a connection to {local} is closed: nobody serves it any more");
                continue;
            };
            let source = source_of(&peer);
            let conn = self.connections.pending.insert(Connection { fd, peer, nonblock, balancer });
            self.pool.handle(self.now, Input::Returned { conn, balancer, source });
        }
    }

    /// Whose connections have this local address: one that listens there, else one that listens on all of its kind.
    fn balancer_of(&self, local: &Address) -> Option<BalancerId> {
        let exact = self.listeners.all.values().find(|listener| listener.address == *local);
        let covers = |address: &Address| {
            address.is_wildcard() && address.family() == local.family() && address.port() == local.port()
        };
        let found = exact.or_else(|| self.listeners.all.values().find(|listener| covers(&listener.address)));
        found.map(|listener| listener.id)
    }
}

fn describe(left: &Left) -> String {
    format!("{} are open: {} ({})", left.connections, left.why, left.effort)
}
