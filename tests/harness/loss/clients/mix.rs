//! How many clients of which kind, as plain values.

use super::tally::Kind;
use std::time::Duration;

/// The clients of one load.
#[derive(Clone, Copy, Debug)]
pub struct Mix {
    pub closing: usize,
    pub kept: usize,
    /// Pause of a kept connection between two requests.
    pub think: Duration,
    pub uploads: usize,
    pub slow: usize,
    /// What the slow ones ask for, in turn.
    pub slow_pages: &'static [&'static str],
    /// How long an upload takes, and about how long a slow answer does.
    pub long: Duration,
}

impl Mix {
    /// 64 clients with a connection for each request; four uploads and four slow answers of two seconds.
    pub const CLOSING: Self = Self {
        closing: 64,
        kept: 0,
        think: Duration::from_millis(50),
        uploads: 4,
        slow: 4,
        slow_pages: &["/slow?ms=2000", "/stream?ms=2000&pieces=20"],
        long: Duration::from_secs(2),
    };
    /// 32 clients that keep their connection.
    pub const KEPT: Self = Self { closing: 0, kept: 32, ..Self::CLOSING };
    /// All of these at once.
    pub const ALL: Self = Self { kept: 32, ..Self::CLOSING };
    /// Few, for machines and tests that have other things to do.
    pub const SMALL: Self = Self {
        closing: 8,
        uploads: 2,
        slow: 2,
        slow_pages: &["/stream?ms=600&pieces=6"],
        long: Duration::from_millis(600),
        ..Self::CLOSING
    };

    pub(in crate::loss) fn count(&self, kind: Kind) -> usize {
        match kind {
            Kind::Closing => self.closing,
            Kind::Kept => self.kept,
            Kind::Upload => self.uploads,
            Kind::Slow => self.slow,
        }
    }

    pub(in crate::loss) fn clients(&self) -> usize {
        self.closing + self.kept + self.uploads + self.slow
    }
}
