//! What can be read of the pool without changing it: workers, lanes, balancers and counts of them.

use super::pool::Pool;
use super::{Balancer, Lane, Phase, Settings, State, Stop, Worker};
#[cfg(test)]
use super::{BalancerState, Timer};
use crate::ids::{BalancerId, LaneId, WorkerId};
#[cfg(test)]
use std::time::Instant;

impl Pool {
    /// Where the cluster is in its life.
    pub(crate) fn phase(&self) -> Phase {
        self.phase
    }

    /// What it was told, with what must be at least 1 raised to 1.
    pub(crate) fn settings(&self) -> &Settings {
        &self.settings
    }

    /// All workers, by slot. Those that were scaled away are at the end until they are gone.
    pub(crate) fn workers(&self) -> impl Iterator<Item = Worker<'_>> {
        self.slots.iter().zip(self.processes.currents()).map(|(slot, process)| Worker::new(slot, process))
    }

    /// The worker of this slot.
    #[cfg(test)]
    pub(crate) fn worker_in(&self, slot: u32) -> Option<Worker<'_>> {
        Some(Worker::new(self.slots.get(slot as usize)?, self.processes.current(slot)?))
    }

    /// The worker of that name: its slot's own, or one that is to take the place of that.
    pub(crate) fn worker(&self, id: WorkerId) -> Option<Worker<'_>> {
        Some(Worker::new(self.slots.get(id.slot as usize)?, self.processes.active(id)?))
    }

    /// Those that start beside the worker whose slot they are to take.
    pub(crate) fn successors(&self) -> impl Iterator<Item = Worker<'_>> {
        self.processes.successors().filter_map(|process| self.worker(process.id()))
    }

    /// Processes that retire beside those that took their place, oldest first, and how they stop.
    pub(crate) fn retiring(&self) -> impl Iterator<Item = (WorkerId, Stop)> {
        self.processes.retiring().filter_map(|process| Some((process.id(), process.stop()?)))
    }

    /// The worker is a suspect: out of rotation for its lag, or somewhere because nothing is taken from a lane.
    pub(crate) fn is_suspect(&self, worker: WorkerId) -> bool {
        self.processes.active(worker).is_some_and(|worker| self.is_out(worker))
    }

    /// Since when the worker has lagged too long, or taken nothing from a lane, if it is a suspect.
    #[cfg(test)]
    pub(crate) fn suspect_since(&self, worker: WorkerId) -> Option<Instant> {
        let known = self.processes.active(worker).filter(|worker| self.is_out(worker))?;
        let its = self.lanes.values().filter(|lane| lane.worker() == worker);
        its.filter_map(Lane::stuck_since).chain(known.health.suspect_since()).min()
    }

    /// How many workers there are to be; more may exist until those that were scaled away are gone.
    pub(crate) fn wanted_workers(&self) -> u32 {
        self.settings.workers
    }

    /// All lanes, oldest first.
    pub(crate) fn lanes(&self) -> impl Iterator<Item = (LaneId, &Lane)> {
        self.lanes.iter().map(|(id, lane)| (*id, lane))
    }

    /// The lane, while it is open.
    pub(crate) fn lane(&self, id: LaneId) -> Option<&Lane> {
        self.lanes.get(&id)
    }

    /// The balancers, oldest first.
    #[cfg(test)]
    pub(crate) fn balancers(&self) -> impl Iterator<Item = &Balancer> {
        self.balancers.values()
    }

    /// The balancer, until it is closed.
    pub(crate) fn balancer(&self, id: BalancerId) -> Option<&Balancer> {
        self.balancers.get(&id)
    }

    /// The next deadline and what it is for.
    #[cfg(test)]
    pub(crate) fn next_timer(&self) -> Option<(Instant, Timer)> {
        self.deadlines.next()
    }

    /// Connections that the shell holds, over all balancers.
    #[cfg(test)]
    pub(crate) fn held(&self) -> usize {
        self.balancers.values().map(Balancer::held).sum()
    }

    /// Slots, whatever their state.
    pub(crate) fn count_workers(&self) -> usize {
        self.slots.len()
    }

    /// Workers that are ready, or have had their time to be.
    pub(crate) fn count_running_workers(&self) -> usize {
        self.processes.currents().filter(|process| matches!(process.state(), State::Running { .. })).count()
    }

    /// Workers that are not in standby.
    #[cfg(test)]
    pub(crate) fn count_active_workers(&self) -> usize {
        self.processes.currents().filter(|process| process.is_live()).count()
    }

    /// Balancers whose socket listens, in a cluster that is not stopping.
    #[cfg(test)]
    pub(crate) fn count_running_load_balancers(&self) -> usize {
        self.balancers().filter(|balancer| balancer.state() == BalancerState::Running).count()
    }

    /// Balancers that are not in standby.
    #[cfg(test)]
    pub(crate) fn count_active_load_balancers(&self) -> usize {
        let standby = |state| matches!(state, BalancerState::Standby { .. });
        self.balancers().filter(|balancer| !standby(balancer.state())).count()
    }
}
