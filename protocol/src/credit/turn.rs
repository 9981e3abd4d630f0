//! One call of accept() on a lane that takes credits, step by step: what to read and write in the page, in which order, and
//! what to do in between. It makes no system call itself: the thunk does as it says, and the model of the protocol goes
//! through all orders in which the steps of several threads and of the supervisor can follow each other.

use super::{Allowance, LanePage, Mark, Shut};

/// Where the call stands. To be dropped only while no mark is set: after [`Do::Return`], or in answer to [`Do::Receive`].
#[derive(Debug)]
#[cfg_attr(test, derive(Clone, Copy, PartialEq, Eq, Hash))]
#[must_use]
pub struct Turn {
    pub(super) at: At,
}

/// What the caller has to do, and how it answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Do {
    /// Receive a record from the lane and answer by [`Turn::received`]. It waits for one only if the lane blocks.
    Receive,
    /// Accept from the shared listening socket without waiting, by the open credit or by a single, and answer by [`Turn::accepted`].
    Accept {
        /// By the open credit.
        open: bool,
    },
    /// The queue was found empty under the open credit of this generation: answer by [`Turn::stays`] whether that ends it.
    Linger {
        /// Of the credit.
        generation: u64,
    },
    /// The record of the open credit of this generation was taken off the lane: answer by [`Turn::watches`] whether the credit
    /// stays open without, because the thread's wait watches the listening socket itself.
    Watch {
        /// Of the credit.
        generation: u64,
    },
    /// Send [`crate::record::Upward::Ring`]; no answer.
    Ring,
    /// Send [`crate::record::Upward::Exhausted`]; no answer.
    Exhausted,
    /// The call is over, and this came of it.
    Return(Came),
}

/// What came of an accept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Came {
    /// A connection.
    Connection,
    /// Nothing: the queue is empty.
    Nothing,
    /// There is no descriptor or no memory for a connection. The kernel says so before it looks at the queue, so that who
    /// kept its right would come back at once, for ever.
    Exhausted,
    /// An error that says nothing about the queue, or nothing was tried.
    Error,
}

/// What becomes of an open credit under which the queue was found empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stays {
    /// It is shut.
    Not,
    /// It stays as it is, and the call is over: its record in the lane brings the thread back, or its wait watches the listening socket.
    Open,
    /// It may stay open once its record is taken off.
    Watched,
}

/// What was received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Received {
    /// No record was there.
    Nothing,
    /// A single of this series.
    Single { series: u32 },
    /// The record of the open credit of this generation.
    Open(u64),
    /// What neither gives nor takes a right.
    Void,
}

/// By what right a thread accepts.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(test, derive(PartialEq, Eq, Hash))]
pub(super) enum Right {
    Single,
    Open(u64),
}

/// The step that comes next; each reads or writes the page once, but for those that wait for the caller's answer.
#[derive(Debug)]
#[cfg_attr(test, derive(Clone, Copy, PartialEq, Eq, Hash))]
pub(super) enum At {
    Look,
    Allow(u64),
    Mark(u64),
    MarkForSingle(u32),
    LookAgain(u64, Mark),
    LookAtSeries(u32, Mark),
    Accept(Right, Mark),
    Count(Right, Mark),
    GiveBack(u64, Mark, Came),
    Unmark(Right, Mark, Came),
    Linger(u64),
    Shut(u64),
    ShutExhausted(u64),
    Use(Came),
    TakeRing(Came),
    Ring(Option<Came>),
    Exhausted,
    Receive,
    Watch(u64),
    ShutAndRing(u64),
    Over(Came),
    /// Between two steps only.
    Moved,
}

impl Default for Turn {
    fn default() -> Self {
        Self { at: At::Look }
    }
}

impl Turn {
    /// Goes on to where the caller has to do something. `thread` tells the id of the calling thread, which is never 0.
    pub fn next(&mut self, page: &LanePage, thread: impl Fn() -> u32) -> Do {
        loop {
            if let Some(order) = self.step(page, &thread) {
                return order;
            }
        }
    }

    /// Answers [`Do::Receive`].
    pub fn received(&mut self, received: Received) {
        self.at = match received {
            Received::Nothing => At::Over(Came::Nothing),
            Received::Single { series } => At::MarkForSingle(series),
            // The record is no longer in the lane, so that the lane no longer wakes anybody.
            Received::Open(generation) => At::Watch(generation),
            Received::Void => At::Look,
        };
    }

    /// Answers [`Do::Accept`].
    pub fn accepted(&mut self, came: Came) {
        self.at = match (core::mem::replace(&mut self.at, At::Moved), came) {
            (At::Accept(right, mark), Came::Connection) => At::Count(right, mark),
            (At::Accept(Right::Open(generation), mark), _) => At::GiveBack(generation, mark, came),
            (At::Accept(Right::Single, mark), _) => At::Unmark(Right::Single, mark, came),
            (other, _) => other,
        };
    }

