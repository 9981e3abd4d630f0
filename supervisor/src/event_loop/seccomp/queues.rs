//! How workers do that have no pulse page: for how long somebody has waited at a port, in the queue that they share or at any of their
//! sockets, and whether they are stopped. It looks; the core judges.

use super::super::Shell;
use super::super::os::Os;
use crate::ids::{BalancerId, WorkerId};
use crate::io::sockets::unaccepted::longest_wait;
use crate::pool::Input;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// For how long the one that has waited longest has waited, by balancer; none where nobody waits.
pub(in crate::event_loop) type Ages = BTreeMap<BalancerId, Duration>;

/// Queues in which somebody waited at the last look.
#[derive(Debug, Default)]
pub(in crate::event_loop) struct Queues(BTreeSet<BalancerId>);

impl<O: Os> Shell<O> {
    /// Looks at the queues. Where nobody waited at the look before this one nobody can have waited for long.
    pub(in crate::event_loop) fn look_at_kernel_queues(&mut self) -> Ages {
        let (mut ages, mut waiting, mut told) = (Ages::new(), BTreeSet::new(), Vec::new());
        for (&id, listener) in self.listeners.all.iter().filter(|(_, listener)| listener.by_kernel) {
            let count = self.os.queue_length(listener).unwrap_or(0);
            told.push(Input::Queued { balancer: id, waiting: count });
            if count == 0 {
                continue;
            }
            waiting.insert(id);
            if let Some(port) = listener.address.port().filter(|_| self.queues.0.contains(&id)) {
                ages.insert(id, longest_wait(port));
            }
        }
        self.queues.0 = waiting;
        told.into_iter().for_each(|input| self.input(input));
        ages
    }

    /// For how long the worker has taken nothing, as far as that shows without its pulse: of a shared queue that is so of all.
    pub(in crate::event_loop) fn lag_without_pulse(&self, worker: WorkerId, ages: &Ages) -> Duration {
        let Some(life) = self.lives.get(worker).filter(|life| life.has_filter) else { return Duration::ZERO };
        let own = self.lanes.all.values().filter(|lane| lane.worker == worker);
        let waited = own.filter_map(|lane| ages.get(&lane.balancer)).max().copied().unwrap_or_default();
        waited.max(life.suspended.lasts(self.now).unwrap_or_default())
    }
}
