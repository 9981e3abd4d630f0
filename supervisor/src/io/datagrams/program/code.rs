//! The instructions of the program for datagrams, which runs in the kernel for each that comes: one of a known flow goes to the member that
//! has the flow, and one of another flow to a live member, by a hash, which has it from then on. It reads the addresses and ports of the
//! datagram and nothing behind them.

use crate::io::datagrams::table::{DATAGRAMS, FLOWS, GRACE, IS_LIVE, MEMBER_SHIFT, STATE};
use crate::io::kernel::bpf::Instruction;
use crate::io::kernel::bpf::assembly::{
    self, ADD, ADD_K, ATOMIC_DW, Assembly, CALL, EXIT, JA, JEQ_K, JGT, JGT_K, JNE, JNE_K, KTIME_GET_NS, LDDW,
    LDXDW, LDXW, LSH_K, MAP, MAP_LOOKUP_ELEM, MAP_UPDATE_ELEM, MEMORY, MOD, MOV, MOV_K, MOV32, OR, PLAIN_ADD,
    RSH_K, SELECT_REUSEPORT, SKB_LOAD_BYTES_RELATIVE, STDW_K, STXDW, STXW, SUB, jump, op,
};
use crate::io::steering::live_list::{LIVE, MOST, SLOTS};

/// Descriptors of the maps.
#[derive(Clone, Copy, Debug)]
pub(super) struct Maps {
    pub(super) table: i32,
    pub(super) sockets: i32,
    pub(super) flows: i32,
}

/// Where a jump goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum To {
    Ipv6,
    Addressed,
    Keeps,
    /// Nobody has the flow, or somebody had it.
    Unknown,
    Stale,
    New,
    Select,
    /// The kernel chooses.
    Pass,
}

type Step = assembly::Step<To>;

/// Offsets in `struct sk_reuseport_md`.
const DATA: i16 = 0;
const DATA_END: i16 = 8;
const PROTOCOL: i16 = 20;
const HASH: i16 = 32;
/// ETH_P_IP as the kernel has it there, in the order of the network.
const IPV4: i32 = 0x0800u16.to_be() as i32;
/// Where both addresses are in a header of IPv4, and in one of IPv6, and how long they are.
const ADDRESSES_V4: (i32, i32) = (12, 8);
const ADDRESSES_V6: (i32, i32) = (8, 32);
/// `BPF_HDR_START_NET`, and `BPF_NOEXIST`.
const NETWORK_HEADER: i32 = 1;
const IF_NEW: i32 = 1;
const SK_PASS: i32 = 1;

/// A flow, as the key of its table: the protocol, both ports, and both addresses.
pub(super) const FLOW_SIZE: u32 = 40;
/// What stands there: who has it, and when its last datagram came.
pub(super) const OWNER_SIZE: u32 = 16;
const SEEN: i16 = 8;
/// The stack, which register 10 points to the end of: a flow, a slot as a key, and what stands of a flow.
const FLOW: i16 = -40;
const PORTS: i16 = FLOW + 4;
const ADDRESSES: i16 = FLOW + 8;
const SLOT: i16 = -44;
const OWNER: i16 = -64;
const NOW: i16 = OWNER + SEEN;

/// Registers from here on: r6 what is asked, r7 the table.
fn begin(maps: Maps) -> Vec<Step> {
    let mut steps = vec![
        // What is asked is needed at the end.
        op(MOV, 6, 1, 0, 0),
        op(LDDW, 7, MEMORY, 0, maps.table),
        op(0, 0, 0, 0, 0),
    ];
    // A flow has no byte that is not written: the table compares all of them.
    steps.extend((FLOW..0).step_by(8).map(|offset| op(STDW_K, 10, 0, offset, 0)));
    steps.extend([
        op(LDXW, 8, 6, PROTOCOL, 0),
        op(STXW, 10, 8, FLOW, 0),
        // Both ports begin the header of UDP.
        op(LDXDW, 2, 6, DATA, 0),
        op(LDXDW, 3, 6, DATA_END, 0),
        op(MOV, 4, 2, 0, 0),
        op(ADD_K, 4, 0, 0, 4),
        jump(JGT, 4, 3, 0, To::Pass),
        op(LDXW, 4, 2, 0, 0),
        op(STXW, 10, 4, PORTS, 0),
        jump(JNE_K, 8, 0, IPV4, To::Ipv6),
    ]);
    steps
}

