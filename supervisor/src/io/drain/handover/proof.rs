//! Which connections are between two requests, proven from what the kernel counts and what the client does. Of protocols in
//! which a client waits for the whole answer before it asks again; pure.

use super::cadence::Cadence;
use super::snapshot::SeenConnection;
use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

/// A client that was told to go on with its request does so within this and a round trip.
pub(super) const SETTLED: Duration = Duration::from_millis(10);

/// Answers in a row after which a client has always asked again at once: it would never rest.
const RESTLESS: u32 = 8;

/// `HTTP/1.1 100 Continue` and an empty line: it asks for the rest of a request, and is no answer.
const CONTINUE: u64 = 25;

/// How a connection stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Standing {
    /// The answer to what was read is complete, or nothing was ever read: it may be taken.
    pub(super) complete: bool,
    /// The client has asked again and again, and is not late: it will soon show that its answer is complete.
    pub(super) expected: bool,
    /// For how long the program has neither read nor written.
    pub(super) silence: Duration,
}

/// What earlier looks have seen, by cookie.
#[derive(Debug, Default)]
pub(super) struct Proofs {
    tracks: HashMap<u64, Track>,
}

/// Counts of bytes consumed and written.
type Counts = (u64, u64);

#[derive(Debug)]
struct Track {
    last: SeenConnection,
    /// Bytes written when the program had not yet read the request at hand; `None` if it may have read more than one since.
    before: Option<u64>,
    /// Counts at a look that found nothing unread.
    read_at: Option<Counts>,
    /// Counts at which it was answered, at least in part.
    answered_at: Option<Counts>,
    /// The same, once the client was silent for a while after it.
    rested_at: Option<Counts>,
    /// Counts at which the answer was complete. While they stay, whatever arrives, it still is.
    complete_at: Option<Counts>,
    /// How often it was answered since it last rested.
    answers: u32,
    cadence: Cadence,
    /// The first look with these counts.
    touched: Instant,
    /// The last look.
    seen: Instant,
    /// How long it had been silent by the kernel's own count at the last look.
    told: Duration,
}

impl Proofs {
    /// Learns from a look. The worker may be running: the kernel tells the queues a moment before the rest.
    /// From those in `receiving` a thread waited to receive after the look. What was silent for `old` is complete.
    pub(super) fn learn(
        &mut self,
        seen: &[SeenConnection],
        receiving: &HashSet<u64>,
        old: Duration,
        now: Instant,
    ) {
        for seen in seen {
            self.learn_one(seen, receiving.contains(&seen.inode), old, now);
        }
        self.tracks.retain(|_, track| track.seen == now);
    }

    /// The same for one connection alone, between two looks.
    pub(super) fn learn_one(&mut self, seen: &SeenConnection, waits: bool, old: Duration, now: Instant) {
        match self.tracks.get_mut(&seen.cookie) {
            Some(track) => {
                track.follow(seen, now);
                let is_answered = track.is_answered(seen, waits);
                track.conclude(seen, is_answered, waits, old);
            }
            None => {
                let mut track = Track::new(seen, now);
                track.conclude(seen, false, waits, old);
                self.tracks.insert(seen.cookie, track);
            }
        }
    }

    /// How a connection stands by the last look.
    pub(super) fn standing(&self, cookie: u64) -> Standing {
        match self.tracks.get(&cookie) {
            Some(track) => Standing {
                complete: track.complete_at == Some(track.last.counts()),
                expected: track.cadence.is_expected(track.seen),
                silence: track.silence(),
            },
            None => Standing { complete: false, expected: false, silence: Duration::ZERO },
        }
    }

    /// Whether these are all that the last look has seen: a look may miss one while others close.
    pub(super) fn are_all(&self, seen: &[SeenConnection]) -> bool {
        self.tracks.keys().all(|cookie| seen.iter().any(|seen| seen.cookie == *cookie))
    }

