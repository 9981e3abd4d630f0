//! The choice without an eBPF program: one of the live members by a hash of where a datagram comes from, by classic BPF, which anybody may
//! attach. It keeps nothing from one datagram to the next, so that flows move when it is attached anew.

use crate::io::kernel::packet_filter::{self, step};
use libc::{
    BPF_ABS, BPF_ADD, BPF_ALU, BPF_AND, BPF_B, BPF_H, BPF_IND, BPF_JEQ, BPF_JMP, BPF_K, BPF_LD, BPF_LSH,
    BPF_MISC, BPF_MOD, BPF_MUL, BPF_RET, BPF_RSH, BPF_ST, BPF_TAX, BPF_W, BPF_X, BPF_XOR, sock_filter,
};
use std::io;
use std::os::fd::BorrowedFd;

/// `SKF_NET_OFF` of linux/filter.h: what is read from there on is the header of IP.
const NETWORK: u32 = -0x10_0000_i32 as u32;
/// Where that header has the source, and how long it is without options.
const SOURCE_V4: u32 = 12;
const SOURCE_V6: u32 = 8;
const LENGTH_V6: u32 = 40;
/// An odd number with bits everywhere (2^32 divided by the golden ratio): neighbours are far from each other when multiplied by it.
const SPREAD: u32 = 0x9E37_79B1;
/// The longest program has 4,096 instructions, of which each live member takes two.
const MOST: usize = 2028;
/// Of the scratch memory.
const HASHED: u32 = 0;

/// Chooses one of these places, which count the sockets of the group in the kernel's order.
fn program(live: &[u32]) -> Vec<sock_filter> {
    let live = &live[..live.len().min(MOST)];
    let load = |width, offset| step(BPF_LD | width | BPF_ABS, 0, 0, NETWORK.wrapping_add(offset));
    let mix = || step(BPF_ALU | BPF_MUL | BPF_K, 0, 0, SPREAD);
    let with_hashed = || {
        [step(libc::BPF_LDX | libc::BPF_MEM | BPF_W, 0, 0, HASHED), step(BPF_ALU | BPF_XOR | BPF_X, 0, 0, 0)]
    };
    let keep = || step(BPF_ST, 0, 0, HASHED);
    // The addresses of IPv6 in four parts, and then its port: of a datagram with further headers in between that is what these begin with.
    let mut six = Vec::new();
    for part in 0..4 {
        six.push(load(BPF_W, SOURCE_V6 + 4 * part));
        if part > 0 {
            six.extend(with_hashed());
        }
        six.extend([mix(), keep()]);
    }
    six.push(load(BPF_H, LENGTH_V6));
    // Of IPv4 the length of the header is told in its first byte, in words.
    let four = [
        load(BPF_W, SOURCE_V4),
        mix(),
        keep(),
        load(BPF_B, 0),
        step(BPF_ALU | BPF_AND | BPF_K, 0, 0, 0xf),
        step(BPF_ALU | BPF_LSH | BPF_K, 0, 0, 2),
        step(BPF_MISC | BPF_TAX, 0, 0, 0),
        step(BPF_LD | BPF_H | BPF_IND, 0, 0, NETWORK),
    ];
    let mut program = vec![
        load(BPF_B, 0),
        step(BPF_ALU | BPF_RSH | BPF_K, 0, 0, 4),
        step(BPF_JMP | BPF_JEQ | BPF_K, 0, four.len() as u8 + 1, 4),
    ];
    program.extend(four);
    program.push(step(BPF_JMP | libc::BPF_JA, 0, 0, six.len() as u32));
    program.extend(six);
    // The port, with what the address came to.
    program.extend(with_hashed());
    program.extend([
        mix(),
        step(BPF_MISC | BPF_TAX, 0, 0, 0),
        step(BPF_ALU | BPF_RSH | BPF_K, 0, 0, 15),
        step(BPF_ALU | BPF_ADD | BPF_X, 0, 0, 0),
        step(BPF_ALU | BPF_MOD | BPF_K, 0, 0, live.len() as u32),
    ]);
    for (choice, place) in live.iter().enumerate() {
        program.push(step(BPF_JMP | BPF_JEQ | BPF_K, 0, 1, choice as u32));
        program.push(step(BPF_RET | BPF_K, 0, 0, *place));
    }
    // Not reached; a program has to end.
    program.push(step(BPF_RET | BPF_K, 0, 0, live.first().copied().unwrap_or(0)));
    program
}

/// From now on the group that the socket belongs to chooses among these places. Where there is none, all are chosen from.
pub(super) fn attach(socket: BorrowedFd<'_>, live: &[u32]) -> io::Result<()> {
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
        let end = program.len() - 7;
        assert_eq!(program[end - 1].k, 3);
        let choices: Vec<_> = program[end..end + 6].chunks(2).map(|two| (two[0].k, two[1].k)).collect();
        assert_eq!(choices, [(0, 4), (1, 0), (2, 7)]);
    }

    #[test]
    fn the_longest_fits() {
        let live: Vec<u32> = (0..3000).collect();
        assert!(program(&live).len() <= 4096);
    }
}
