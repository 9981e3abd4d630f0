//! What is seen of a process while it boots, and when its boot is over though it does not listen: it waits, as a queue consumer does, or
//! has had its time on the processor. Then the next may start. It looks at nothing itself.

use std::time::{Duration, Instant};

/// From one look to the next.
pub(super) const LOOK: Duration = Duration::from_millis(50);
/// Who was asleep at each look for so long, and has used no processor time meanwhile, waits.
const QUIET: Duration = Duration::from_millis(100);
/// Processor time after which a boot is over. One that waits for its share of a busy machine keeps its slot.
const BUDGET: Duration = Duration::from_secs(5);

/// What all processes of a worker have done so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Activity {
    /// Processor time, that of children which have ended included.
    pub spent: Duration,
    /// Processor time of the threads that live, as exactly as the kernel counts it: it changes whenever one has run.
    pub running: Duration,
    /// Every thread sleeps, and waits for something other than a disk.
    pub asleep: bool,
}

/// Why a boot is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BootEnd {
    /// It waits.
    Waits,
    /// It has used so much processor time.
    Spent(Duration),
    /// It could not be seen what it does, for so long.
    Unseen,
}

/// What the looks at one process have found.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Booting {
    pub(super) looked: Option<Instant>,
    /// Since when it was asleep at each look, with this processor time.
    quiet: Option<(Instant, Duration)>,
}

impl Booting {
    pub(super) fn judge(&mut self, now: Instant, activity: Option<Activity>) -> Option<BootEnd> {
        let Some(Activity { spent, running, asleep }) = activity else {
            self.quiet = None;
            return None;
        };
        if spent >= BUDGET {
            return Some(BootEnd::Spent(spent));
        }
        let (since, before) = *self.quiet.get_or_insert((now, running));
        if !asleep {
            self.quiet = None;
        } else if before != running {
            self.quiet = Some((now, running));
        } else if now.saturating_duration_since(since) >= QUIET {
            return Some(BootEnd::Waits);
        }
        None
    }
}
