//! The search: every state that can be reached, each once, and the shortest way to one that must not be.

extern crate std;

use super::state::{Rotation, State};
use super::{LOST, Model};
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::string::String;
use std::vec::Vec;

/// The states to which one step leads.
#[derive(Debug, Default)]
pub(super) struct Next {
    who: u8,
    states: Vec<(u8, &'static str, State)>,
}

impl Next {
    pub(super) fn push(&mut self, name: &'static str, state: State) {
        self.states.push((self.who, name, state));
    }
}

#[derive(Debug)]
pub(super) struct Found {
    pub(super) states: usize,
    pub(super) broken: Option<&'static str>,
    /// The steps that lead there.
    pub(super) trace: String,
    /// Some way leads to where all connections are accepted that may be and, if it was asked for, the first lane is out of rotation.
    pub(super) comes_to_its_end: bool,
}

impl Model {
    pub(super) fn search(&self) -> Found {
        let mut states = Vec::from([self.start]);
        let mut from: Vec<(u32, u8, &'static str)> = Vec::from([(0, 0, "")]);
        let mut seen: HashMap<State, (), BuildHasherDefault<Fast>> = HashMap::default();
        seen.insert(self.start, ());
        let counts = self.ceilings.iter().any(Option::is_some);
        let mut next = Next::default();
        let mut comes_to_its_end = false;
        let mut at = 0;
        while at < states.len() {
            let state = states[at];
            if let Some(broken) = self.broken(&state, &mut next) {
                let trace = trace(&from, at);
                return Found { states: states.len(), broken: Some(broken), trace, comes_to_its_end };
            }
            comes_to_its_end |= state.to_arrive == 0
                && (state.queue == 0 || self.ceilings[0] == Some(state.lanes[0].taken))
                && (!self.start.cordon || state.lanes[0].rotation == Rotation::Out);
            for (who, name, mut after) in next.states.drain(..) {
                for lane in &mut after.lanes {
                    lane.simplify(counts);
                }
                if seen.insert(after, ()).is_none() {
                    states.push(after);
                    from.push((at as u32, who, name));
                }
            }
            at += 1;
        }
        Found { states: states.len(), broken: None, trace: String::new(), comes_to_its_end }
    }

    /// What is wrong with this state; where nothing is, all that can follow it.
    fn broken(&self, state: &State, next: &mut Next) -> Option<&'static str> {
        if state.broken.is_some() {
            return state.broken;
        }
        next.who = 1;
        self.supervisor_steps(state, next);
        for which in 0..state.threads.len() {
            next.who = 2 + which as u8;
            self.thread_steps(state, which, next);
        }
        next.who = 0;
        if next.states.is_empty() {
            self.timer(state, next);
            if next.states.is_empty() && self.is_lost(state) {
                return Some(LOST);
            }
        }
        self.other_steps(state, next);
        None
    }
}

fn trace(from: &[(u32, u8, &'static str)], mut at: usize) -> String {
    let mut steps = Vec::new();
    while at != 0 {
        steps.push(std::format!(
            "{}{}\n",
            ["", "supervisor ", "T1 ", "T2 ", "T3 "][usize::from(from[at].1)],
            from[at].2
        ));
        at = from[at].0 as usize;
    }
    steps.reverse();
    steps.concat()
}

/// A hash that is made for speed: states are many, and none is chosen to collide.
#[derive(Debug, Default)]
pub(super) struct Fast(u64);

impl Fast {
    fn add(&mut self, value: u64) {
        self.0 = (self.0.rotate_left(5) ^ value).wrapping_mul(0x517c_c1b7_2722_0a95);
    }
}

impl Hasher for Fast {
    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.add(u64::from_le_bytes(word));
        }
    }

    fn write_u8(&mut self, value: u8) {
        self.add(value.into());
    }

    fn write_u32(&mut self, value: u32) {
        self.add(value.into());
    }

    fn write_u64(&mut self, value: u64) {
        self.add(value);
    }

    fn write_usize(&mut self, value: usize) {
        self.add(value as u64);
    }

    fn write_isize(&mut self, value: isize) {
        self.add(value as u64);
    }

    fn finish(&self) -> u64 {
        self.0 ^ self.0 >> 32
    }
}
