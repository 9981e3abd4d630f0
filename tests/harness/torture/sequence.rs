//! Sequences of socket calls for apps/c/play.c, made from a seed. The same seed makes the same sequence for ever on one
//! version of this file.

use std::fmt::{self, Write};

/// One call, in the words of apps/c/play.c.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Op {
    name: &'static str,
    args: [i32; 4],
}

/// Some calls in a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sequence {
    pub ops: Vec<Op>,
}

impl fmt::Display for Sequence {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Op { name, args: [a, b, c, d] } in &self.ops {
            writeln!(out, "{name} {a} {b} {c} {d}")?;
        }
        Ok(())
    }
}

/// The file that the player reads: every sequence with a number of its own.
pub(super) fn script(sequences: &[Sequence]) -> String {
    let mut text = String::new();
    for (index, sequence) in sequences.iter().enumerate() {
        let _ = write!(text, "sequence {}\n{sequence}end\n", number(index));
    }
    text
}

/// The number of the sequence at this place; it becomes a part of addresses, of which the first are the system's.
pub(super) fn number(index: usize) -> usize {
    index + 64
}

/// xorshift64*, enough to scatter tests.
struct Dice(u64);

impl Dice {
    fn new(seed: u64) -> Self {
        // Seeds that lie side by side must not begin alike.
        Self(seed.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    fn roll(&mut self, sides: u32) -> i32 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let high = (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as u32;
        (high % sides) as i32
    }

    fn pick(&mut self, choices: &[i32]) -> i32 {
        choices[self.roll(choices.len() as u32) as usize]
    }

    fn chance(&mut self, percent: i32) -> bool {
        self.roll(100) < percent
    }
}

const SLOTS: usize = 8;

/// What the generator believes of a slot: calls that make sense come oftener.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Likely {
    Empty,
    Fresh,
    Bound,
    Listening,
    Connected,
    Set,
}

struct Writer {
    dice: Dice,
    slots: [Likely; SLOTS],
    /// Of bound ones.
    place: [i32; SLOTS],
    ops: Vec<Op>,
}

/// The sequence of this seed.
pub fn generate(seed: u64) -> Sequence {
    let mut writer =
        Writer { dice: Dice::new(seed), slots: [Likely::Empty; SLOTS], place: [0; SLOTS], ops: Vec::new() };
    let length = 6 + writer.dice.roll(26) as usize;
    while writer.ops.len() < length {
        writer.step();
    }
    Sequence { ops: writer.ops }
}

impl Writer {
    fn push(&mut self, name: &'static str, args: [i32; 4]) {
        self.ops.push(Op { name, args });
    }

    fn slot_that(&mut self, is: Likely) -> Option<usize> {
        let found: Vec<_> = (0..SLOTS).filter(|slot| self.slots[*slot] == is).collect();
        (!found.is_empty()).then(|| found[self.dice.roll(found.len() as u32) as usize])
    }

    /// Mostly one that has something.
    fn any_slot(&mut self) -> usize {
        let used: Vec<_> = (0..SLOTS).filter(|slot| self.slots[*slot] != Likely::Empty).collect();
        if used.is_empty() || self.dice.chance(10) {
            return self.dice.roll(SLOTS as u32) as usize;
        }
        used[self.dice.roll(used.len() as u32) as usize]
    }

    /// A listener if there is one.
    fn listener(&mut self) -> usize {
        self.slot_that(Likely::Listening).unwrap_or_else(|| self.any_slot())
    }

    fn free_slot(&mut self) -> usize {
        self.slot_that(Likely::Empty).unwrap_or_else(|| self.dice.roll(SLOTS as u32) as usize)
    }

    fn step(&mut self) {
        match self.dice.roll(100) {
            0..12 => self.socket(),
            12..24 => self.bind(),
            24..34 => self.listen(),
            34..46 => self.connect(),
            46..58 => self.accept(),
            58..66 => self.watch(),
            66..74 => self.option(),
            74..80 => self.name(),
            80..85 => self.copy(),
            85..89 => self.flag(),
            89..94 => self.close(),
            94..96 => self.shutdown(),
            96..98 => {
                let children = 1 + self.dice.roll(5);
                self.push("fork", [children, 0, 0, 0]);
            }
            _ => self.rare(),
        }
    }

    fn socket(&mut self) {
        let slot = self.free_slot();
        let kind = self.dice.pick(&[0, 0, 0, 1, 2, 2, 3]);
        let flags = self.dice.pick(&[0, 0, 1, 2, 3]);
        self.push("socket", [slot as i32, kind, flags, 0]);
        self.slots[slot] = Likely::Fresh;
        self.place[slot] = kind;
        if kind != 2 && self.dice.chance(70) {
            self.push("set", [slot as i32, REUSE_ADDR, 1, 0]);
        }
        if kind < 2 && self.dice.chance(10) {
            self.push("set", [slot as i32, REUSE_PORT, 1, 0]);
        }
        if self.dice.chance(70) {
            self.bind_slot(slot);
            if self.dice.chance(80) {
                self.push("listen", [slot as i32, self.dice.0 as i32 & 3, 0, 0]);
                self.slots[slot] = Likely::Listening;
            }
        }
    }

    fn bind(&mut self) {
        let slot = self.slot_that(Likely::Fresh).unwrap_or_else(|| self.any_slot());
        self.bind_slot(slot);
    }

