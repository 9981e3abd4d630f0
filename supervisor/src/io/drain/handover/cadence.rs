//! Whether a client asks again and again, and when it is late: how long it is worth waiting for, never a proof; pure.

use std::time::{Duration, Instant};

/// So many turns, request and answer and request, before it counts as usual.
const TURNS: u32 = 3;
/// However short its pauses were.
const FLOOR: Duration = Duration::from_millis(50);

#[derive(Debug)]
pub(super) struct Cadence {
    /// How often it was asked again after an answer.
    turns: u32,
    /// The longest silence that ended with a request.
    longest: Duration,
    /// Something was written since something came.
    was_answered: bool,
    /// The first look with what has come and gone since.
    moved: Instant,
}

impl Cadence {
    pub(super) fn new(now: Instant) -> Self {
        Self { turns: 0, longest: Duration::ZERO, was_answered: false, moved: now }
    }

    /// Whether something has come and was written since the last look.
    pub(super) fn follow(&mut self, has_come: bool, was_written: bool, now: Instant) {
        if has_come && self.was_answered {
            self.turns += 1;
            self.longest = self.longest.max(now - self.moved);
        }
        if has_come || was_written {
            self.was_answered = was_written || self.was_answered && !has_come;
            self.moved = now;
        }
    }

    /// Whether the next request or answer is due soon, if all is as it was.
    pub(super) fn is_expected(&self, now: Instant) -> bool {
        self.turns >= TURNS && now - self.moved <= self.longest * 2 + FLOOR
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::begin;
    use super::*;

    #[test]
    fn asked_again_and_again_it_is_expected_until_it_is_late() {
        let start = begin();
        let at = |ms| start + Duration::from_millis(ms);
        let mut cadence = Cadence::new(start);
        let mut is_expected = Vec::new();
        for turn in 0..5 {
            cadence.follow(true, false, at(100 * turn));
            cadence.follow(false, true, at(100 * turn + 20));
            is_expected.push(cadence.is_expected(at(100 * turn + 20)));
        }
        assert_eq!(is_expected, [false, false, false, true, true]);
        // 80 ms were its longest pause.
        assert!(cadence.is_expected(at(420 + 210)) && !cadence.is_expected(at(420 + 211)));
        cadence.follow(true, true, at(900));
        assert!(cadence.is_expected(at(900)));
    }

    #[test]
    fn an_answer_in_pieces_is_no_rhythm() {
        let start = begin();
        let at = |ms| start + Duration::from_millis(ms);
        let mut cadence = Cadence::new(start);
        cadence.follow(true, true, at(5));
        for piece in 1..20 {
            cadence.follow(false, true, at(5 + 100 * piece));
            assert!(!cadence.is_expected(at(5 + 100 * piece)));
        }
    }

    #[test]
    fn turns_quicker_than_looks_are_counted_by_looks() {
        let start = begin();
        let mut cadence = Cadence::new(start);
        for look in 1..=4 {
            cadence.follow(true, true, start + Duration::from_millis(5) * look);
        }
        assert!(cadence.is_expected(start + Duration::from_millis(20)));
    }
}
