//! Which lanes of a balancer may have its socket. All may, until somebody who has it shuts it down: the next one they get one after the
//! other, so that it can be told who does it again. It knows lanes and times, and gives nothing out itself.

use crate::ids::{LaneId, WorkerId};
use crate::pool::vocabulary::deadlines::after;
use crate::pool::{Deadline, Timer};
use std::time::{Duration, Instant};

/// Nobody else gets it for so long after a lane has got it: who shuts it down at once can only be this one.
const STEP: Duration = Duration::from_millis(300);
/// A lane that does not ask for it, or accepts nothing, holds the next up for so long. Who shuts the socket down later than this after he
/// got it, when others have it too, is not known.
pub(in crate::pool) const LONGEST: Duration = Duration::from_secs(1);
/// After this time with all of them having it, all may have it.
pub(in crate::pool) const QUIET: Duration = Duration::from_secs(10);
/// So often may it be shut down by somebody who is not known; then nobody has it any more.
const MOST_IN_VAIN: u8 = 3;
/// And this ends an older count.
const FORGOTTEN: Duration = Duration::from_secs(3_600);

#[derive(Clone, Debug, Default)]
pub(in crate::pool) struct Admission {
    pub(in crate::pool) stage: Stage,
    /// These have shut it down. Connections are handed over to them.
    pub(in crate::pool) barred: Vec<WorkerId>,
    in_vain: u8,
    failed_at: Option<Instant>,
    /// When it is looked who is next.
    pub(in crate::pool) due: Option<Deadline>,
}

#[derive(Clone, Debug, Default)]
pub(in crate::pool) enum Stage {
    #[default]
    All,
    /// These may, the last one since last.
    OneByOne(Vec<Admitted>),
    Nobody,
}

#[derive(Clone, Copy, Debug)]
pub(in crate::pool) struct Admitted {
    pub(in crate::pool) lane: LaneId,
    pub(in crate::pool) worker: WorkerId,
    pub(in crate::pool) since: Instant,
    /// When its worker got the socket.
    pub(in crate::pool) given: Option<Instant>,
    /// And has accepted from it.
    pub(in crate::pool) took: bool,
}

/// Who shut the socket down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::pool) struct Culprit {
    pub(in crate::pool) worker: WorkerId,
    /// So long after it had got the socket.
    pub(in crate::pool) after: Duration,
    /// No other worker had it.
    pub(in crate::pool) alone: bool,
}

impl Admission {
    /// The socket was shut down, and not by the supervisor: the next one is given out one by one. Returns who did it, if that can be
    /// told.
    pub(in crate::pool) fn failed(&mut self, now: Instant) -> Option<Culprit> {
        let culprit = self.culprit(now);
        let last = self.failed_at.replace(now);
        match culprit {
            Some(culprit) => self.barred.push(culprit.worker),
            None if last.is_some_and(|last| now >= after(last, FORGOTTEN)) => self.in_vain = 1,
            None => self.in_vain = self.in_vain.saturating_add(1),
        }
        if self.in_vain >= MOST_IN_VAIN {
            self.stage = Stage::Nobody;
        } else if !matches!(self.stage, Stage::Nobody) {
            self.stage = Stage::OneByOne(Vec::new());
        }
        self.due = None;
        culprit
    }

    fn culprit(&self, now: Instant) -> Option<Culprit> {
        let Stage::OneByOne(admitted) = &self.stage else { return None };
        let given = admitted.iter().filter_map(|one| Some((one.given?, one.worker)));
        let (at, worker) = given.clone().max()?;
        let after = now.saturating_duration_since(at);
        let alone = given.clone().all(|(_, other)| other == worker);
        (alone || after < LONGEST).then_some(Culprit { worker, after, alone })
    }

    pub(in crate::pool) fn may_have(&self, lane: LaneId, worker: WorkerId) -> bool {
        let admitted = match &self.stage {
            Stage::All => true,
            Stage::OneByOne(admitted) => admitted.iter().any(|one| one.lane == lane),
            Stage::Nobody => false,
        };
        admitted && !self.barred.contains(&worker)
    }

    /// When the next may have it, given what the last has done.
    pub(in crate::pool) fn next_at(&self) -> Option<Deadline> {
        let Stage::OneByOne(admitted) = &self.stage else { return None };
        let last = admitted.last()?;
        Some(match last.given {
            Some(given) if last.took => after(given, STEP),
            Some(given) => after(given, STEP).max(after(last.since, LONGEST)),
            None => after(last.since, LONGEST),
        })
    }

    pub(in crate::pool) fn timer(&self) -> Option<(Deadline, Timer)> {
        self.due.map(|due| (due, Timer::Admission))
    }

    /// Nobody has it any more.
    pub(super) fn is_nobody(&self) -> bool {
        matches!(self.stage, Stage::Nobody)
    }

    /// Why not every lane may have it.
    pub(super) fn reason(&self) -> Option<&'static str> {
        match self.stage {
            Stage::All if self.barred.is_empty() => None,
            Stage::All => Some("a worker that shut the socket down does not get it again"),
            Stage::OneByOne(_) => {
                Some("the socket was shut down: workers get a new one, one after the other")
            }
            Stage::Nobody => Some("the socket was shut down again and again, it is not known by whom"),
        }
    }
}
