//! All workers: one for each slot, and the successors that start beside those whose place they are to take.
//! It decides nothing about either.

use super::worker::Worker;
use crate::ids::WorkerId;
use std::ops::{Deref, DerefMut};

/// Reads as the slots, in their order; the successors are asked for by name.
#[derive(Debug, Default)]
pub(super) struct Workers {
    slots: Vec<Worker>,
    /// In the order in which they were made; at most one for each slot that is not on its way out.
    pub(super) successors: Vec<Worker>,
}

impl Workers {
    pub(super) fn new(slots: Vec<Worker>) -> Self {
        Self { slots, successors: Vec::new() }
    }

    /// The worker of that name: the slot's own, or a successor.
    pub(super) fn by_id(&self, id: WorkerId) -> Option<&Worker> {
        let own = self.slots.get(id.slot as usize).filter(|worker| worker.id() == id);
        own.or_else(|| self.successors.iter().find(|worker| worker.id() == id))
    }

    pub(super) fn by_id_mut(&mut self, id: WorkerId) -> Option<&mut Worker> {
        let Self { slots, successors } = self;
        let own = slots.get_mut(id.slot as usize).filter(|worker| worker.id() == id);
        own.or_else(|| successors.iter_mut().find(|worker| worker.id() == id))
    }

    /// The slots' own and the successors.
    pub(super) fn everyone(&self) -> impl Iterator<Item = &Worker> {
        self.slots.iter().chain(&self.successors)
    }

    pub(super) fn everyone_mut(&mut self) -> impl Iterator<Item = &mut Worker> {
        self.slots.iter_mut().chain(&mut self.successors)
    }

    /// The successor that is to take the slot.
    pub(super) fn successor(&self, slot: u32) -> Option<&Worker> {
        self.successors.iter().find(|worker| worker.id().slot == slot && !worker.removed)
    }

    pub(super) fn take_successor(&mut self, id: WorkerId) -> Option<Worker> {
        let place = self.successors.iter().position(|worker| worker.id() == id)?;
        Some(self.successors.remove(place))
    }

    pub(super) fn push(&mut self, worker: Worker) {
        self.slots.push(worker);
    }

    pub(super) fn pop_if(&mut self, predicate: impl FnOnce(&mut Worker) -> bool) -> Option<Worker> {
        self.slots.pop_if(predicate)
    }
}

impl Deref for Workers {
    type Target = [Worker];

    fn deref(&self) -> &[Worker] {
        &self.slots
    }
}

impl DerefMut for Workers {
    fn deref_mut(&mut self) -> &mut [Worker] {
        &mut self.slots
    }
}
