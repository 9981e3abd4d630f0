//! A group: the listening sockets of one address between which the kernel chooses, with what makes it choose. Who is live is told; it says
//! what a change means for sockets that are not.

use super::classic::{self, anchor::is_mptcp};
use super::level::{self, Best, Level};
use super::places::Places;
use super::program::Program;
use crate::ids::LaneId;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// The name of the barrier in the kernel's order, which no member has.
const BARRIER: LaneId = LaneId(u64::MAX);

/// The sockets of one address.
#[derive(Debug)]
pub(crate) struct Group {
    level: Level,
    reason: String,
    program: Option<Program>,
    /// Of those that listen.
    places: Places,
    /// By classic BPF: the places that were last attached.
    attached: Option<Vec<u32>>,
    /// What the kernel does with the queue of a socket that closes, where no program says so.
    moves_by_itself: bool,
    /// By classic BPF: what takes in everybody who comes, while nobody is to be let in.
    barrier: Option<OwnedFd>,
}

impl Group {
    /// A group of the socket, which listens and whose member it is not yet. Where the kernel refuses what was to choose there is less.
    pub(crate) fn open(best: Best, socket: BorrowedFd<'_>) -> Self {
        let is_mptcp = is_mptcp(socket);
        let best = if is_mptcp { best.without_map() } else { best };
        let Best { level, reason, program } = best;
        let mut group = Self {
            level,
            reason,
            program: None,
            places: Places::default(),
            attached: None,
            // Of a queue of MPTCP that is not known.
            moves_by_itself: !is_mptcp && level::moves_by_itself(),
            barrier: None,
        };
        match program.map(|program| program.attach(socket).map(|()| program)) {
            Some(Ok(program)) => group.program = Some(program),
            Some(Err(error)) => group.fall_to(Level::Classic, &format!("the program is refused ({error})")),
            None => {}
        }
        if group.level == Level::Classic
            && let Err(error) = classic::attach(socket, &[0])
        {
            group.fall_to(Level::Shared, &format!("the kernel refuses classic BPF ({error})"));
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

    /// Members have sockets of their own.
    pub(crate) fn is_split(&self) -> bool {
        self.level != Level::Shared
    }

    /// A socket of this kind can be chosen: the program chooses none of MPTCP.
    pub(crate) fn takes(&self, socket: BorrowedFd<'_>) -> bool {
        self.program.is_none() || !is_mptcp(socket)
    }

    /// What waits in the queue of a socket that closes goes to others; else those clients are reset.
    pub(crate) fn migrates(&self) -> bool {
        self.is_split() && self.program.as_ref().map_or(self.moves_by_itself, Program::migrates)
    }

    /// Somebody is live.
    pub(crate) fn has_live(&self) -> bool {
        !self.places.live().is_empty()
    }

    pub(crate) fn is_live(&self, member: LaneId) -> bool {
        self.places.live().contains(&member)
    }

    /// The socket, which listens, is the member's. It is given nothing before it is live.
    pub(crate) fn join(&mut self, member: LaneId, socket: BorrowedFd<'_>) -> io::Result<()> {
        if !self.is_split() {
            return Ok(());
        }
        let slot = self.places.free_slot()?;
        if let Some(program) = &self.program {
            program.table.forget(slot);
            program.insert(slot, socket)?;
        }
        self.places.enter(slot, member);
        Ok(())
    }

    /// The member's socket has stopped to listen, and listens again: the kernel has taken it out of the map, and put it behind all others.
    pub(crate) fn rejoin(&mut self, member: LaneId, socket: BorrowedFd<'_>) -> io::Result<()> {
        self.places.come_last(member);
        self.keep_to_door();
        match (&self.program, self.slot(member)) {
            (Some(program), Some(slot)) => program.insert(slot, socket),
            (None, _) | (_, None) => Ok(()),
        }
    }

    /// The member's socket does not listen any more.
    pub(crate) fn leave(&mut self, member: LaneId) {
        let slot = self.places.leave(member);
        self.keep_to_door();
        if let (Some(slot), Some(program)) = (slot, &self.program) {
            program.remove(slot);
        }
    }

    /// The member goes by another name.
    pub(crate) fn rename(&mut self, from: LaneId, to: LaneId) {
        self.places.rename(from, to);
    }

    /// From now on these are given connections. `socket` is any that listens in the group.
    pub(crate) fn steer(&mut self, live: &[LaneId], socket: Option<BorrowedFd<'_>>) -> io::Result<()> {
        let is_known = |id: &LaneId| self.slot(*id).is_some() || !self.is_split();
        self.places.set_live(live.iter().copied().filter(is_known).collect());
        match (&mut self.program, self.level) {
            (Some(program), _) => {
                program.table.set_live(&self.places.live_slots());
                Ok(())
            }
            (None, Level::Classic) if self.barrier.is_some() => Ok(()),
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
            (None, Level::Program | Level::Shared) => Ok(()),
        }
    }

    /// Nobody new is let in, where the sockets themselves cannot see to that. `socket` is any that listens in the group.
    pub(crate) fn stop_intake(&mut self, socket: BorrowedFd<'_>) -> io::Result<()> {
        if self.level != Level::Classic {
            return Err(io::ErrorKind::Unsupported.into());
        }
        if self.barrier.is_none() {
            self.barrier = Some(classic::anchor::beside(socket)?);
            self.places.come_last(BARRIER);
        }
        self.lead_to_door()
    }

    /// Whoever comes is led to the barrier, if there is one: that takes in nobody.
    fn lead_to_door(&self) -> io::Result<()> {
        let (Some(barrier), Some(place)) = (&self.barrier, self.places.place(BARRIER)) else { return Ok(()) };
        classic::attach(barrier.as_fd(), &[place])
    }

    /// Whoever connects is refused at once. False where that cannot be.
    pub(crate) fn refuse(&self, on: bool) -> bool {
        self.program.as_ref().map(|program| program.table.refuse(on)).is_some()
    }

    /// How many connections the member has been given, where that is counted.
    pub(crate) fn given(&self, member: LaneId) -> Option<u64> {
        Some(self.program.as_ref()?.table.given(self.slot(member)?))
    }

    /// The program looks at this page for whether the member's worker is idle; or at none. False where it cannot.
    pub(crate) fn watch(&self, member: LaneId, page: Option<BorrowedFd<'_>>) -> bool {
        let (Some(program), Some(slot)) = (&self.program, self.slot(member)) else { return false };
        match page.map(|page| program.watch_pulse(slot, page)) {
            Some(Ok(())) => true,
            // A page that was made before, or elsewhere, is none that the kernel can look at.
            Some(Err(_)) | None => {
                program.forget_pulse(slot);
                false
            }
        }
    }

    /// The thread that accepts for the member has its record there, and so many of what it was given did not come to it.
    pub(crate) fn see(&self, member: LaneId, place: u32, elsewhere: u32) {
        if let (Some(program), Some(slot)) = (&self.program, self.slot(member)) {
            program.table.see(slot, place, elsewhere);
        }
    }

    fn slot(&self, member: LaneId) -> Option<u32> {
        self.places.slot(member)
    }

    /// Its place may be another's by now.
    fn keep_to_door(&self) {
        if let Err(error) = self.lead_to_door() {
            log::debug!("whoever comes now may be let in: {error}");
        }
    }
}

#[cfg(test)]
mod tests;
