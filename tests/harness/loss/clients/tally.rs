//! How requests ended, counted by the kind of client, and the particulars of each that had no answer.

use std::time::{Duration, Instant};

/// What a client does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A connection for each request.
    Closing,
    /// One connection for as long as it lasts, with pauses.
    Kept,
    /// A body that takes its time, on a connection of its own.
    Upload,
    /// An answer that takes its time, on a connection of its own.
    Slow,
}

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// With its whole answer.
    Answered,
    /// No connection was made.
    Refused,
    /// The same after the end had been announced.
    TurnedAway,
    /// The connection was made, and reset before a byte of the request was written.
    Reset,
    /// A kept connection was closed as idle while the request was on its way: nobody read it.
    Raced,
    /// At least one byte was written, and no complete answer came.
    Failed,
}

/// Numbers of requests.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counts {
    pub answered: u64,
    pub refused: u64,
    pub turned_away: u64,
    pub reset: u64,
    pub raced: u64,
    pub failed: u64,
    /// Kept connections that were found closed before a request was written: no request suffered.
    pub reopened: u64,
}

impl Counts {
    fn add(&mut self, other: &Self) {
        self.answered += other.answered;
        self.refused += other.refused;
        self.turned_away += other.turned_away;
        self.reset += other.reset;
        self.raced += other.raced;
        self.failed += other.failed;
        self.reopened += other.reopened;
    }

    fn count(&mut self, end: End) {
        *match end {
            End::Answered => &mut self.answered,
            End::Refused => &mut self.refused,
            End::TurnedAway => &mut self.turned_away,
            End::Reset => &mut self.reset,
            End::Raced => &mut self.raced,
            End::Failed => &mut self.failed,
        } += 1;
    }

    /// Requests of which something was written, or could have been.
    pub fn requests(&self) -> u64 {
        self.answered + self.reset + self.raced + self.failed
    }
}

/// A request that ended otherwise than with its answer, though a connection had been made.
#[derive(Clone, Debug)]
pub struct Incident {
    pub kind: Kind,
    pub end: End,
    /// The client's port.
    pub port: u16,
    pub began: Instant,
    pub ended: Instant,
    /// Bytes of the request.
    pub written: usize,
    pub unacknowledged: usize,
    /// Bytes of the answer.
    pub received: usize,
    /// Answers before it on this connection.
    pub served: u32,
    pub how: String,
}

impl Incident {
    /// For people; times are from `start` on.
    pub fn describe(&self, start: Instant) -> String {
        let since = |at: Instant| at.saturating_duration_since(start).as_secs_f64();
        format!(
            "{:?} {:?}: port {}, from {:.4} s to {:.4} s, {} bytes written ({} not acknowledged), {} bytes of an \
             answer, {} answers before: {}",
            self.kind,
            self.end,
            self.port,
            since(self.began),
            since(self.ended),
            self.written,
            self.unacknowledged,
            self.received,
            self.served,
            self.how
        )
    }
}

/// All that clients saw.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    counts: [Counts; 4],
    /// Microseconds, of the clients whose requests are answered at once.
    latencies: Vec<u32>,
    pub incidents: Vec<Incident>,
}

impl Tally {
    pub(super) fn count(&mut self, kind: Kind, end: End) {
        self.counts[kind as usize].count(end);
    }

    pub(super) fn answered(&mut self, kind: Kind, took: Duration) {
        self.count(kind, End::Answered);
        if matches!(kind, Kind::Closing | Kind::Kept) {
            self.latencies.push(u32::try_from(took.as_micros()).unwrap_or(u32::MAX));
        }
    }

    pub(super) fn reopened(&mut self, kind: Kind) {
        self.counts[kind as usize].reopened += 1;
    }

    pub fn merge(&mut self, other: Self) {
        for (own, others) in self.counts.iter_mut().zip(&other.counts) {
            own.add(others);
        }
        self.latencies.extend(other.latencies);
        self.incidents.extend(other.incidents);
    }

    pub fn of(&self, kind: Kind) -> Counts {
        self.counts[kind as usize]
    }

    pub fn total(&self) -> Counts {
        self.counts.iter().fold(Counts::default(), |mut sum, counts| {
            sum.add(counts);
            sum
        })
    }

    /// The latency that 99 of 100 requests kept within, and the longest.
    pub fn latency(&mut self) -> (Duration, Duration) {
        self.latencies.sort_unstable();
        let at = |index: usize| {
            let micros = self.latencies.get(index).copied().unwrap_or(0);
            Duration::from_micros(micros.into())
        };
        let last = self.latencies.len().saturating_sub(1);
        (at(last * 99 / 100), at(last))
    }
}
