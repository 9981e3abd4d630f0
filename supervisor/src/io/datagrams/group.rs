//! A group: the UDP sockets of one address between which the kernel chooses, with what makes it choose. Who is live, and who keeps the flows
//! that it has, is told.

use super::classic;
use super::level::{self, Best, Level};
use super::program::Program;
use crate::ids::LaneId;
use crate::io::steering::places::Places;
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
    places: Places,
    /// By classic BPF: the places that were last attached.
    attached: Option<Vec<u32>>,
}

impl Group {
    /// A group of the socket, which is bound and whose member it is not yet. At members that are not live flows are over once they have been
    /// silent for the `grace`. Where the kernel refuses what was to choose there is less.
    pub(crate) fn open(address: Address, best: Best, socket: BorrowedFd<'_>, grace: Duration) -> Self {
        let Best { level, reason, program } = best;
        let mut group =
            Self { address, level, reason, program: None, places: Places::default(), attached: None };
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
        !self.places.live().is_empty()
    }

    pub(crate) fn is_live(&self, member: LaneId) -> bool {
        self.places.live().contains(&member)
    }

    /// The socket, which is bound, is the member's. It is given nothing before it is live, if that can be had.
    pub(crate) fn join(&mut self, member: LaneId, socket: BorrowedFd<'_>) -> io::Result<()> {
        let slot = self.places.free_slot()?;
        if let Some(program) = &self.program {
            program.insert(slot, socket)?;
        }
        self.places.enter(slot, member);
        Ok(())
    }

    /// The member's socket is the group's no more.
    pub(crate) fn leave(&mut self, member: LaneId) {
        if let (Some(slot), Some(program)) = (self.places.leave(member), &self.program) {
            program.remove(slot);
        }
    }

    /// The member goes by another name.
    pub(crate) fn rename(&mut self, from: LaneId, to: LaneId) {
        self.places.rename(from, to);
    }

    /// From now on these are given new flows. `socket` is any of the group.
    pub(crate) fn steer(&mut self, live: &[LaneId], socket: Option<BorrowedFd<'_>>) -> io::Result<()> {
        self.places.set_live(live.iter().copied().filter(|id| self.slot(*id).is_some()).collect());
        match (&mut self.program, self.level) {
            (Some(program), _) => {
                program.table.set_live(&self.places.live_slots());
                Ok(())
            }
            (None, Level::Classic) => {
                let places = self.places.live_places();
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
        let live = self.places.live().to_vec();
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
        self.places.slot(member)
    }
}