/// Copies both addresses, which stand side by side.
fn addresses((from, length): (i32, i32)) -> [Step; 7] {
    [
        op(MOV, 1, 6, 0, 0),
        op(MOV_K, 2, 0, 0, from),
        op(MOV, 3, 10, 0, 0),
        op(ADD_K, 3, 0, 0, ADDRESSES as i32),
        op(MOV_K, 4, 0, 0, length),
        op(MOV_K, 5, 0, 0, NETWORK_HEADER),
        op(CALL, 0, 0, 0, SKB_LOAD_BYTES_RELATIVE),
    ]
}

/// Looks who has the flow. r9 is the place where that stands, or 0 if it stands nowhere; r8 is the member.
fn look(maps: Maps) -> [Step; 32] {
    [
        jump(JNE_K, 0, 0, 0, To::Pass),
        op(CALL, 0, 0, 0, KTIME_GET_NS),
        op(STXDW, 10, 0, NOW, 0),
        op(LDDW, 1, MAP, 0, maps.flows),
        op(0, 0, 0, 0, 0),
        op(MOV, 2, 10, 0, 0),
        op(ADD_K, 2, 0, 0, FLOW as i32),
        op(CALL, 0, 0, 0, MAP_LOOKUP_ELEM),
        op(MOV, 9, 0, 0, 0),
        jump(JEQ_K, 9, 0, 0, To::Unknown),
        // When it was last heard, which is now.
        op(LDXDW, 5, 9, SEEN, 0),
        op(LDXDW, 0, 10, NOW, 0),
        op(STXDW, 9, 0, SEEN, 0),
        // A slot, and the generation of the member that had it then.
        op(LDXDW, 1, 9, 0, 0),
        op(MOV32, 8, 1, 0, 0),
        op(RSH_K, 1, 0, 0, 32),
        jump(JGT_K, 8, 0, MOST as i32 - 1, To::Stale),
        op(STXW, 10, 8, SLOT, 0),
        op(LSH_K, 8, 0, 0, MEMBER_SHIFT),
        op(ADD, 8, 7, 0, 0),
        op(LDXDW, 3, 8, STATE, 0),
        op(MOV32, 4, 3, 0, 0),
        op(RSH_K, 3, 0, 0, 32),
        // Another has the slot by now, or what it was given is to go to others.
        jump(JNE, 3, 1, 0, To::Stale),
        jump(JEQ_K, 4, 0, 0, To::Stale),
        jump(JEQ_K, 4, 0, IS_LIVE as i32, To::Keeps),
        // At a member that gets no new flows one that has been silent for long is over, and this is another with the same ports.
        op(SUB, 0, 5, 0, 0),
        op(LDXDW, 2, 7, GRACE, 0),
        jump(JGT, 0, 2, 0, To::Stale),
        // From here on it is known.
        op(MOV_K, 1, 0, 0, 1),
        op(ATOMIC_DW, 8, 1, DATAGRAMS, PLAIN_ADD),
        jump(JA, 0, 0, 0, To::Select),
    ]
}

/// Gives the flow to a live member.
const CHOOSE: [Step; 26] = [
    // Who is live, in one load: how many, and from which place on.
    op(LDXDW, 8, 7, LIVE, 0),
    op(MOV32, 2, 8, 0, 0),
    // Nobody: the kernel chooses, and what it chooses waits there for a worker.
    jump(JEQ_K, 2, 0, 0, To::Pass),
    // By the kernel's hash of the flow, whose secret nobody knows: a flow that was forgotten goes to the same one again while the same
    // ones are live, so that whoever invents flows, until the table forgets all others, moves none.
    op(LDXW, 3, 6, HASH, 0),
    op(MOD, 3, 2, 0, 0),
    op(RSH_K, 8, 0, 0, 32),
    op(ADD, 3, 8, 0, 0),
    // The verifier wants to see that it lies within.
    jump(JGT_K, 3, 0, 2 * MOST as i32 - 1, To::Pass),
    op(LSH_K, 3, 0, 0, 2),
    op(ADD, 3, 7, 0, 0),
    op(LDXW, 2, 3, SLOTS, 0),
    jump(JGT_K, 2, 0, MOST as i32 - 1, To::Pass),
    op(STXW, 10, 2, SLOT, 0),
    // The slot with its generation.
    op(MOV, 4, 2, 0, 0),
    op(LSH_K, 4, 0, 0, MEMBER_SHIFT),
    op(ADD, 4, 7, 0, 0),
    op(LDXDW, 5, 4, STATE, 0),
    op(RSH_K, 5, 0, 0, 32),
    op(LSH_K, 5, 0, 0, 32),
    op(OR, 5, 2, 0, 0),
    op(MOV_K, 1, 0, 0, 1),
    op(ATOMIC_DW, 4, 1, DATAGRAMS, PLAIN_ADD),
    op(ATOMIC_DW, 4, 1, FLOWS, PLAIN_ADD),
    jump(JEQ_K, 9, 0, 0, To::New),
    // It stood somewhere: one store changes that.
    op(STXDW, 9, 5, 0, 0),
    jump(JA, 0, 0, 0, To::Select),
];

