//! How the clients come: many and few, in a row and in bursts with pauses. A wake-up that is lost shows where little comes
//! after it, so most of the phases are of low load. It starts nothing.

use super::super::load::client::Pace;
use std::time::Duration;

/// One way to come, and for how long.
#[derive(Clone, Copy, Debug)]
pub(super) struct Phase {
    pub pace: Pace,
    pub lasts: Duration,
}

const fn closed(clients: usize, ms: u64) -> Phase {
    Phase { pace: Pace::Closed { clients }, lasts: Duration::from_millis(ms) }
}

const fn bursts(clients: usize, pause_us: u64, ms: u64) -> Phase {
    let pace = Pace::Bursts { clients, pause: Duration::from_micros(pause_us) };
    Phase { pace, lasts: Duration::from_millis(ms) }
}

/// Again and again, until there were enough connections. None is longer than 5 s: a connection that is not answered counts as failed
/// 5 s after the end of its phase, which bounds what each may take to 10 s. The pauses lie on both sides of the times that the
/// supervisor knows: 1 ms, 4 ms and 5 ms.
pub(super) const PHASES: &[Phase] = &[
    closed(1, 500),
    bursts(64, 3_000, 500),
    closed(3, 500),
    bursts(1, 700, 500),
    bursts(16, 7_000, 500),
    closed(16, 1_000),
    bursts(3, 500, 500),
    bursts(2, 1_500, 500),
    bursts(8, 4_500, 500),
    closed(2, 500),
    bursts(64, 20_000, 500),
    closed(64, 5_000),
];
