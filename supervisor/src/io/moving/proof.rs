//! Which connections are between two requests, proven from what the kernel counts: the program has read everything up to
//! some byte, and has written since. Of protocols in which a client waits for its answer before it asks again; pure.

use super::sight::Seen;
use std::collections::HashMap;
use std::time::{Duration, Instant};

/// Between two writes of one answer less time passes than this: what was silent for longer is complete. Also, a client
/// that was told to go on (100 Continue) goes on within it and a round trip.
pub(super) const SETTLED: Duration = Duration::from_millis(10);

/// Answers in a row after which a client has always asked again at once: it would never rest.
const RESTLESS: u32 = 8;

/// How a connection stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Standing {
    /// What was read is answered, at least in part.
    pub(super) answered: bool,
    /// And the client had nothing to add: it was not told to go on with its request.
    pub(super) rested: bool,
    /// For how long the program has neither read nor written.
    pub(super) silence: Duration,
}

/// What earlier looks have seen, by cookie.
#[derive(Debug, Default)]
pub(super) struct Proofs {
    tracks: HashMap<u64, Track>,
}

#[derive(Debug)]
struct Track {
    /// Counts of the last look.
    received: u64,
    consumed: u64,
    written: u64,
    /// Counts of bytes consumed and written at a look that found nothing unread.
    read_at: Option<(u64, u64)>,
    /// Counts of bytes consumed and written at which it was answered. While they stay, whatever arrives, it still is.
    answered_at: Option<(u64, u64)>,
    /// The same, once the client was silent for a while after it.
    rested_at: Option<(u64, u64)>,
    /// How often it was answered since it last rested.
    answers: u32,
    /// The first look with these counts.
    touched: Instant,
    /// The last look.
    seen: Instant,
    /// How long it had been silent by the kernel's own count at the last look.
    told: Duration,
}

impl Proofs {
    /// Learns from a look. The worker may be running: the kernel tells the queues a moment before the rest.
    /// From those in `receiving` a thread waited to receive after the look.
    pub(super) fn learn(&mut self, seen: &[Seen], receiving: &[u64], grace: Duration, now: Instant) {
        for seen in seen {
            self.learn_one(seen, receiving.contains(&seen.inode), grace, now);
        }
        self.tracks.retain(|_, track| track.seen == now);
    }

    /// The same for one connection alone, between two looks.
    pub(super) fn learn_one(&mut self, seen: &Seen, waits: bool, grace: Duration, now: Instant) {
        let known = self.tracks.contains_key(&seen.cookie);
        let track = self.tracks.entry(seen.cookie).or_insert(Track {
            received: seen.received,
            consumed: seen.consumed,
            written: seen.written,
            read_at: None,
            answered_at: None,
            rested_at: None,
            answers: 0,
            touched: now,
            seen: now,
            told: Duration::ZERO,
        });
        let counts = (seen.consumed, seen.written);
        if (track.consumed, track.written) != counts {
            track.touched = now;
        }
        // What has arrived and is not read says nothing about the program.
        let silence = seen.sent_ago.min(seen.received_ago);
        track.told = if seen.unread == 0 { silence } else { Duration::ZERO };
        let is_fresh = counts == (0, 0);
        let is_old = silence >= grace && seen.unread == 0;
        if is_fresh || is_old || is_answered(seen, known.then_some(&*track), waits) {
            track.answers += u32::from(track.answered_at != Some(counts));
            track.answered_at = Some(counts);
        }
        // Told to go on, it would have by now.
        let is_silent =
            seen.unread == 0 && (now - track.touched).max(track.told) >= SETTLED + seen.round_trip;
        if track.answered_at == Some(counts) && (is_silent || is_fresh) {
            track.rested_at = Some(counts);
            track.answers = 0;
        }
        if seen.unread == 0 && track.read_at.is_none_or(|(consumed, _)| consumed != seen.consumed) {
            track.read_at = Some(counts);
        }
        (track.received, track.consumed, track.written) = (seen.received, seen.consumed, seen.written);
        track.seen = now;
    }

    /// How a connection stands by the last look.
    pub(super) fn standing(&self, cookie: u64) -> Standing {
        let Some(track) = self.tracks.get(&cookie) else {
            return Standing { answered: false, rested: false, silence: Duration::ZERO };
        };
        let counts = Some((track.consumed, track.written));
        let answered = track.answered_at == counts;
        Standing {
            answered,
            rested: track.rested_at == counts || answered && track.answers >= RESTLESS,
            silence: (track.seen - track.touched).max(track.told),
        }
    }

