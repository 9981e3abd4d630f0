//! The instructions of the steering program, which runs in the kernel for each SYN: it rotates over the live members of the table, and of the
//! next few takes the first whose worker is idle, else the one for which the fewest wait. Nothing is needed to build it. It reads nothing of a
//! packet but whether it begins a connection, and believes of a worker only what concerns that worker.

use crate::io::kernel::bpf::Instruction;
use crate::io::kernel::bpf::assembly::{
    self, ADD, ADD_K, AND_K, ARSH_K, ATOMIC_DW, Assembly, CALL, EXIT, FETCH_ADD, JEQ_K, JGE, JGT, JGT_K,
    JLE_K, JNE_K, JSGE_K, LDDW, LDXB, LDXDW, LDXW, LSH_K, MAP, MAP_LOOKUP_ELEM, MEMORY, MOD, MOV, MOV_K,
    MOV32, OR_K, PLAIN_ADD, RSH_K, SELECT_REUSEPORT, STDW_K, STW_K, STXDW, STXW, SUB, jump, op,
};
use crate::io::steering::live_list::{LIVE, MOST, SLOTS};
use crate::io::steering::table::{GIVEN, REFUSE, SEEN_AFTER_GIVEN, TURN};
use clustermon_protocol::pulse::{ACCEPTED_AT, PLACES, STATE, STATE_AT, WAITING};

/// So many live members are looked at for one connection, from the one on whose turn it is: the program has no loop, and each costs about
/// 20 ns.
pub(super) const LOOKED_AT: i32 = 8;

/// Descriptors of the maps.
#[derive(Clone, Copy, Debug)]
pub(super) struct Maps {
    pub(super) table: i32,
    pub(super) sockets: i32,
    pub(super) pulses: i32,
}

/// Where a jump goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum To {
    Counts,
    Turn,
    NotNegative,
    IsWaiting,
    /// The next member to look at.
    Next,
    /// The best has been found.
    Found,
    /// The kernel chooses.
    Pass,
    Drop,
}

/// Offsets in `struct sk_reuseport_md`.
const DATA: i16 = 0;
const DATA_END: i16 = 8;
const MIGRATING: i16 = 48;
/// Where the flags of a TCP header are, and the two that tell a SYN from what follows it.
const FLAGS_AT: i16 = 13;
const SYN_ACK: i32 = 0x12;
const SYN: i32 = 0x02;
pub(super) const SK_DROP: i32 = 0;
pub(super) const SK_PASS: i32 = 1;

/// The stack, which register 10 points to the end of: a slot as a key, the key 0, how many wait for the best member and twice that, its slot, and
/// whether a connection begins.
const KEY: i16 = -4;
const ZERO: i16 = -8;
const LEAST: i16 = -16;
const BEST: i16 = -24;
const BEGINS: i16 = -32;

type Step = assembly::Step<To>;

/// Registers from here on: r6 what is asked, r7 the table, r8 who is live, r9 the turn.
fn begin(maps: Maps, migrates: bool) -> Vec<Step> {
    // Kernels before 5.14 do not tell, and move nothing.
    let migrating = if migrates { op(LDXDW, 3, 6, MIGRATING, 0) } else { op(MOV_K, 3, 0, 0, 0) };
    vec![
        // What is asked is needed at the end.
        op(MOV, 6, 1, 0, 0),
        op(LDDW, 7, MEMORY, 0, maps.table),
        op(0, 0, 0, 0, 0),
        // The cluster is closed: the client hears that at once.
        op(LDXDW, 3, 7, REFUSE, 0),
        jump(JNE_K, 3, 0, 0, To::Drop),
        // Who is live, in one load: how many, and from which place on.
        op(LDXDW, 8, 7, LIVE, 0),
        op(MOV32, 2, 8, 0, 0),
        // Nobody: the kernel chooses, and what it chooses waits there for a worker.
        jump(JEQ_K, 2, 0, 0, To::Pass),
        // What moves from a member that closes counts like a connection. There is no packet then.
        migrating,
        jump(JNE_K, 3, 0, 0, To::Counts),
        // Else one begins with a SYN. A stray packet gets some live member, and nobody loses a turn by it.
        op(MOV_K, 9, 0, 0, 0),
        op(LDXDW, 3, 6, DATA, 0),
        op(LDXDW, 4, 6, DATA_END, 0),
        op(MOV, 5, 3, 0, 0),
        op(ADD_K, 5, 0, 0, FLAGS_AT as i32 + 1),
        jump(JGT, 5, 4, 0, To::Turn),
        op(LDXB, 5, 3, FLAGS_AT, 0),
        op(AND_K, 5, 0, 0, SYN_ACK),
        jump(JNE_K, 5, 0, SYN, To::Turn),
    ]
}

