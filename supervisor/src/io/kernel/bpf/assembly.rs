//! What programs for the kernel are written in: one line for each instruction, and jumps to places that have names. It knows no program.

use super::Instruction;

/// Functions of the kernel.
pub(in crate::io) const MAP_LOOKUP_ELEM: i32 = 1;
pub(in crate::io) const MAP_UPDATE_ELEM: i32 = 2;
pub(in crate::io) const KTIME_GET_NS: i32 = 5;
pub(in crate::io) const SKB_LOAD_BYTES_RELATIVE: i32 = 68;
pub(in crate::io) const SELECT_REUSEPORT: i32 = 82;

/// `BPF_PSEUDO_MAP_FD` and `BPF_PSEUDO_MAP_VALUE`: the number that is loaded is a map, or the memory of its first value.
pub(in crate::io) const MAP: u8 = 1;
pub(in crate::io) const MEMORY: u8 = 2;

// Operations, named as in the kernel's documentation of the instruction set; `_K` takes a number, the others a register.
pub(in crate::io) const LDDW: u8 = 0x18;
pub(in crate::io) const LDXW: u8 = 0x61;
pub(in crate::io) const LDXB: u8 = 0x71;
pub(in crate::io) const LDXDW: u8 = 0x79;
pub(in crate::io) const STW_K: u8 = 0x62;
pub(in crate::io) const STDW_K: u8 = 0x7a;
pub(in crate::io) const STXW: u8 = 0x63;
pub(in crate::io) const STXDW: u8 = 0x7b;
pub(in crate::io) const ATOMIC_DW: u8 = 0xdb;
pub(in crate::io) const ADD: u8 = 0x0f;
pub(in crate::io) const ADD_K: u8 = 0x07;
pub(in crate::io) const SUB: u8 = 0x1f;
pub(in crate::io) const AND_K: u8 = 0x57;
pub(in crate::io) const OR: u8 = 0x4f;
pub(in crate::io) const OR_K: u8 = 0x47;
pub(in crate::io) const LSH_K: u8 = 0x67;
pub(in crate::io) const RSH_K: u8 = 0x77;
pub(in crate::io) const ARSH_K: u8 = 0xc7;
pub(in crate::io) const MOD: u8 = 0x9f;
pub(in crate::io) const MOV: u8 = 0xbf;
pub(in crate::io) const MOV_K: u8 = 0xb7;
pub(in crate::io) const MOV32: u8 = 0xbc;
pub(in crate::io) const JEQ_K: u8 = 0x15;
pub(in crate::io) const JA: u8 = 0x05;
pub(in crate::io) const JNE: u8 = 0x5d;
pub(in crate::io) const JNE_K: u8 = 0x55;
pub(in crate::io) const JGT: u8 = 0x2d;
pub(in crate::io) const JGT_K: u8 = 0x25;
pub(in crate::io) const JGE: u8 = 0x3d;
pub(in crate::io) const JLE_K: u8 = 0xb5;
pub(in crate::io) const JSGE_K: u8 = 0x75;
pub(in crate::io) const CALL: u8 = 0x85;
pub(in crate::io) const EXIT: u8 = 0x95;
/// An atomic addition that tells what was there before (5.12), and one that does not.
pub(in crate::io) const FETCH_ADD: i32 = 0x01;
pub(in crate::io) const PLAIN_ADD: i32 = 0x00;

/// One instruction, and where it jumps to if that has yet to be worked out.
pub(in crate::io) type Step<L> = (Instruction, Option<L>);

/// An instruction that does not jump.
pub(in crate::io) const fn op<L>(code: u8, to: u8, from: u8, offset: i16, immediate: i32) -> Step<L> {
    (Instruction { code, registers: to | from << 4, offset, immediate }, None)
}

/// One that jumps to the place of this name.
pub(in crate::io) const fn jump<L>(code: u8, left: u8, right: u8, immediate: i32, to: L) -> Step<L> {
    (Instruction { code, registers: left | right << 4, offset: 0, immediate }, Some(to))
}

/// The program as far as it is put together. Jumps go forward only.
#[derive(Debug)]
pub(in crate::io) struct Assembly<L> {
    steps: Vec<Step<L>>,
}

impl<L: PartialEq> Assembly<L> {
    pub(in crate::io) fn new() -> Self {
        Self { steps: Vec::new() }
    }

    pub(in crate::io) fn add(&mut self, steps: impl IntoIterator<Item = Step<L>>) {
        self.steps.extend(steps);
    }

    /// Jumps to there come here, to the step that is added next.
    pub(in crate::io) fn place(&mut self, here: L) {
        self.place_before(here, 0);
    }

    /// The same, so many steps back.
    pub(in crate::io) fn place_before(&mut self, here: L, back: usize) {
        let target = self.steps.len() - back;
        for (at, (instruction, to)) in self.steps.iter_mut().enumerate() {
            if to.take_if(|to| *to == here).is_some() {
                // The program is far shorter than a jump may be.
                instruction.offset = (target - at - 1) as i16;
            }
        }
    }

    pub(in crate::io) fn finish(self) -> Vec<Instruction> {
        debug_assert!(self.steps.iter().all(|(_, to)| to.is_none()), "a jump goes nowhere");
        self.steps.into_iter().map(|(instruction, _)| instruction).collect()
    }
}

/// What has to hold of any program: each jump goes forward to the beginning of an instruction of it.
#[cfg(test)]
pub(in crate::io) fn check_jumps(program: &[Instruction]) {
    let is_jump = |code: u8| code & 0x07 == 0x05 && ![CALL, EXIT].contains(&code);
    for (at, one) in program.iter().enumerate().filter(|(_, one)| is_jump(one.code)) {
        let to = at + 1 + usize::try_from(one.offset).expect("forward");
        assert!(to < program.len(), "the jump at {at} goes to {to}");
        assert_ne!(program[to - 1].code, LDDW, "the jump at {at} goes to the second half of a load");
    }
}
