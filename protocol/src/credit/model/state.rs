//! One state of the model: the queue, the listener, the lanes with their pages as plain numbers, the supervisor and the threads.

use super::super::turn::{At, Turn};
use super::super::*;

pub(super) const LANES: usize = 2;
pub(super) const THREADS: usize = 3;
const RECORDS: usize = 4;

/// How a thread waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Shape {
    /// In a level-triggered set, and accepts once a wake-up.
    LevelOnce,
    /// In a level-triggered set, and accepts until nothing comes.
    LevelGreedy,
    /// As [`Shape::LevelGreedy`], and finds nothing twice before it shuts an open credit.
    LevelPatient,
    /// In a set of the library, which watches the queue too while an open credit is found to have nothing; accepts once a wake-up.
    DirectOnce,
    /// As [`Shape::DirectOnce`], and accepts until nothing comes.
    DirectGreedy,
    /// In an edge-triggered set, and accepts until nothing comes.
    EdgeGreedy,
    /// In accept() itself.
    Blocking,
    /// It never comes back.
    Away,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Thread {
    None,
    Waits { lane: u8, shape: Shape, wait: Wait },
    Runs { lane: u8, shape: Shape, turn: Turn },
}

/// How far a thread is with its wait. Only of those that may watch the queue more is known than that they sleep.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Wait {
    /// It looks whether it still may watch.
    Begins,
    /// And goes to sleep, unless something is there.
    Arms,
    Sleeps,
    /// The kernel has woken it for a connection in the queue.
    Woken,
}

/// A record in a lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Sent {
    Nothing,
    Single,
    Open(u8),
    Void,
}

