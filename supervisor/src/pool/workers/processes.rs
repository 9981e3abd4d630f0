//! All processes of the cluster, by name and by the part that they play. It decides nothing about any of them.

use super::process::{Process, Role};
use crate::ids::WorkerId;

/// The current process of each slot first, in the order of the slots; then successors, in the order in which they were made; then
/// those that retire, oldest first. There are few of the latter two.
#[derive(Debug, Default)]
pub(in crate::pool) struct Processes {
    list: Vec<Process>,
}

/// Where a process is in the list, until one is added, removed or promoted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::pool) struct Place(usize);

impl Processes {
    /// Those that stand for so many slots of a cluster that has not been started.
    pub(in crate::pool) fn unstarted(slots: u32) -> Self {
        let id = |slot| WorkerId { slot, incarnation: 0 };
        Self { list: (0..slots).map(|slot| Process::new(id(slot), Role::Current, 0)).collect() }
    }

    pub(in crate::pool) fn at(&self, place: Place) -> Option<&Process> {
        self.list.get(place.0)
    }

    pub(in crate::pool) fn at_mut(&mut self, place: Place) -> Option<&mut Process> {
        self.list.get_mut(place.0)
    }

    /// Where the process of that name is, whichever part it plays. What stands for a slot in standby may have the name of a process
    /// that has yet to end: then it is that one.
    pub(in crate::pool) fn find(&self, id: WorkerId) -> Option<Place> {
        let own = self.place_of_current(id.slot).filter(|place| self.list[place.0].id() == id);
        if own.is_some_and(|place| self.list[place.0].is_live()) {
            return own;
        }
        self.find_after_currents(id, |_| true).or(own)
    }

    /// Where the slot's own process of that name is, or the successor.
    pub(in crate::pool) fn find_active(&self, id: WorkerId) -> Option<Place> {
        let own = self.place_of_current(id.slot).filter(|place| self.list[place.0].id() == id);
        own.or_else(|| self.find_after_currents(id, Process::is_successor))
    }

    pub(in crate::pool) fn find_retiring(&self, id: WorkerId) -> Option<Place> {
        self.find_after_currents(id, Process::is_retiring)
    }

    fn find_after_currents(&self, id: WorkerId, which: impl Fn(&Process) -> bool) -> Option<Place> {
        let is_it = |process: &Process| !process.is_current() && process.id() == id && which(process);
        // From the end, because the current ones are many.
        let others = self.list.iter().enumerate().rev().take_while(|(_, process)| !process.is_current());
        others.filter(|(_, process)| is_it(process)).last().map(|(place, _)| Place(place))
    }

    pub(in crate::pool) fn place_of_current(&self, slot: u32) -> Option<Place> {
        let place = slot as usize;
        self.list.get(place).filter(|process| process.is_current()).map(|_| Place(place))
    }

    /// The process of that name, whichever part it plays.
    pub(in crate::pool) fn get(&self, id: WorkerId) -> Option<&Process> {
        self.at(self.find(id)?)
    }

    /// The slot's own process of that name, or the successor.
    pub(in crate::pool) fn active(&self, id: WorkerId) -> Option<&Process> {
        self.at(self.find_active(id)?)
    }

    pub(in crate::pool) fn active_mut(&mut self, id: WorkerId) -> Option<&mut Process> {
        let place = self.find_active(id)?;
        self.at_mut(place)
    }

    /// The process that has the slot, or what stands for it.
    pub(in crate::pool) fn current(&self, slot: u32) -> Option<&Process> {
        self.at(self.place_of_current(slot)?)
    }

    pub(in crate::pool) fn current_mut(&mut self, slot: u32) -> Option<&mut Process> {
        let place = self.place_of_current(slot)?;
        self.at_mut(place)
    }

    /// The one that is to take the slot.
    pub(in crate::pool) fn successor(&self, slot: u32) -> Option<&Process> {
        let wanted = |process: &&Process| process.role == Role::Successor { wanted: true };
        self.successors().filter(wanted).find(|process| process.id().slot == slot)
    }

    pub(in crate::pool) fn currents(&self) -> impl Iterator<Item = &Process> {
        self.list.iter().take_while(|process| process.is_current())
    }

    pub(in crate::pool) fn currents_mut(&mut self) -> impl Iterator<Item = &mut Process> {
        self.list.iter_mut().take_while(|process| process.is_current())
    }

    pub(in crate::pool) fn successors(&self) -> impl Iterator<Item = &Process> {
        self.active_ones().skip_while(|process| process.is_current())
    }

    /// Those that have a slot or are to have one.
    pub(in crate::pool) fn active_ones(&self) -> impl Iterator<Item = &Process> {
        self.list.iter().take_while(|process| !process.is_retiring())
    }

    pub(in crate::pool) fn active_ones_mut(&mut self) -> impl Iterator<Item = &mut Process> {
        self.list.iter_mut().take_while(|process| !process.is_retiring())
    }

    pub(in crate::pool) fn retiring(&self) -> impl Iterator<Item = &Process> {
        self.list.iter().skip_while(|process| !process.is_retiring())
    }

    /// Adds it behind those that play the same part.
    pub(in crate::pool) fn add(&mut self, process: Process) {
        let place = self.list.partition_point(|other| rank(other.role) <= rank(process.role));
        self.list.insert(place, process);
    }

    /// The process that had the slot last goes with the slot. Only the last slot may go.
    pub(in crate::pool) fn remove_current(&mut self, slot: u32) {
        if let Some(place) = self.place_of_current(slot) {
            self.list.remove(place.0);
        }
    }

    /// A successor that has come to nothing, or one that retires and has ended, is no more.
    pub(in crate::pool) fn remove(&mut self, place: Place) {
        if self.at(place).is_some_and(|process| !process.is_current()) {
            self.list.remove(place.0);
        }
    }

    /// Those of which nothing is left go, of the successors that are not wanted.
    pub(in crate::pool) fn remove_dismissed(&mut self) {
        self.list.retain(|process| process.role != Role::Successor { wanted: false } || process.is_live());
    }

    /// The successor is the slot's current process now. Returns the one that was, which is in the list no longer.
    pub(in crate::pool) fn promote(&mut self, place: Place) -> Option<Process> {
        let slot = self.at(place).filter(|process| process.is_successor())?.id().slot;
        let own = self.place_of_current(slot)?;
        let mut new = self.list.remove(place.0);
        new.role = Role::Current;
        Some(std::mem::replace(&mut self.list[own.0], new))
    }

    /// Panics unless they are in order, and nobody has the name of another who lives.
    #[cfg(any(test, debug_assertions))]
    pub(in crate::pool) fn check(&self, slots: usize) {
        let ranks: Vec<_> = self.list.iter().map(|process| rank(process.role)).collect();
        assert!(ranks.is_sorted(), "processes are out of order: {ranks:?}");
        assert_eq!(self.currents().count(), slots, "a slot has no process to stand for it");
        for (slot, process) in self.currents().enumerate() {
            assert_eq!(process.id().slot as usize, slot, "a process is not in its slot");
        }
        let mut live: Vec<_> =
            self.list.iter().filter(|process| process.is_live()).map(Process::id).collect();
        live.sort_unstable();
        assert!(live.windows(2).all(|pair| pair[0] != pair[1]), "two live by one name: {live:?}");
    }
}

fn rank(role: Role) -> u8 {
    match role {
        Role::Current => 0,
        Role::Successor { .. } => 1,
        Role::Retiring { .. } => 2,
    }
}
