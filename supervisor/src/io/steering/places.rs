//! Where the members of a group stand: each has a slot, which it keeps, and a place in the kernel's order. It makes no system call.

use super::live_list::MOST;
use crate::ids::LaneId;
use std::io;

/// The members of one group.
#[derive(Debug, Default)]
pub(crate) struct Places {
    /// By slot.
    slots: Vec<Option<LaneId>>,
    /// The same in the kernel's order: a new one comes last, and the last takes the place of one that goes
    /// (`__reuseport_detach_sock` in net/core/sock_reuseport.c).
    order: Vec<LaneId>,
    /// Who is live.
    live: Vec<LaneId>,
}

impl Places {
    /// A slot for one more, which is nobody's until somebody enters it.
    pub(crate) fn free_slot(&self) -> io::Result<u32> {
        let free = self.slots.iter().position(Option::is_none).unwrap_or(self.slots.len());
        if free < MOST { Ok(free as u32) } else { Err(io::Error::from_raw_os_error(libc::ENFILE)) }
    }

    /// The slot is the member's, and its place is the last.
    pub(crate) fn enter(&mut self, slot: u32, member: LaneId) {
        let slot = slot as usize;
        if self.slots.len() <= slot {
            self.slots.resize(slot + 1, None);
        }
        self.slots[slot] = Some(member);
        self.order.push(member);
    }

    /// It has no place any more, and no slot: the one that it had.
    pub(crate) fn leave(&mut self, member: LaneId) -> Option<u32> {
        self.leave_order(member);
        let slot = self.slot(member)?;
        self.slots[slot as usize] = None;
        Some(slot)
    }

    /// Its place is the last from now on, or one that has no slot has one.
    pub(crate) fn come_last(&mut self, member: LaneId) {
        self.leave_order(member);
        self.order.push(member);
    }

    fn leave_order(&mut self, member: LaneId) {
        if let Some(place) = self.order.iter().position(|other| *other == member) {
            self.order.swap_remove(place);
        }
    }

    /// The member goes by another name.
    pub(crate) fn rename(&mut self, from: LaneId, to: LaneId) {
        let names = self.slots.iter_mut().flatten().chain(&mut self.order);
        names.filter(|name| **name == from).for_each(|name| *name = to);
    }

    pub(crate) fn slot(&self, member: LaneId) -> Option<u32> {
        self.slots.iter().position(|slot| *slot == Some(member)).map(|slot| slot as u32)
    }

    pub(crate) fn place(&self, member: LaneId) -> Option<u32> {
        self.order.iter().position(|other| *other == member).map(|place| place as u32)
    }

    pub(crate) fn set_live(&mut self, live: Vec<LaneId>) {
        self.live = live;
    }

    pub(crate) fn live(&self) -> &[LaneId] {
        &self.live
    }

    pub(crate) fn live_slots(&self) -> Vec<u32> {
        self.live.iter().filter_map(|member| self.slot(*member)).collect()
    }

    pub(crate) fn live_places(&self) -> Vec<u32> {
        self.live.iter().filter_map(|member| self.place(*member)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_takes_the_place_of_one_that_goes_and_slots_stay() {
        let [a, b, c, d] = [1, 2, 3, 4].map(LaneId);
        let mut places = Places::default();
        for member in [a, b, c] {
            let slot = places.free_slot().unwrap();
            places.enter(slot, member);
        }
        places.set_live(vec![b, c]);
        assert_eq!((places.live_slots(), places.live_places()), (vec![1, 2], vec![1, 2]));
        assert_eq!(places.leave(a), Some(0));
        assert_eq!((places.live_slots(), places.live_places()), (vec![1, 2], vec![1, 0]));
        assert_eq!(places.free_slot().unwrap(), 0);
        places.enter(0, d);
        places.come_last(c);
        assert_eq!([b, c, d].map(|member| places.place(member)), [Some(1), Some(2), Some(0)]);
        places.rename(d, a);
        assert_eq!((places.slot(a), places.slot(d), places.leave(d)), (Some(0), None, None));
    }
}