/// Whether a lane is in rotation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Rotation {
    In,
    /// Revoked, and not all has ended.
    Leaving,
    /// The supervisor has said that nothing more is accepted.
    Out,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Lane {
    // The page.
    word: u8,
    allowance: (u8, u8),
    accepted: u8,
    used: u8,
    marks: u8,
    // The socket pair.
    pub(super) records: [Sent; RECORDS],
    pub(super) rung: bool,
    /// The edge-triggered set that holds the lane has something to report.
    pub(super) edge: bool,
    /// The last accept under an open credit has found nothing.
    pub(super) vain: bool,
    /// The generation of the open credit under which a wait watches the queue; 0 for none.
    pub(super) watched: u8,
    // What the supervisor knows.
    pub(super) granted: u8,
    pub(super) generation: u8,
    /// Opened, and not yet found shut.
    pub(super) opened: bool,
    pub(super) rotation: Rotation,
    pub(super) lags: bool,
    // What really happened.
    pub(super) taken: u8,
    /// Credits up to this generation ended before the supervisor looked for marks and found none.
    pub(super) over: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct State {
    pub(super) queue: u8,
    pub(super) to_arrive: u8,
    /// Accepts that may yet find no descriptor.
    pub(super) exhaustions: u8,
    pub(super) armed: bool,
    pub(super) event: bool,
    pub(super) cordon: bool,
    /// A worker may stop watching, for a reason of its own.
    pub(super) leaves: bool,
    /// A right has ended, and the kernel may have woken that worker.
    pub(super) missed: bool,
    pub(super) supervisor: Supervisor,
    pub(super) lanes: [Lane; LANES],
    pub(super) threads: [Thread; THREADS],
    /// What must never happen and has happened.
    pub(super) broken: Option<&'static str>,
}

const NO_CEILING_HERE: u8 = u8::MAX;

impl Lane {
    pub(super) fn new() -> Self {
        Self {
            word: 0,
            allowance: (0, 0),
            accepted: 0,
            used: 0,
            marks: 0,
            records: [Sent::Nothing; RECORDS],
            rung: false,
            edge: false,
            vain: false,
            watched: 0,
            granted: 0,
            generation: 0,
            opened: false,
            rotation: Rotation::In,
            lags: false,
            taken: 0,
            over: 0,
        }
    }

    /// Lets the real page make one step from the state that is kept here, and keeps what it has become. Generations, counts
    /// and thread ids of the model are small, so that a state takes few bytes; the page gets them as its own.
    pub(super) fn on_page<T>(&mut self, page: &LanePage, step: impl FnOnce(&LanePage) -> T) -> T {
        let left = match self.allowance.1 {
            NO_CEILING_HERE => NO_CEILING,
            left => u32::from(left),
        };
        page.word.0.store(self.word.into(), Ordering::Relaxed);
        page.allowance.0.store(u64::from(self.allowance.0) << 32 | u64::from(left), Ordering::Relaxed);
        page.accepted.0.store(self.accepted.into(), Ordering::Relaxed);
        page.used.0.store(self.used.into(), Ordering::Relaxed);
        for thread in 1..=THREADS {
            let mark = if self.marks >> thread & 1 == 1 { thread as u32 } else { 0 };
            page.marks.0[thread].store(mark, Ordering::Relaxed);
        }
        let result = step(page);
        let allowance = page.allowance.0.load(Ordering::Relaxed);
        let left = match allowance as u32 {
            NO_CEILING => NO_CEILING_HERE,
            left => small(left.into()),
        };
        self.word = small(page.word.0.load(Ordering::Relaxed));
        self.allowance = (small(allowance >> 32), left);
        self.accepted = small(page.accepted.0.load(Ordering::Relaxed));
        self.used = small(page.used.0.load(Ordering::Relaxed).into());
        self.marks = 0;
        for thread in 1..=THREADS {
            let mark = page.marks.0[thread].load(Ordering::Relaxed) as usize;
            assert!(mark == 0 || mark == thread, "a mark stands where the model does not keep it");
            self.marks |= u8::from(mark == thread) << thread;
        }
        assert!(self.accepted < NO_CEILING_HERE && page.overflow.0.load(Ordering::Relaxed) == 0);
        result
    }

    /// What only counts on is taken back to its least: states that differ in nothing else are one.
    pub(super) fn simplify(&mut self, counts: bool) {
        self.granted -= self.used;
        self.used = 0;
        if !counts {
            (self.accepted, self.taken) = (0, 0);
        }
        // A set reports nothing that is not readable, and what is sent is a new edge.
        self.edge &= self.is_readable();
    }

    /// Somebody has a right that is not used up.
    pub(super) fn has_right(&self) -> bool {
        self.unused() > 0 || u64::from(self.word) & OPEN != 0
    }

    /// Singles that were granted and are not used.
    pub(super) fn unused(&self) -> u8 {
        self.granted - self.used
    }

    pub(super) fn is_readable(&self) -> bool {
        self.records[0] != Sent::Nothing
    }

    pub(super) fn send(&mut self, record: Sent) {
        let free = self.records.iter_mut().find(|place| **place == Sent::Nothing);
        *free.expect("a lane holds more records than the model keeps") = record;
        self.edge = true;
    }

    pub(super) fn receive(&mut self) -> Sent {
        let first = self.records[0];
        self.records.rotate_left(1);
        self.records[RECORDS - 1] = Sent::Nothing;
        first
    }
}

impl Shape {
    pub(super) fn is_direct(self) -> bool {
        matches!(self, Self::DirectOnce | Self::DirectGreedy)
    }
}

/// As much as the model keeps of it.
pub(super) fn small(number: u64) -> u8 {
    u8::try_from(number).expect("a number outgrew the model")
}

impl Thread {
    pub(super) fn waits(lane: u8, shape: Shape) -> Self {
        let wait = if shape.is_direct() { Wait::Begins } else { Wait::Sleeps };
        Self::Waits { lane, shape, wait }
    }

    pub(super) fn lane(&self) -> Option<usize> {
        match self {
            Self::None => None,
            Self::Waits { lane, .. } | Self::Runs { lane, .. } => Some(usize::from(*lane)),
        }
    }

    pub(super) fn shape(&self) -> Option<Shape> {
        match self {
            Self::None => None,
            Self::Waits { shape, .. } | Self::Runs { shape, .. } => Some(*shape),
        }
    }

    /// It does nothing until its lane brings it something.
    pub(super) fn is_waiting(&self) -> bool {
        match self {
            Self::None => false,
            Self::Waits { shape, wait, .. } => *shape != Shape::Away && *wait == Wait::Sleeps,
            Self::Runs { shape, turn, .. } => *shape == Shape::Blocking && turn.at == At::Receive,
        }
    }
}

/// What the supervisor knows of the lanes since its last look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Known {
    pub(super) queue: u8,
    pub(super) open: [bool; LANES],
    pub(super) unused: [u8; LANES],
    /// Lanes that were given an open credit since the look.
    pub(super) given: [bool; LANES],
    /// Lanes whose ceiling leaves no room.
    pub(super) full: [bool; LANES],
    /// One of them, perhaps, only because a thread was marked: nobody rings when the mark goes, so it is looked at again.
    pub(super) marked: bool,
}

/// What the supervisor does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Supervisor {
    /// It waits for events; whether a timer is set for credits that are not used.
    Sleep {
        timer: bool,
    },
    Revoke {
        lane: u8,
    },
    TakeRecords {
        lane: u8,
    },
    TellWatcher {
        lane: u8,
    },
    Rearm,
    LookAtQueue,
    LookAtOpen {
        lane: u8,
        known: Known,
    },
    LookAtUsed {
        lane: u8,
        known: Known,
    },
    LookAtMarks {
        lane: u8,
        known: Known,
    },
    Grant {
        known: Known,
    },
    CountMarks {
        lane: u8,
        open: bool,
        known: Known,
    },
    CountAccepted {
        lane: u8,
        open: bool,
        marks: u8,
        known: Known,
    },
    Publish {
        lane: u8,
        known: Known,
    },
    SendOpen {
        lane: u8,
        known: Known,
    },
    Hush {
        known: Known,
    },
    AskOpen {
        lane: u8,
        known: Known,
    },
    Ask {
        lane: u8,
        known: Known,
    },
    AskUsed {
        lane: u8,
        known: Known,
    },
}