    /// Whether the program has not touched the connection since its answer was complete. Exact while the worker is stopped.
    pub(super) fn holds(&self, seen: &SeenConnection) -> bool {
        let proof = self.tracks.get(&seen.cookie).and_then(|track| track.complete_at);
        proof == Some(seen.counts())
    }
}

impl Track {
    fn new(seen: &SeenConnection, now: Instant) -> Self {
        Self {
            last: seen.clone(),
            before: None,
            read_at: None,
            answered_at: None,
            rested_at: None,
            complete_at: None,
            answers: 0,
            cadence: Cadence::new(now),
            touched: now,
            seen: now,
            told: told(seen),
        }
    }

    fn silence(&self) -> Duration {
        (self.seen - self.touched).max(self.told)
    }

    /// Notes what has changed since the last look, which `last` still is afterwards.
    fn follow(&mut self, seen: &SeenConnection, now: Instant) {
        let last = &self.last;
        self.cadence.follow(seen.received > last.received, seen.written > last.written, now);
        if last.consumed != seen.consumed {
            // What waited was read, and nothing else: what is written from here on is said to it alone.
            let is_whole = last.unread > 0 && seen.consumed == last.received;
            self.before = is_whole.then_some(last.written);
        }
        if last.counts() != seen.counts() {
            self.touched = now;
        }
        self.seen = now;
        self.told = told(seen);
    }

    fn conclude(&mut self, seen: &SeenConnection, is_answered: bool, waits: bool, old: Duration) {
        let counts = seen.counts();
        let is_fresh = counts == (0, 0);
        if is_answered {
            self.answers += u32::from(self.answered_at.is_none_or(|(consumed, _)| consumed != seen.consumed));
            self.answered_at = Some(counts);
        }
        let is_answered = self.answered_at == Some(counts);
        // Told to go on, the client would have by now.
        let is_silent = seen.unread == 0 && self.silence() >= SETTLED + seen.round_trip;
        if is_answered && is_silent {
            self.rested_at = Some(counts);
            self.answers = 0;
        }
        let has_rested = self.rested_at == Some(counts) || is_answered && self.answers >= RESTLESS;
        let said = self.before.map(|before| seen.written.saturating_sub(before));
        // It was asked one thing, has answered, and is asked again: by its client's word the answer is complete.
        let asks_again =
            has_rested && seen.unread > 0 && said.is_some_and(|said| said > 0 && said != CONTINUE);
        // A thread that serves one connection has come back to wait for the next request.
        let came_back = is_answered && waits && said != Some(CONTINUE);
        if is_fresh || asks_again || came_back || is_old(seen, old) {
            self.complete_at = Some(counts);
        }
        if seen.unread == 0 && self.read_at.is_none_or(|(consumed, _)| consumed != seen.consumed) {
            self.read_at = Some(counts);
        }
        self.last = seen.clone();
    }

    /// Whether something was written after all was read. That may be the first part of an answer.
    fn is_answered(&self, seen: &SeenConnection, waits: bool) -> bool {
        // All was read once, nothing was since, but something was written.
        let is_later = |(consumed, written)| consumed == seen.consumed && written < seen.written;
        if self.read_at.is_some_and(is_later) {
            return true;
        }
        // Nothing has arrived between the two looks: the counts of this one belong together, and everything was read.
        if seen.unread > 0 || self.last.received != seen.received {
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
}

/// The kernel's own count of silence. What has arrived and is not read says nothing about the program.
fn told(seen: &SeenConnection) -> Duration {
    if seen.unread == 0 { seen.sent_ago.min(seen.received_ago) } else { Duration::ZERO }
}

/// Silent for long, with the last word its program's.
fn is_old(seen: &SeenConnection, old: Duration) -> bool {
    let is_silent = seen.unread == 0 && seen.unsent == 0 && told(seen) >= old;
    is_silent && !seen.owes_answer()
}

#[cfg(test)]
mod tests;