/// Remembers it. If another processor has just done so, or there is no memory, that is as good: the hash says the same again.
fn remember(maps: Maps) -> [Step; 9] {
    [
        op(STXDW, 10, 5, OWNER, 0),
        op(LDDW, 1, MAP, 0, maps.flows),
        op(0, 0, 0, 0, 0),
        op(MOV, 2, 10, 0, 0),
        op(ADD_K, 2, 0, 0, FLOW as i32),
        op(MOV, 3, 10, 0, 0),
        op(ADD_K, 3, 0, 0, OWNER as i32),
        op(MOV_K, 4, 0, 0, IF_NEW),
        op(CALL, 0, 0, 0, MAP_UPDATE_ELEM),
    ]
}

/// The socket in its slot. If that is empty the kernel chooses.
fn select(maps: Maps) -> [Step; 9] {
    [
        op(MOV, 1, 6, 0, 0),
        op(LDDW, 2, MAP, 0, maps.sockets),
        op(0, 0, 0, 0, 0),
        op(MOV, 3, 10, 0, 0),
        op(ADD_K, 3, 0, 0, SLOT as i32),
        op(MOV_K, 4, 0, 0, 0),
        op(CALL, 0, 0, 0, SELECT_REUSEPORT),
        op(MOV_K, 0, 0, 0, SK_PASS),
        op(EXIT, 0, 0, 0, 0),
    ]
}

/// The whole program.
pub(super) fn program(maps: Maps) -> Vec<Instruction> {
    let mut code = Assembly::new();
    code.add(begin(maps));
    code.add(addresses(ADDRESSES_V4));
    code.add([jump(JA, 0, 0, 0, To::Addressed)]);
    code.place(To::Ipv6);
    code.add(addresses(ADDRESSES_V6));
    code.place(To::Addressed);
    code.add(look(maps));
    code.place_before(To::Keeps, 3);
    code.place(To::Unknown);
    code.place(To::Stale);
    code.add(CHOOSE);
    code.place(To::New);
    code.add(remember(maps));
    code.place(To::Select);
    code.add(select(maps));
    // The last two of those: whatever was found, or nothing.
    code.place_before(To::Pass, 2);
    code.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::datagrams::table::MEMBERS;

    const MAPS: Maps = Maps { table: 3, sockets: 4, flows: 5 };

    #[test]
    fn jumps_go_forward_to_the_beginning_of_an_instruction() {
        assembly::check_jumps(&program(MAPS));
    }

    #[test]
    fn it_ends_by_passing_whatever_was_found() {
        let program = program(MAPS);
        let last = program.len() - 2;
        assert_eq!((program[last].immediate, program[last + 1].code), (SK_PASS, EXIT));
        let target = |at: usize| at + 1 + program[at].offset as usize;
        // A datagram whose ports cannot be seen is the first for which the kernel chooses.
        let short = program.iter().position(|one| one.code == JGT).unwrap();
        assert_eq!(target(short), last);
    }

    #[test]
    fn a_flow_is_written_whole_before_it_is_looked_for() {
        let program = program(MAPS);
        let zeroed: Vec<i16> =
            program.iter().filter(|one| one.code == STDW_K).map(|one| one.offset).collect();
        assert_eq!(zeroed, [-40, -32, -24, -16, -8]);
        assert_eq!(i32::from(FLOW), -(FLOW_SIZE as i32));
        assert_eq!(i32::from(ADDRESSES) + ADDRESSES_V6.1, 0, "the longest addresses end with the stack");
    }

    #[test]
    fn offsets_fit_into_an_instruction() {
        assert!(MEMBERS > SLOTS && i32::from(FLOWS) < 1 << 15);
        assert_eq!((LIVE % 8, STATE % 8, DATAGRAMS % 8, FLOWS % 8, OWNER % 8), (0, 0, 0, 0, 0));
    }
}
