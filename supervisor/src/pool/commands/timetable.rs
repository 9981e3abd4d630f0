//! What is done at set times of the wall clock, which may be set and stands still while the machine sleeps. It only judges: the moment is an
//! argument, in milliseconds since the Unix epoch, and nothing is started here.

use crate::settings::{Schedule, Schedules, Zone};
use std::time::Duration;

/// A time that is noticed no later than this has its deed; of an older one it is told that it was missed.
const LATE: u64 = 60_000;

/// A clock that is set back by more than this was wrong before, as in cron(8), and what comes next is reckoned anew. By less, what was done
/// is not done again.
const CORRECTED: u64 = 3 * 3_600_000;

/// The clock may be set, so it is looked at so often.
const LOOK: Duration = Duration::from_secs(60);

/// What is done by a schedule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Deed {
    /// A successor first, then the old process ends.
    Reload,
    /// The old process first, one worker after the other.
    Restart,
}

/// One schedule, and its next time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) deed: Deed,
    pub(crate) schedule: Schedule,
    pub(crate) next: Option<u64>,
}

/// What there is to do or to tell of one schedule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Notice {
    pub(crate) deed: Deed,
    pub(crate) schedule: Schedule,
    /// It is time.
    pub(crate) is_due: bool,
    /// The first time that was missed, and the last.
    pub(crate) missed: Option<(u64, u64)>,
}

/// All schedules.
#[derive(Clone, Debug, Default)]
pub(crate) struct Timetable {
    entries: Vec<Entry>,
    /// The wall clock at the last look.
    seen: u64,
}

impl Timetable {
    /// These are in force from now on. Those that were before keep their next time.
    pub(crate) fn set(&mut self, schedules: &Schedules, wall: u64, zone: &Zone) {
        // Where both are due, the restart does what the reload would.
        let restarts = schedules.restart_at.iter().map(|schedule| (Deed::Restart, schedule));
        let reloads = schedules.reload_at.iter().map(|schedule| (Deed::Reload, schedule));
        let before = std::mem::take(&mut self.entries);
        let known = |deed, schedule: &Schedule| {
            before.iter().find(|entry| entry.deed == deed && entry.schedule == *schedule).cloned()
        };
        let entry = |(deed, schedule): (Deed, &Schedule)| {
            let next = || schedule.next_after(wall, zone);
            known(deed, schedule).unwrap_or_else(|| Entry { deed, schedule: schedule.clone(), next: next() })
        };
        self.entries = restarts.chain(reloads).map(entry).collect();
        if before.is_empty() {
            self.seen = wall;
        }
    }

    /// What is due at this moment, and what was missed since the last look.
    pub(crate) fn look(&mut self, wall: u64, zone: &Zone) -> Vec<Notice> {
        let is_corrected = self.seen.saturating_sub(wall) > CORRECTED;
        self.seen = wall;
        let mut notices = Vec::new();
        for Entry { deed, schedule, next } in &mut self.entries {
            if is_corrected {
                *next = schedule.next_after(wall, zone);
            }
            let Some(first) = next.filter(|next| *next <= wall) else { continue };
            *next = schedule.next_after(wall, zone);
            let last = schedule.last_until(wall, zone).map_or(first, |last| last.max(first));
            let is_due = wall - last <= LATE;
            let missed = match is_due {
                true => schedule.last_until(last - 1, zone).filter(|before| *before >= first),
                false => Some(last),
            };
            let missed = missed.map(|last| (first, last));
            notices.push(Notice { deed: *deed, schedule: schedule.clone(), is_due, missed });
        }
        notices
    }

    /// How long nothing is due; `None` if nothing ever is.
    pub(crate) fn rest(&self, wall: u64) -> Option<Duration> {
        let next = self.entries.iter().filter_map(|entry| entry.next).min()?;
        Some(Duration::from_millis(next.saturating_sub(wall)).min(LOOK))
    }

    pub(crate) fn entries(&self) -> &[Entry] {
        &self.entries
    }
}
