//! Which connections of a booting worker to its own cluster were refused, and what came of it. Plain data.

use crate::ids::{BalancerId, WorkerId};
use std::collections::{BTreeMap, BTreeSet};

/// Who was refused, and what came of it.
#[derive(Clone, Debug, Default)]
pub(super) struct Refusals {
    /// How often, until the worker listens there.
    pub(super) counts: BTreeMap<(WorkerId, BalancerId), u32>,
    /// Slots whose last process was refused and ended without having listened there: that did not help it.
    pub(super) spared: BTreeSet<u32>,
}

impl Refusals {
    /// The worker listens there: it did test its own address.
    pub(super) fn listened(&mut self, worker: WorkerId, balancer: BalancerId) {
        self.counts.remove(&(worker, balancer));
    }

    /// The process is gone. `served` if it has listened anywhere.
    pub(super) fn ended(&mut self, worker: WorkerId, served: bool) {
        let before = self.counts.len();
        self.counts.retain(|(other, _), _| *other != worker);
        if self.counts.len() < before {
            self.spared.insert(worker.slot);
        } else if !served {
            // Being spared did not help either.
            self.spared.remove(&worker.slot);
        }
    }
}