/// The turn, which is the next one's after a connection.
const COUNTS: [Step; 1] = [op(MOV_K, 9, 0, 0, 1)];
const TURNS: [Step; 4] = [
    op(STXDW, 10, 9, BEGINS, 0),
    op(ATOMIC_DW, 7, 9, TURN, FETCH_ADD),
    // None has been found: more than any number.
    op(STDW_K, 10, 0, LEAST, -1),
    op(STW_K, 10, 0, ZERO, 0),
];

/// Looks at the member that is so many places behind the one on whose turn it is.
fn look(maps: Maps, behind: i32) -> Vec<Step> {
    // Where nothing is known of the first, rotation alone decides.
    let unknown = if behind == 0 { To::Found } else { To::Next };
    let mut steps = vec![op(MOV32, 1, 8, 0, 0)];
    if behind > 0 {
        // There are no more.
        steps.push(jump(JLE_K, 1, 0, behind, To::Found));
    }
    steps.extend([
        // Its place in the table: the verifier wants to see that it lies within.
        op(MOV, 2, 9, 0, 0),
        op(ADD_K, 2, 0, 0, behind),
        op(MOD, 2, 1, 0, 0),
        op(MOV, 3, 8, 0, 0),
        op(RSH_K, 3, 0, 0, 32),
        op(ADD, 2, 3, 0, 0),
        jump(JGT_K, 2, 0, 2 * MOST as i32 - 1, To::Pass),
        op(LSH_K, 2, 0, 0, 2),
        op(ADD, 2, 7, 0, 0),
        op(LDXW, 4, 2, SLOTS, 0),
        op(STXW, 10, 4, KEY, 0),
    ]);
    if behind == 0 {
        steps.push(op(STXW, 10, 4, BEST, 0));
    }
    steps.extend([
        // The page of its worker, if there is one to look at.
        op(LDDW, 1, MAP, 0, maps.pulses),
        op(0, 0, 0, 0, 0),
        op(MOV, 2, 10, 0, 0),
        op(ADD_K, 2, 0, 0, KEY as i32),
        op(CALL, 0, 0, 0, MAP_LOOKUP_ELEM),
        jump(JEQ_K, 0, 0, 0, unknown),
        op(MOV, 1, 0, 0, 0),
        op(MOV, 2, 10, 0, 0),
        op(ADD_K, 2, 0, 0, ZERO as i32),
        op(CALL, 0, 0, 0, MAP_LOOKUP_ELEM),
        jump(JEQ_K, 0, 0, 0, unknown),
        // How many connections it was given, and which thread accepts them.
        op(LDXW, 1, 10, KEY, 0),
        jump(JGT_K, 1, 0, MOST as i32 - 1, To::Pass),
        op(LSH_K, 1, 0, 0, 3),
        op(ADD, 1, 7, 0, 0),
        op(LDXDW, 2, 1, GIVEN, 0),
        op(ADD_K, 1, 0, 0, SEEN_AFTER_GIVEN),
        op(LDXDW, 3, 1, GIVEN, 0),
        op(MOV32, 4, 3, 0, 0),
        jump(JEQ_K, 4, 0, 0, unknown),
        op(AND_K, 4, 0, 0, PLACES as i32),
        op(ADD, 0, 4, 0, 0),
        // Less what that thread has accepted, and what is known to have gone elsewhere: so many wait for it.
        op(RSH_K, 3, 0, 0, 32),
        op(LDXDW, 5, 0, ACCEPTED_AT as i16, 0),
        op(SUB, 2, 3, 0, 0),
        op(SUB, 2, 5, 0, 0),
        // In 32 bits, with a sign: what came from elsewhere is none.
        op(LSH_K, 2, 0, 0, 32),
        op(ARSH_K, 2, 0, 0, 32),
        jump(JSGE_K, 2, 0, 0, To::NotNegative),
        op(MOV_K, 2, 0, 0, 0),
    ]);
    steps
}

