//! What is known of a member's queue: for how long somebody has waited in it. It is told what was seen, and looks at nothing itself.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// How long a worker gets nothing after its queue was moved, where only a queue shows whether it takes anything: at first, and at most.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// Most looks that are remembered of one queue.
const MOST: usize = 64;

/// What besides its length shows whether something is taken from a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sign {
    /// A number that changes when something is taken, as the library counts.
    Taken(u64),
    /// How many connections the member was given in all, as the program in the kernel counts.
    Given(u64),
    /// Nobody who waits at the port, at whichever of its sockets, has waited for longer.
    Longest(Duration),
}

/// What was last seen of a queue.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Queue {
    length: u32,
    /// The number of [`Sign::Taken`].
    progress: u64,
    /// Since when something has waited and nothing was taken, or somebody has waited.
    stuck_since: Option<Instant>,
    /// By [`Sign::Given`]: when the member had been given so many. Only looks before which somebody was given who still waits.
    given: VecDeque<(Instant, u64)>,
    pause: Option<Pause>,
}

/// Its queue was moved, and whether it takes anything shows only when it is given something again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Pause {
    /// Since when it has taken nothing.
    since: Instant,
    until: Instant,
    length: Duration,
}

impl Queue {
    pub(super) fn look(&mut self, now: Instant, length: u32, sign: Sign) {
        let is_shorter = length < self.length;
        let since = self.stuck_since;
        self.stuck_since = match sign {
            _ if length == 0 => {
                self.given.clear();
                None
            }
            Sign::Taken(progress) => {
                let is_moving = is_shorter || progress != self.progress;
                self.progress = progress;
                since.filter(|_| !is_moving).or(Some(now))
            }
            Sign::Given(given) => self.oldest(now, length, given),
            Sign::Longest(longest) => {
                let since = since.filter(|_| !is_shorter).unwrap_or(now);
                Some(now.checked_sub(longest).map_or(since, |oldest| since.max(oldest)))
            }
        };
        self.length = length;
        // It has been given connections for as long again, and nobody had to wait.
        if self.pause.is_some_and(|pause| now >= pause.until + pause.length) {
            self.pause = None;
        }
    }

    /// If more wait than were given since a look, somebody was given before it who still waits. What was given and never came may make
    /// that look shorter than it was, and never longer.
    fn oldest(&mut self, now: Instant, length: u32, given: u64) -> Option<Instant> {
        let gone = given.saturating_sub(length.into());
        while self.given.front().is_some_and(|(_, count)| *count <= gone) {
            self.given.pop_front();
        }
        if self.given.len() < MOST && self.given.back().is_none_or(|(_, count)| *count < given) {
            self.given.push_back((now, given));
        }
        self.given.front().map(|(at, _)| *at)
    }

    /// What waited has gone to others. `to_be_tried`: it is given nothing for a while, and then something, to see whether it takes that.
    pub(super) fn moved(&mut self, now: Instant, to_be_tried: bool) {
        let since = self.pause.map(|pause| pause.since).or(self.stuck_since).unwrap_or(now);
        let length = self.pause.map_or(FIRST_PAUSE, |pause| (pause.length * 2).min(LONGEST_PAUSE));
        let pause = to_be_tried.then_some(Pause { since, until: now + length, length });
        *self = Self { pause, ..Self::default() };
    }

    /// For how long something has waited without being taken, by the last look; or for how long nothing was taken, while it is given
    /// nothing for that.
    pub(super) fn stuck_for(&self, now: Instant) -> Duration {
        let pause = self.pause.filter(|pause| now < pause.until).map(|pause| pause.since);
        let since = pause.or(self.stuck_since);
        since.map_or(Duration::ZERO, |since| now.saturating_duration_since(since))
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "a time has to begin somewhere")]
mod tests {
    use super::*;

    fn ms(count: u64) -> Duration {
        Duration::from_millis(count)
    }

