//! A group: the UDP sockets of one address between which the kernel chooses, with what makes it choose. Who is live, and who keeps the flows
//! that it has, is told.

use super::classic;
use super::level::{self, Best, Level};
use super::program::Program;
use super::table::MOST;
use crate::ids::LaneId;
use clustermon_protocol::address::Address;
use std::io;
use std::os::fd::BorrowedFd;
use std::time::Duration;

/// The sockets of one address.
#[derive(Debug)]
pub(crate) struct Group {
    pub(crate) address: Address,
    level: Level,
    reason: String,
    program: Option<Program>,
    /// Each member has a slot, which it keeps.
    slots: Vec<Option<LaneId>>,
    /// The same in the kernel's order: a new one comes last, and the last takes the place of one that goes
    /// (`__reuseport_detach_sock` in net/core/sock_reuseport.c).
    order: Vec<LaneId>,
    /// Who is live.
    live: Vec<LaneId>,
    /// By classic BPF: the places that were last attached.
    attached: Option<Vec<u32>>,
}

impl Group {
    /// A group of the socket, which is bound and whose member it is not yet. At members that are not live flows are over once they have been
    /// silent for the `grace`. Where the kernel refuses what was to choose there is less.
    pub(crate) fn open(address: Address, best: Best, socket: BorrowedFd<'_>, grace: Duration) -> Self {
        let Best { level, reason, program } = best;
        let mut group = Self {
            address,
            level,
            reason,
            program: None,
            slots: Vec::new(),
            order: Vec::new(),
            live: Vec::new(),
            attached: None,
        };
        match program.map(|program| program.attach(socket).map(|()| program)) {
            Some(Ok(program)) => {
                program.table.set_grace(grace);
                group.program = Some(program);
            }
            Some(Err(error)) => group.fall_to(Level::Classic, &format!("the program is refused ({error})")),
            None => {}
        }
        if group.level == Level::Classic
            && let Err(error) = classic::attach(socket, &[0])
        {
            group.fall_to(Level::Kernel, &format!("the kernel refuses classic BPF ({error})"));
        }
        group
    }

    fn fall_to(&mut self, level: Level, why: &str) {
        self.level = level;
        self.reason = level::reason(level, why);
    }

    pub(crate) fn level(&self) -> Level {
        self.level
    }

    /// What the level means, and why it is no better.
    pub(crate) fn reason(&self) -> &str {
        &self.reason
    }

    /// A socket of the group that is not live is given nothing new.
    pub(crate) fn can_leave_out(&self) -> bool {
        self.level != Level::Kernel
    }

    /// Somebody is live.
    pub(crate) fn has_live(&self) -> bool {
        !self.live.is_empty()
    }

    pub(crate) fn is_live(&self, member: LaneId) -> bool {
        self.live.contains(&member)
    }

    /// The socket, which is bound, is the member's. It is given nothing before it is live, if that can be had.
    pub(crate) fn join(&mut self, member: LaneId, socket: BorrowedFd<'_>) -> io::Result<()> {
        let slot = match self.slots.iter().position(Option::is_none) {
            Some(free) => free,
            None if self.slots.len() < MOST => {
                self.slots.push(None);
                self.slots.len() - 1
            }
            None => return Err(io::Error::from_raw_os_error(libc::ENFILE)),
        };
        if let Some(program) = &self.program {
            program.insert(slot as u32, socket)?;
        }
        self.slots[slot] = Some(member);
        self.order.push(member);
        Ok(())
    }

    /// The member's socket is the group's no more.
    pub(crate) fn leave(&mut self, member: LaneId) {
        if let Some(place) = self.order.iter().position(|other| *other == member) {
            self.order.swap_remove(place);
        }
        if let Some(slot) = self.slot(member) {
            self.slots[slot as usize] = None;
            if let Some(program) = &self.program {
                program.remove(slot);
            }
        }
    }

    /// The member goes by another name.
    pub(crate) fn rename(&mut self, from: LaneId, to: LaneId) {
        let names = self.slots.iter_mut().flatten().chain(&mut self.order);
        names.filter(|name| **name == from).for_each(|name| *name = to);
    }

    /// From now on these are given new flows. `socket` is any of the group.
    pub(crate) fn steer(&mut self, live: &[LaneId], socket: Option<BorrowedFd<'_>>) -> io::Result<()> {
        self.live = live.iter().copied().filter(|id| self.slot(*id).is_some()).collect();
        match (&mut self.program, self.level) {
            (Some(program), _) => {
                let slots: Vec<u32> = self.live.iter().filter_map(|id| slot_of(&self.slots, *id)).collect();
                program.table.set_live(&slots);
                Ok(())
            }
            (None, Level::Classic) => {
                let place = |id: &LaneId| self.order.iter().position(|other| other == id);
                let places: Vec<u32> = self.live.iter().filter_map(place).map(|place| place as u32).collect();
                if self.attached.as_ref() == Some(&places) {
                    return Ok(());
                }
                let Some(socket) = socket else { return Ok(()) };
                classic::attach(socket, &places)?;
                self.attached = Some(places);
                Ok(())
            }
            (None, Level::Program | Level::Kernel) => Ok(()),
        }
    }

    /// The same as before, where the places of sockets have changed.
    pub(crate) fn steer_again(&mut self, socket: Option<BorrowedFd<'_>>) -> io::Result<()> {
        let live = std::mem::take(&mut self.live);
        self.steer(&live, socket)
    }

    /// The flows of the member go to others, each with its next datagram.
    pub(crate) fn give_up_flows(&self, member: LaneId) {
        if let (Some(program), Some(slot)) = (&self.program, self.slot(member)) {
            program.table.give_up(slot);
        }
    }

    /// How many datagrams the member has been given, and of how many flows, where that is counted.
    pub(crate) fn given(&self, member: LaneId) -> Option<(u64, u64)> {
        Some(self.program.as_ref()?.table.given(self.slot(member)?))
    }

    fn slot(&self, member: LaneId) -> Option<u32> {
        slot_of(&self.slots, member)
    }
}

fn slot_of(slots: &[Option<LaneId>], member: LaneId) -> Option<u32> {
    slots.iter().position(|slot| *slot == Some(member)).map(|slot| slot as u32)
}