    /// Whether these are all that the last look has seen: a look may miss one while others close.
    pub(super) fn are_complete(&self, seen: &[Seen]) -> bool {
        self.tracks.keys().all(|cookie| seen.iter().any(|seen| seen.cookie == *cookie))
    }

    /// Whether the program has not touched the connection since it was answered. Exact while the worker is stopped.
    pub(super) fn holds(&self, seen: &Seen) -> bool {
        let proof = self.tracks.get(&seen.cookie).and_then(|track| track.answered_at);
        proof == Some((seen.consumed, seen.written))
    }
}

fn is_answered(seen: &Seen, before: Option<&Track>, waits: bool) -> bool {
    let Some(before) = before else { return false };
    // All was read once, nothing was since, but something was written.
    if before.read_at.is_some_and(|(consumed, written)| consumed == seen.consumed && written < seen.written) {
        return true;
    }
    // Nothing has arrived between the two looks: the counts of this one belong together, and everything was read.
    if seen.unread > 0 || before.received != seen.received {
        return false;
    }
    // The request acknowledged all that was sent before it.
    let not_acknowledged = seen.unsent > 0;
    // In ticks: within one of them the two look alike, and prove nothing.
    let sent_after = seen.sent_ago < seen.received_ago;
    // Unless the thread that reads has come back for more, and it is not the rest of a request that has just begun.
    let came_back =
        waits && seen.written > 0 && seen.sent_ago <= seen.received_ago && !seen.received_ago.is_zero();
    not_acknowledged || sent_after || came_back
}

#[cfg(test)]
mod tests {
    use super::*;

    const GRACE: Duration = Duration::from_secs(2);

    #[expect(clippy::disallowed_methods, reason = "any moment will do to begin with")]
    fn begin() -> Instant {
        Instant::now()
    }

    /// A request of 9 bytes was read and perhaps answered by 20, in one tick, 100 ms ago.
    fn tie() -> Seen {
        let ago = Duration::from_millis(100);
        Seen {
            cookie: 1,
            inode: 1,
            received: 9,
            consumed: 9,
            written: 20,
            unread: 0,
            unsent: 0,
            sent_ago: ago,
            received_ago: ago,
            round_trip: Duration::from_millis(4),
        }
    }

    /// Whether it is answered after these looks, 10 ms from one to the next.
    fn after(looks: &[Seen]) -> bool {
        let (mut proofs, start) = (Proofs::default(), begin());
        for (place, look) in looks.iter().enumerate() {
            proofs.learn(
                std::slice::from_ref(look),
                &[],
                GRACE,
                start + Duration::from_millis(10) * place as u32,
            );
        }
        proofs.standing(1).answered
    }

    #[test]
    fn a_tie_proves_nothing_however_often_it_is_seen() {
        assert!(!after(&[tie(), tie(), tie()]));
    }

    #[test]
    fn what_was_sent_after_the_last_byte_came_is_an_answer() {
        let younger = Seen { sent_ago: Duration::from_millis(96), ..tie() };
        assert!(!after(std::slice::from_ref(&younger)), "a look alone may be torn");
        assert!(after(&[younger.clone(), younger.clone()]));
        assert!(!after(&[Seen { received: 8, ..tie() }, younger]));
        assert!(after(&[tie(), Seen { unsent: 20, ..tie() }]));
        assert!(after(&[Seen { written: 0, ..tie() }, tie()]));
        let older = Seen { sent_ago: Duration::from_millis(104), ..tie() };
        assert!(!after(&[older.clone(), older]));
    }

    #[test]
    fn a_thread_that_came_back_for_more_has_answered() {
        let (mut proofs, start) = (Proofs::default(), begin());
        for ms in [0, 10] {
            proofs.learn(&[tie()], &[tie().inode], GRACE, start + Duration::from_millis(ms));
        }
        assert!(proofs.standing(1).answered);
    }

    #[test]
    fn what_is_written_after_all_was_read_is_an_answer_whatever_has_come_since() {
        let read = Seen { written: 0, ..tie() };
        let asks_again = Seen { received: 18, unread: 9, written: 20, ..tie() };
        assert!(after(&[read.clone(), asks_again.clone()]));
        assert!(after(&[read, tie(), asks_again.clone()]));
        assert!(!after(&[tie(), asks_again.clone()]));
        assert!(!after(&[Seen { consumed: 0, unread: 9, written: 0, ..tie() }, asks_again]));
    }