/// Compares that member to the best one.
const COMPARE: [Step; 1] = [op(LSH_K, 2, 0, 0, 1)];
const STATES: [Step; 4] = [
    // Of two for which as many wait, one whose thread waits for connections comes first.
    op(LDXW, 4, 0, STATE_AT as i16, 0),
    op(AND_K, 4, 0, 0, STATE as i32),
    jump(JEQ_K, 4, 0, WAITING as i32, To::IsWaiting),
    op(OR_K, 2, 0, 0, 1),
];
const KEEP: [Step; 6] = [
    op(LDXDW, 1, 10, LEAST, 0),
    jump(JGE, 2, 1, 0, To::Next),
    op(STXDW, 10, 2, LEAST, 0),
    op(LDXW, 1, 10, KEY, 0),
    op(STXW, 10, 1, BEST, 0),
    // It is idle: there is none better.
    jump(JEQ_K, 2, 0, 0, To::Found),
];

fn end(maps: Maps) -> [Step; 16] {
    [
        op(LDXW, 4, 10, BEST, 0),
        op(STXW, 10, 4, KEY, 0),
        // A connection counts for it.
        jump(JGT_K, 4, 0, MOST as i32 - 1, To::Pass),
        op(LDXDW, 1, 10, BEGINS, 0),
        op(LSH_K, 4, 0, 0, 3),
        op(ADD, 4, 7, 0, 0),
        op(ATOMIC_DW, 4, 1, GIVEN, PLAIN_ADD),
        // The socket in its slot. If that is empty the kernel chooses.
        op(MOV, 1, 6, 0, 0),
        op(LDDW, 2, MAP, 0, maps.sockets),
        op(0, 0, 0, 0, 0),
        op(MOV, 3, 10, 0, 0),
        op(ADD_K, 3, 0, 0, KEY as i32),
        op(MOV_K, 4, 0, 0, 0),
        op(CALL, 0, 0, 0, SELECT_REUSEPORT),
        op(MOV_K, 0, 0, 0, SK_PASS),
        op(EXIT, 0, 0, 0, 0),
    ]
}

const DROPS: [Step; 2] = [op(MOV_K, 0, 0, 0, SK_DROP), op(EXIT, 0, 0, 0, 0)];

/// The whole program.
pub(super) fn program(maps: Maps, migrates: bool) -> Vec<Instruction> {
    let mut code = Assembly::new();
    code.add(begin(maps, migrates));
    code.place(To::Counts);
    code.add(COUNTS);
    code.place(To::Turn);
    code.add(TURNS);
    for behind in 0..LOOKED_AT {
        code.add(look(maps, behind));
        code.place(To::NotNegative);
        code.add(COMPARE);
        code.add(STATES);
        code.place(To::IsWaiting);
        code.add(KEEP);
        code.place(To::Next);
    }
    code.place(To::Found);
    code.add(end(maps));
    // The last two of those: whatever was found, or nothing.
    code.place_before(To::Pass, 2);
    code.place(To::Drop);
    code.add(DROPS);
    code.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAPS: Maps = Maps { table: 3, sockets: 4, pulses: 5 };

    #[test]
    fn jumps_go_forward_to_the_beginning_of_an_instruction() {
        for migrates in [true, false] {
            assembly::check_jumps(&program(MAPS, migrates));
        }
    }

    #[test]
    fn it_ends_by_passing_or_dropping() {
        let program = program(MAPS, true);
        let last = program.len() - 4;
        let results = [program[last].immediate, program[last + 2].immediate];
        assert_eq!(results, [SK_PASS, SK_DROP]);
        // The third condition of all is that nobody is live.
        let (refused, nobody) = (4, 7);
        let target = |at: usize| at + 1 + program[at].offset as usize;
        assert_eq!((target(refused), target(nobody)), (last + 2, last));
    }

    #[test]
    fn it_asks_for_nothing_that_an_older_kernel_does_not_tell() {
        let asks = |migrates| program(MAPS, migrates).contains(&op::<To>(LDXDW, 3, 6, MIGRATING, 0).0);
        assert!(asks(true) && !asks(false));
    }

    #[test]
    fn offsets_fit_into_an_instruction() {
        assert!(GIVEN > SLOTS && i32::from(GIVEN) < 1 << 15);
        assert_eq!((TURN % 8, LIVE % 8, GIVEN % 8, SEEN_AFTER_GIVEN % 8), (0, 0, 0, 0));
    }
}