    fn bind_slot(&mut self, slot: usize) {
        let fitting: &[i32] = match self.place[slot] {
            1 => &[2],
            2 => &[3, 3, 4, 5],
            _ => &[0, 0, 1, 6, 7],
        };
        let place = if self.dice.chance(8) { self.dice.roll(14) } else { self.dice.pick(fitting) };
        let nowhere = if self.dice.chance(4) { 1 + self.dice.roll(2) } else { 0 };
        self.push("bind", [slot as i32, place, nowhere, 0]);
        if place < 8 && self.slots[slot] == Likely::Fresh {
            self.slots[slot] = Likely::Bound;
            self.place[slot] = place;
        }
    }

    fn listen(&mut self) {
        let slot = match self.slot_that(Likely::Bound) {
            Some(slot) if self.dice.chance(80) => slot,
            _ => self.any_slot(),
        };
        let backlog = self.dice.roll(4);
        self.push("listen", [slot as i32, backlog, 0, 0]);
        if self.slots[slot] == Likely::Bound {
            self.slots[slot] = Likely::Listening;
        }
    }

    fn connect(&mut self) {
        let listener = self.slot_that(Likely::Listening);
        let place = match listener {
            Some(slot) if self.dice.chance(85) => self.place[slot],
            _ => self.dice.roll(14),
        };
        if self.dice.chance(12) {
            let slot = self.any_slot();
            self.push("connect_from", [slot as i32, place, 0, 0]);
            return;
        }
        let slot = self.free_slot();
        self.push("connect", [slot as i32, place, 0, 0]);
        self.slots[slot] = Likely::Connected;
        if self.dice.chance(40) {
            self.accept();
        }
    }

    fn accept(&mut self) {
        let (slot, to) = (self.listener(), self.free_slot());
        let how = if self.dice.chance(95) { self.dice.roll(8) } else { 8 + self.dice.roll(2) };
        self.push("accept", [slot as i32, to as i32, how, 0]);
        self.slots[to] = Likely::Connected;
    }

    fn watch(&mut self) {
        match (self.slot_that(Likely::Set), self.dice.roll(5)) {
            (None, 0 | 1) => {
                let slot = self.free_slot();
                self.push("epoll", [slot as i32, 0, 0, 0]);
                self.slots[slot] = Likely::Set;
                let watched = self.any_slot();
                self.push("ctl", [slot as i32, watched as i32, 0, 0]);
            }
            (Some(set), 0) => {
                let watched = self.any_slot();
                let (what, how) = (self.dice.pick(&[0, 0, 1, 2]), self.dice.roll(4));
                self.push("ctl", [set as i32, watched as i32, what, how]);
            }
            (Some(set), 1 | 2) => self.push("wait", [set as i32, 0, 0, 0]),
            _ => {
                let slot = self.any_slot();
                let how = self.dice.roll(2);
                self.push("poll", [slot as i32, how, 0, 0]);
            }
        }
    }

    fn option(&mut self) {
        let slot = self.any_slot();
        let which = self.dice.roll(33);
        if self.dice.chance(50) {
            let how = if self.dice.chance(80) { 0 } else { self.dice.roll(10) };
            self.push("get", [slot as i32, which, how, 0]);
        } else {
            let value = self.dice.pick(&[0, 1, 1, 7, 2000, -1]);
            let how = if self.dice.chance(85) { 0 } else { self.dice.roll(6) };
            self.push("set", [slot as i32, which, value, how]);
            self.push("get", [slot as i32, which, 1, 0]);
        }
    }

    fn name(&mut self) {
        let slot = self.any_slot();
        let how = if self.dice.chance(60) { 0 } else { self.dice.roll(9) };
        let peer = i32::from(self.dice.chance(30));
        self.push("name", [slot as i32, if peer == 1 { how % 6 } else { how }, peer, 0]);
    }

    fn copy(&mut self) {
        let slot = self.any_slot();
        let how = self.dice.roll(8);
        let to = if how & 3 == 3 { self.any_slot() } else { self.free_slot() };
        self.push("dup", [slot as i32, to as i32, how, 0]);
        self.slots[to] = self.slots[slot];
        self.place[to] = self.place[slot];
    }

    fn flag(&mut self) {
        let slot = self.any_slot();
        let (which, on) = (self.dice.roll(5), self.dice.roll(2));
        self.push("flag", [slot as i32, which, on, 0]);
    }

    fn close(&mut self) {
        let slot = self.any_slot();
        self.push("close", [slot as i32, 0, 0, 0]);
        self.slots[slot] = Likely::Empty;
    }

    fn shutdown(&mut self) {
        let slot = self.any_slot();
        let how = self.dice.pick(&[0, 1, 2, 2, 3]);
        self.push("shutdown", [slot as i32, how, 0, 0]);
    }

    fn rare(&mut self) {
        let slot = self.any_slot();
        match self.dice.roll(5) {
            0 => {
                self.push("close_range", [0; 4]);
                self.slots = [Likely::Empty; SLOTS];
            }
            1 | 2 => {
                let (place, how) = (self.dice.pick(&[3, 3, 4]), self.dice.roll(3));
                self.push("unlink", [place, how, 0, 0]);
            }
            3 => {
                let (slot, how) = (self.listener(), self.dice.roll(22));
                self.push("data", [slot as i32, how, 0, 0]);
            }
            _ => self.push("fate", [slot as i32, 0, 0, 0]),
        }
    }
}

/// Their places in apps/c/play_options.h.
const REUSE_ADDR: i32 = 4;
const REUSE_PORT: i32 = 5;