    #[test]
    fn a_queue_is_stuck_while_nothing_is_taken_from_it() {
        let start = Instant::now();
        let mut queue = Queue::default();
        let mut look = |at, length, progress| {
            queue.look(start + ms(at), length, Sign::Taken(progress));
            queue.stuck_since.map(|since| since - start)
        };
        assert_eq!(look(0, 0, 0), None);
        assert_eq!(look(10, 2, 0), Some(ms(10)));
        assert_eq!(look(20, 5, 0), Some(ms(10)), "more come, none is taken");
        assert_eq!(look(30, 4, 0), Some(ms(30)), "one was taken");
        assert_eq!(look(40, 4, 1), Some(ms(40)), "and one more, as another came");
        assert_eq!(look(50, 4, 1), Some(ms(40)));
        assert_eq!(look(60, 0, 1), None);
    }

    #[test]
    fn by_what_was_given_it_is_known_how_long_somebody_has_waited() {
        let start = Instant::now();
        let mut queue = Queue::default();
        let mut look = |at, length, given| {
            queue.look(start + ms(at), length, Sign::Given(given));
            queue.stuck_for(start + ms(at))
        };
        assert_eq!(look(0, 0, 100), ms(0));
        // Others come as fast as these are taken.
        for step in 1..200 {
            assert_eq!(look(step * 10, 4, 100 + step * 4), ms(0), "{step}");
        }
        // Nothing is taken any more. One of those that come is in its handshake at each look.
        assert_eq!(look(2000, 8, 900), ms(10), "more than came since the look before");
        for step in 1..200 {
            let waited = look(2000 + step * 10, 8 + step as u32 * 4 - 1, 900 + step * 4);
            assert_eq!(waited, ms(10 + step * 10), "{step}");
        }
        // It goes on: those who came last have not waited for long.
        assert!(look(4000, 1, 1700) < ms(20));
        assert_eq!(look(4010, 0, 1700), ms(0));
    }

    #[test]
    fn where_nothing_is_counted_nobody_has_waited_for_longer_than_the_oldest_of_all() {
        let start = Instant::now();
        let mut queue = Queue::default();
        let mut look = |at, length, longest| {
            queue.look(start + ms(at), length, Sign::Longest(ms(longest)));
            queue.stuck_for(start + ms(at))
        };
        look(0, 1, 0);
        assert_eq!(look(100, 3, 5), ms(5), "they are others each time");
        assert_eq!(look(200, 3, 150), ms(105), "those of another socket have waited for longer");
        assert_eq!(look(300, 2, 300), ms(0), "one was taken");
    }

    #[test]
    fn whose_queue_was_moved_gets_nothing_for_ever_longer_and_is_tried_in_between() {
        let start = Instant::now();
        let mut queue = Queue::default();
        let at = |millis| start + ms(millis);
        queue.look(at(0), 1, Sign::Given(1));
        queue.look(at(500), 1, Sign::Given(1));
        queue.moved(at(500), true);
        queue.look(at(1400), 0, Sign::Given(1));
        assert_eq!(queue.stuck_for(at(1400)), ms(1400));
        assert_eq!(queue.stuck_for(at(1500)), ms(0), "it is tried");
        queue.look(at(1600), 1, Sign::Given(2));
        queue.look(at(2100), 1, Sign::Given(2));
        assert_eq!(queue.stuck_for(at(2100)), ms(500));
        queue.moved(at(2100), true);
        assert_eq!(queue.stuck_for(at(4000)), ms(4000), "twice as long");
        queue.look(at(4200), 0, Sign::Given(3));
        queue.look(at(6200), 0, Sign::Given(9));
        queue.look(at(7000), 1, Sign::Given(10));
        queue.look(at(7500), 1, Sign::Given(10));
        queue.moved(at(7500), true);
        assert_eq!(queue.stuck_for(at(8400)), ms(1400), "what was is forgotten, for it took some");
        queue.moved(at(8400), false);
        assert_eq!(queue.stuck_for(at(8400)), ms(0));
    }
}
