//! The simulator's clock: it goes to deadlines, past them, or jumps. No time passes by itself.

use super::Sim;
use crate::pool::{Input, State, Worker};
use std::time::Duration;

impl Sim {
    /// Moves the clock to the next deadline and does what is due; false when nothing is waited for.
    pub(in crate::pool) fn step(&mut self) -> bool {
        let Some(at) = self.pool.next_deadline() else { return false };
        self.now = self.now.max(at);
        self.timeout();
        true
    }

    /// Whoever is starting is ready: no start takes for ever.
    pub(in crate::pool) fn all_ready(&mut self) {
        let starting = |worker: &Worker<'_>| matches!(worker.state(), State::Starting { .. });
        let workers: Vec<_> =
            self.pool.workers().filter(|worker| starting(worker)).map(|worker| worker.id()).collect();
        workers.into_iter().for_each(|worker| self.input(Input::Ready { worker }));
    }

    /// Steps until nothing is waited for; a core that never comes to that fails instead of hanging.
    pub(in crate::pool) fn drive_bounded(&mut self) {
        assert!((0..200).any(|_| !self.step()), "still waiting for {:?}", self.pool.next_timer());
    }

    /// Lets the time pass, with every deadline on the way met exactly.
    pub(in crate::pool) fn advance(&mut self, by: Duration) {
        let end = self.now + by;
        for _ in 0..10_000 {
            if self.pool.next_deadline().is_none_or(|at| at > end) {
                self.now = end;
                return;
            }
            self.step();
        }
        panic!("ten thousand deadlines within {by:?}");
    }

    /// The clock jumps, as for a supervisor that did not get to run.
    pub(in crate::pool) fn jump(&mut self, by: Duration) {
        self.now += by;
        self.timeout();
    }

    fn timeout(&mut self) {
        self.pool.handle_timeout(self.now);
        assert!(
            self.pool.next_deadline().is_none_or(|at| at > self.now),
            "a deadline that has come was kept"
        );
        self.drain();
    }
}
