//! The program for datagrams as the kernel has it: loaded, with its maps, and attached to a group. What it does is in `code`.

mod code;

use super::table::Table;
use crate::io::kernel::bpf::{self, LRU_HASH, NUMBERS, REUSEPORT_SOCKARRAY, Shape};
use crate::io::steering::live_list::MOST;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

/// `BPF_SK_REUSEPORT_SELECT`: sockets of datagrams have no queue that could move.
const SELECT: u32 = 39;
/// Flows of one address that are remembered; the kernel forgets those that have been silent for longest. It has memory for all of them from
/// the beginning, some 8 MiB.
const REMEMBERED: u32 = 1 << 16;

/// A loaded program with its maps. They live on in the kernel for as long as a socket of the group does.
#[derive(Debug)]
pub(super) struct Program {
    pub(super) table: Table,
    sockets: OwnedFd,
    /// The table of flows; the program keeps it, and this is what holds the map until the program does.
    _flows: OwnedFd,
    program: OwnedFd,
}

impl Program {
    /// An error where the kernel does not let this process load it.
    pub(super) fn load() -> io::Result<Self> {
        Self::with(REMEMBERED)
    }

    fn with(remembered: u32) -> io::Result<Self> {
        let table = Table::new()?;
        let numbers = Shape { kind: 0, key_size: NUMBERS, value_size: 8, entries: MOST as u32, flags: 0 };
        let shape = Shape { kind: REUSEPORT_SOCKARRAY, ..numbers };
        let sockets = bpf::create_map("clm_flow_sockets", shape, None)?;
        let shape = Shape {
            kind: LRU_HASH,
            key_size: code::FLOW_SIZE,
            value_size: code::OWNER_SIZE,
            entries: remembered,
            ..numbers
        };
        let flows = bpf::create_map("clm_flows", shape, None)?;
        let maps = code::Maps {
            table: table.as_fd().as_raw_fd(),
            sockets: sockets.as_raw_fd(),
            flows: flows.as_raw_fd(),
        };
        let program = bpf::load_reuseport("clm_flow_program", SELECT, &code::program(maps))?;
        Ok(Self { table, sockets, _flows: flows, program })
    }

    /// The group that the socket belongs to is steered by it.
    pub(super) fn attach(&self, socket: BorrowedFd<'_>) -> io::Result<()> {
        bpf::attach_reuseport(socket, self.program.as_fd())
    }

    /// The socket, which has to be bound, has this slot. The kernel takes it out when it is closed.
    pub(super) fn insert(&self, slot: u32, socket: BorrowedFd<'_>) -> io::Result<()> {
        self.table.begin(slot);
        bpf::insert(self.sockets.as_fd(), slot, socket)
    }

    pub(super) fn remove(&self, slot: u32) {
        self.table.give_up(slot);
        if let Err(error) = bpf::remove(self.sockets.as_fd(), slot) {
            log::debug!("slot {slot} is not emptied: {error}");
        }
    }
}

#[cfg(test)]
mod tests;