    /// Answers [`Do::Linger`].
    pub fn stays(&mut self, stays: Stays) {
        self.at = match (core::mem::replace(&mut self.at, At::Moved), stays) {
            (At::Linger(generation), Stays::Not) => At::Shut(generation),
            (At::Linger(_), Stays::Open) => At::Over(Came::Nothing),
            (At::Linger(_), Stays::Watched) => At::Receive,
            (other, _) => other,
        };
    }

    /// Answers [`Do::Watch`].
    pub fn watches(&mut self, watches: bool) {
        self.at = match core::mem::replace(&mut self.at, At::Moved) {
            // What else lies in the lane is taken off: it would wake the thread for nothing.
            At::Watch(_) if watches => At::Receive,
            At::Watch(generation) => At::ShutAndRing(generation),
            other => other,
        };
    }

    /// Takes one step; `None` if the next one can follow at once.
    pub(super) fn step(&mut self, page: &LanePage, thread: impl Fn() -> u32) -> Option<Do> {
        let mut order = None;
        self.at = match core::mem::replace(&mut self.at, At::Moved) {
            At::Look => page.open_generation().map_or(At::Receive, At::Allow),
            At::Allow(generation) => match page.take_allowance(generation) {
                Allowance::Taken => At::Mark(generation),
                // Nothing more may be accepted by it, though connections may wait.
                Allowance::Reached => At::ShutAndRing(generation),
                Allowance::Replaced => At::Look,
            },
            // What is revoked before the mark was seen must not be used.
            At::Mark(generation) => At::LookAgain(generation, page.mark(thread())),
            // Nobody can revoke what has left the lane: it counts as outstanding until it is used, or written off as lost.
            At::MarkForSingle(series) => At::LookAtSeries(series, page.mark(thread())),
            At::LookAtSeries(series, mark) if page.may_use_single(series) => At::Accept(Right::Single, mark),
            // It was written off while this thread was held up.
            At::LookAtSeries(_, mark) => {
                page.unmark(mark);
                At::Look
            }
            At::LookAgain(generation, mark) if page.open_generation() == Some(generation) => {
                At::Accept(Right::Open(generation), mark)
            }
            // The allowance ended with its generation.
            At::LookAgain(_, mark) => {
                page.unmark(mark);
                At::Look
            }
            At::Accept(right, mark) => {
                order = Some(Do::Accept { open: matches!(right, Right::Open(_)) });
                At::Accept(right, mark)
            }
            // Counted before the mark goes: whoever sees no mark sees the count.
            At::Count(right, mark) => {
                page.count_accepted();
                At::Unmark(right, mark, Came::Connection)
            }
            At::GiveBack(generation, mark, came) => {
                page.return_allowance(generation);
                At::Unmark(Right::Open(generation), mark, came)
            }
            At::Unmark(right, mark, came) => {
                page.unmark(mark);
                match (right, came) {
                    (Right::Single, _) => At::Use(came),
                    (Right::Open(generation), Came::Nothing) => At::Linger(generation),
                    (Right::Open(generation), Came::Exhausted) => At::ShutExhausted(generation),
                    (Right::Open(_), Came::Connection | Came::Error) => At::Over(came),
                }
            }
            At::Linger(generation) => {
                order = Some(Do::Linger { generation });
                At::Linger(generation)
            }
            At::Shut(generation) => match page.shut(generation) {
                Shut::Done { ring: true } => At::Ring(None),
                // What lies in the lane is taken off by what follows.
                Shut::Done { ring: false } | Shut::Not => At::Look,
            },
            At::ShutExhausted(generation) => match page.shut(generation) {
                Shut::Done { .. } => At::Exhausted,
                Shut::Not => At::Over(Came::Exhausted),
            },
            At::Use(came) => {
                page.count_use();
                At::TakeRing(came)
            }
            At::TakeRing(came) => {
                let wanted = page.take_ring();
                match came {
                    Came::Exhausted => At::Exhausted,
                    // The supervisor may count on this single for one that has come since.
                    Came::Nothing => At::Ring(None),
                    Came::Connection | Came::Error if wanted => At::Ring(Some(came)),
                    Came::Connection | Came::Error => At::Over(came),
                }
            }
            At::Ring(then) => {
                order = Some(Do::Ring);
                then.map_or(At::Look, At::Over)
            }
            At::Exhausted => {
                order = Some(Do::Exhausted);
                At::Over(Came::Exhausted)
            }
            At::Receive => {
                order = Some(Do::Receive);
                At::Receive
            }
            At::Watch(generation) => {
                order = Some(Do::Watch { generation });
                At::Watch(generation)
            }
            // The supervisor hears of it in any case: connections may wait.
            At::ShutAndRing(generation) => match page.shut(generation) {
                Shut::Done { .. } => At::Ring(None),
                Shut::Not => At::Look,
            },
            At::Over(came) => {
                order = Some(Do::Return(came));
                At::Over(came)
            }
            At::Moved => At::Look,
        };
        order
    }
}
