//! The steering program as the kernel has it: loaded, with its maps, and attached to a group. What it does is in `code`.

mod code;

use super::live_list::MOST;
use super::table::Table;
use crate::io::kernel::bpf::{self, ARRAY_OF_MAPS, NUMBERS, REUSEPORT_SOCKARRAY, Shape};
use crate::io::lanes::pulse::Pulse;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

/// `BPF_SK_REUSEPORT_SELECT_OR_MIGRATE`: it also says where the queue of a socket goes that closes (5.14); and without that.
const SELECT_OR_MIGRATE: u32 = 40;
const SELECT: u32 = 39;

/// A loaded program with its maps. They live on in the kernel for as long as a socket of the group does.
#[derive(Debug)]
pub(super) struct Program {
    pub(super) table: Table,
    sockets: OwnedFd,
    /// The pulse page of each slot's worker, where the program may look at it.
    pulses: OwnedFd,
    program: OwnedFd,
    migrates: bool,
}

impl Program {
    /// An error where the kernel does not let this process load it.
    pub(super) fn load() -> io::Result<Self> {
        let table = Table::new()?;
        let shape = Shape {
            kind: REUSEPORT_SOCKARRAY,
            key_size: NUMBERS,
            value_size: 8,
            entries: MOST as u32,
            flags: 0,
        };
        let sockets = bpf::create_map("clm_members", shape, None)?;
        let like = Pulse::map()?;
        let shape =
            Shape { kind: ARRAY_OF_MAPS, key_size: NUMBERS, value_size: 4, entries: MOST as u32, flags: 0 };
        let pulses = bpf::create_map("clm_pulses", shape, Some(like.as_fd()))?;
        let load = |migrates| {
            let maps = code::Maps {
                table: table.as_fd().as_raw_fd(),
                sockets: sockets.as_raw_fd(),
                pulses: pulses.as_raw_fd(),
            };
            let code = code::program(maps, migrates);
            let attach_type = if migrates { SELECT_OR_MIGRATE } else { SELECT };
            bpf::load_reuseport("clm_steering", attach_type, &code)
        };
        let migrating = load(true);
        let migrates = migrating.is_ok();
        // A kernel before 5.14 knows only the other kind.
        let program = migrating.or_else(|error| load(false).map_err(|_| error))?;
        Ok(Self { table, sockets, pulses, program, migrates })
    }

    /// The group that the socket belongs to is steered by it.
    pub(super) fn attach(&self, socket: BorrowedFd<'_>) -> io::Result<()> {
        bpf::attach_reuseport(socket, self.program.as_fd())
    }

    /// The queue of a member that closes moves to live ones.
    pub(super) fn migrates(&self) -> bool {
        self.migrates
    }

    /// The socket, which has to listen, has this slot. The kernel takes it out when it stops to listen.
    pub(super) fn insert(&self, slot: u32, socket: BorrowedFd<'_>) -> io::Result<()> {
        bpf::insert(self.sockets.as_fd(), slot, socket)
    }

    pub(super) fn remove(&self, slot: u32) {
        self.forget_pulse(slot);
        if let Err(error) = bpf::remove(self.sockets.as_fd(), slot) {
            log::debug!("slot {slot} is not emptied: {error}");
        }
    }

    /// The program looks at this page of the slot's worker.
    pub(super) fn watch_pulse(&self, slot: u32, page: BorrowedFd<'_>) -> io::Result<()> {
        bpf::insert(self.pulses.as_fd(), slot, page)
    }

    /// It looks at none.
    pub(super) fn forget_pulse(&self, slot: u32) {
        self.table.see(slot, 0, 0);
        if let Err(error) = bpf::remove(self.pulses.as_fd(), slot) {
            log::debug!("the page of slot {slot} is not forgotten: {error}");
        }
    }
}

#[cfg(test)]
mod tests;
