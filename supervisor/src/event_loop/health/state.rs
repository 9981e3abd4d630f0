//! What the shell holds to see how workers do: when to look, who is being killed for a hang, what memory they take.

use super::holders::Holders;
use super::monitor::Monitor;
use crate::io::machine::oom::OomKills;
use crate::io::process::memory_gauge::MemoryGauge;

/// What concerns no single worker: that is in its record.
#[derive(Debug)]
pub(in crate::event_loop) struct Health {
    pub(in crate::event_loop) monitor: Monitor,
    pub(in crate::event_loop) holders: Holders,
    pub(in crate::event_loop) oom_kills: OomKills,
    pub(in crate::event_loop) memory_gauge: MemoryGauge,
    /// The loop's thread preempts like any other.
    pub(in crate::event_loop) is_prompt: bool,
}

impl Health {
    pub(in crate::event_loop) fn new(monitor: Monitor, memory_gauge: MemoryGauge) -> Self {
        Self {
            monitor,
            holders: Holders::default(),
            oom_kills: OomKills::default(),
            memory_gauge,
            is_prompt: false,
        }
    }
}