    #[test]
    fn rested_once_the_client_was_silent_though_it_asks_then() {
        let (mut proofs, start) = (Proofs::default(), begin());
        let at = |ms| start + Duration::from_millis(ms);
        let now = Duration::ZERO;
        let answered = Seen { unsent: 20, sent_ago: now, received_ago: now, ..tie() };
        let asks = Seen { received: 18, unread: 9, unsent: 0, ..answered.clone() };
        for ms in [0, 5] {
            proofs.learn(std::slice::from_ref(&answered), &[], GRACE, at(ms));
        }
        assert!(proofs.standing(1).answered && !proofs.standing(1).rested);
        proofs.learn(std::slice::from_ref(&asks), &[], GRACE, at(20));
        assert!(proofs.standing(1).answered && !proofs.standing(1).rested);
        proofs.learn(std::slice::from_ref(&answered), &[], GRACE, at(30));
        assert!(proofs.standing(1).rested);
        proofs.learn(std::slice::from_ref(&asks), &[], GRACE, at(40));
        assert!(proofs.standing(1).rested);
    }

    #[test]
    fn a_client_that_always_asks_at_once_counts_as_rested_after_many_answers() {
        let (mut proofs, start) = (Proofs::default(), begin());
        let mut seen = Seen { sent_ago: Duration::ZERO, received_ago: Duration::ZERO, ..tie() };
        for answers in 1..=RESTLESS {
            assert!(!proofs.standing(1).rested);
            (seen.received, seen.consumed) = (seen.received + 9, seen.consumed + 9);
            proofs.learn(std::slice::from_ref(&seen), &[], GRACE, start + Duration::from_millis(2) * answers);
            seen.written += 20;
            proofs.learn(std::slice::from_ref(&seen), &[], GRACE, start + Duration::from_millis(2) * answers);
            assert!(proofs.standing(1).answered);
        }
        assert!(proofs.standing(1).rested);
    }

    #[test]
    fn new_bytes_end_it_once_they_are_read() {
        let answered = Seen { unsent: 20, ..tie() };
        let arrived = Seen { received: 18, unread: 9, ..tie() };
        assert!(after(&[answered.clone(), answered.clone(), arrived.clone()]));
        let read = Seen { received: 18, consumed: 18, ..tie() };
        assert!(!after(&[answered.clone(), answered.clone(), arrived, read.clone()]));
        let written = Seen { written: 40, ..read.clone() };
        assert!(after(&[answered.clone(), answered, read, written]));
    }

    #[test]
    fn an_untouched_one_and_an_old_one_are_between_requests() {
        let unread = Seen { received: 9, consumed: 0, written: 0, unread: 9, ..tie() };
        assert!(after(&[unread]));
        assert!(after(&[Seen { sent_ago: GRACE, received_ago: GRACE, ..tie() }]));
        assert!(!after(&[Seen { sent_ago: GRACE, received_ago: GRACE, unread: 1, ..tie() }]));
    }

    #[test]
    fn silence_is_counted_from_the_last_touch() {
        let (mut proofs, start) = (Proofs::default(), begin());
        let at = |ms| start + Duration::from_millis(ms);
        let fresh = Seen { sent_ago: Duration::ZERO, received_ago: Duration::ZERO, ..tie() };
        proofs.learn(std::slice::from_ref(&fresh), &[], GRACE, at(0));
        assert_eq!(proofs.standing(1).silence, Duration::ZERO);
        let arrived = Seen { received: 18, unread: 9, ..fresh.clone() };
        proofs.learn(std::slice::from_ref(&arrived), &[], GRACE, at(30));
        assert_eq!(proofs.standing(1).silence, Duration::from_millis(30));
        let read = Seen { consumed: 18, unread: 0, ..arrived };
        proofs.learn(std::slice::from_ref(&read), &[], GRACE, at(40));
        assert_eq!(proofs.standing(1).silence, Duration::ZERO);
        assert!(proofs.are_complete(std::slice::from_ref(&read)) && !proofs.are_complete(&[]));
        proofs.learn(&[], &[], GRACE, at(50));
        assert!(!proofs.holds(&read) && proofs.are_complete(&[]));
        proofs.learn(&[tie()], &[], GRACE, at(60));
        assert_eq!(proofs.standing(1).silence, Duration::from_millis(100));
    }
}
