//! What a process of a history is like: quick or slow, well made or odd. It does nothing.

use super::super::dice::Dice;
use std::time::Duration;

/// What it is like.
#[derive(Clone, Copy, Debug)]
pub(in crate::event_loop::simulation) struct Temper {
    /// From one step of its start to the next.
    pub(in crate::event_loop::simulation) step: Duration,
    /// It ends in its start.
    pub(super) dies_young: bool,
    /// It never listens.
    pub(in crate::event_loop::simulation) is_idle: bool,
    /// What one request takes, and whether the thread is away from its wait for it.
    pub(in crate::event_loop::simulation) request: Duration,
    pub(in crate::event_loop::simulation) is_blocking: bool,
    /// Connections that it takes each time that it is woken.
    pub(super) greed: u32,
    /// From the moment that its thread is woken to its processor.
    pub(super) latency: Duration,
    pub(in crate::event_loop::simulation) ignores_stop: bool,
    /// It writes what it likes to its pages.
    pub(in crate::event_loop::simulation) scribbles: bool,
    /// It does not show how it is told of its lane.
    pub(in crate::event_loop::simulation) is_opaque: bool,
}

impl Temper {
    pub(super) fn of(dice: &mut Dice, is_odd: bool) -> Self {
        let odd = |dice: &mut Dice, times| is_odd && dice.once_in(times);
        Self {
            step: dice.micros(100, 60_000),
            dies_young: odd(dice, 4),
            is_idle: odd(dice, 8),
            request: dice.micros(20, 20_000),
            is_blocking: dice.once_in(2),
            greed: dice.of_these(&[1, 1, 2, 64]),
            latency: dice.micros(5, 900),
            ignores_stop: odd(dice, 4),
            scribbles: odd(dice, 4),
            is_opaque: dice.once_in(5),
        }
    }
}
