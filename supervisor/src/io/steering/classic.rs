//! The choice without an eBPF program: a random one of the live members, by classic BPF, which anybody may attach. It keeps nothing from
//! one connection to the next, so that it cannot rotate, and is attached anew at each change.

pub(super) mod anchor;

use crate::io::kernel::packet_filter::{self, step};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};

/// `SKF_AD_OFF + SKF_AD_RANDOM` of linux/filter.h: what is read there is a random number.
const RANDOM: u32 = (-0x1000_i32 + 56) as u32;
/// The longest program has 4,096 instructions, of which each live member takes two.
const MOST: usize = 2046;

/// Chooses a random one of these places, which count the sockets of the group in the kernel's order.
fn program(live: &[u32]) -> Vec<libc::sock_filter> {
    let live = &live[..live.len().min(MOST)];
    let mut program = vec![
        step(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0, RANDOM),
        step(libc::BPF_ALU | libc::BPF_MOD | libc::BPF_K, 0, 0, live.len() as u32),
    ];
    for (choice, place) in live.iter().enumerate() {
        program.push(step(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, 0, 1, choice as u32));
        program.push(step(libc::BPF_RET | libc::BPF_K, 0, 0, *place));
    }
    // Not reached; a program has to end.
    program.push(step(libc::BPF_RET | libc::BPF_K, 0, 0, live.first().copied().unwrap_or(0)));
    program
}

/// From now on the group that the socket, which listens, belongs to chooses among these places. Where there is none, all are chosen from.
pub(super) fn attach(socket: BorrowedFd<'_>, live: &[u32]) -> io::Result<()> {
    if !anchor::is_mptcp(socket) {
        return attach_to(socket, live);
    }
    // The anchor comes last and goes again: the places of all others stay theirs.
    attach_to(anchor::beside(socket)?.as_fd(), live)
}

fn attach_to(socket: BorrowedFd<'_>, live: &[u32]) -> io::Result<()> {
    if live.is_empty() {
        return packet_filter::detach_reuseport(socket);
    }
    packet_filter::attach_reuseport(socket, &mut program(live))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_remainder_is_one_of_the_live() {
        let program = program(&[4, 0, 7]);
        assert_eq!(program.len(), 2 + 2 * 3 + 1);
        assert_eq!(program[1].k, 3);
        let choices: Vec<_> = program[2..8].chunks(2).map(|two| (two[0].k, two[1].k)).collect();
        assert_eq!(choices, [(0, 4), (1, 0), (2, 7)]);
    }

    #[test]
    fn the_longest_fits() {
        let live: Vec<u32> = (0..3000).collect();
        assert!(program(&live).len() <= 4096);
    }
}
