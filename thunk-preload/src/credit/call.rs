//! What one call of accept() does by the credits of its lane: [`Turn`] says what comes next, and here it is done. It never waits,
//! and receives nothing from the lane.

use super::shared::Listener;
use crate::credit::{Credit, direct, fetch};
use crate::kernel::abi::*;
use crate::log::{Errno, tell};
use crate::pulse;
use crate::real::call::Call;
use crate::receive::record::blocking;
use crate::sockets::owned::cookie;
use clustermon_protocol::credit::{Came, Do, Stays, Turn};
use clustermon_protocol::record::Upward;
use core::ffi::c_int;

/// What came of it.
pub(crate) enum CallOutcome {
    Accepted(c_int),
    /// The program's call fails with this error.
    Failed(c_int),
    /// It may not accept now, and is to receive from the lane. `in_vain`: it was told by a single of what was gone.
    Nothing {
        in_vain: bool,
    },
    /// The descriptor is another lane, or none.
    Elsewhere,
    /// The listening socket is not to be had any more, and the supervisor has been told.
    Unusable,
}

/// What an accept on the shared listening socket came to.
enum Tried {
    Connection(c_int),
    Empty,
    Exhausted(c_int),
    Failed(c_int),
    /// It is not there, or nobody listens on it any more.
    NoListener(Option<Listener>),
    /// The descriptor is not this lane.
    Elsewhere,
}

impl Tried {
    fn came(&self) -> Came {
        match self {
            Self::Connection(_) => Came::Connection,
            Self::Empty => Came::Nothing,
            Self::Exhausted(_) => Came::Exhausted,
            Self::Failed(_) | Self::NoListener(_) | Self::Elsewhere => Came::Error,
        }
    }
}

impl Credit {
    /// Goes on with this call as far as it can without a record from the lane.
    ///
    /// # Safety
    /// As for [`Call::make_on`].
    pub(crate) unsafe fn go_on(&mut self, fd: c_int, call: &Call) -> CallOutcome {
        let mut tried = Tried::Empty;
        // Where it is not used, or is used for nothing.
        let in_vain = core::mem::take(&mut self.has_single);
        loop {
            match self.turn.next(self.page, pulse::tid) {
                Do::Receive => return CallOutcome::Nothing { in_vain },
                Do::Accept { open } => {
                    // SAFETY: passed on to the caller.
                    tried = unsafe { self.accept(fd, call, open) };
                    self.turn.accepted(tried.came());
                }
                Do::Linger { generation } => {
                    let stays = self.stays(fd, generation);
                    self.turn.stays(stays);
                }
                Do::Watch { generation } => {
                    let watches = self.watches(fd, generation);
                    self.turn.watches(watches);
                }
                Do::Ring => self.say(fd, Upward::Ring),
                Do::Exhausted => {
                    if let Tried::Exhausted(error) = tried {
                        self.say(fd, Upward::Exhausted(error as u8));
                    }
                }
                Do::Return(_) => match tried {
                    Tried::Connection(connection) => return CallOutcome::Accepted(connection),
                    Tried::Empty => return CallOutcome::Failed(EAGAIN),
                    Tried::Exhausted(error) | Tried::Failed(error) => {
                        tell!(
                            "accept({fd}): the kernel says {} of the shared listening socket",
                            Errno(error)
                        );
                        return CallOutcome::Failed(error);
                    }
                    Tried::Elsewhere => return CallOutcome::Elsewhere,
                    Tried::NoListener(lost) if self.renew(fd, lost) => self.turn = Turn::default(),
                    Tried::NoListener(_) => return CallOutcome::Unusable,
                },
            }
        }
    }

    /// The accept itself, by an open credit or by a single.
    ///
    /// # Safety
    /// As for [`Call::make_on`].
    unsafe fn accept(&mut self, fd: c_int, call: &Call, open: bool) -> Tried {
        let one_each = open && self.page.direct().is_one_each();
        if one_each && direct::has_taken(self.lane) {
            // The next is somebody else's, or this thread's in its next round.
            return Tried::Empty;
        }
        // It was opened after the guess.
        if open && !self.is_of(fd, 0) {
            return Tried::Elsewhere;
        }
        let listener = match self.entry.listener() {
            Some(Listener::TO_COME) => fetch::renew(self.entry, self.lane, fd, Some(Listener::TO_COME)),
            kept => kept,
        };
        let listener = match listener {
            None => return Tried::NoListener(None),
            // The supervisor rings for nobody who has none: a right that comes before it is of no use.
            Some(Listener::TO_COME) => return Tried::Empty,
            Some(listener) => listener,
        };
        let was_told = open && direct::was_told(self.lane);
        if open && !was_told && !self.entry.take_expected() {
            match listener.waiting() {
                // What comes of another's empty queue is mended by the next look, which asks whose it is.
                Some(0) if self.entry.trusts() || listener.is_itself() => return Tried::Empty,
                Some(0) => return Tried::NoListener(Some(listener)),
                Some(waiting) => self.entry.expect(waiting - 1),
                None => {}
            }
        }
        // By a single it was looked at before.
        if open && !listener.is_itself() {
            return Tried::NoListener(Some(listener));
        }
        self.entry.is_proven();
        listener.keep_nonblocking();
        // SAFETY: passed on to the caller.
        match unsafe { call.make_on(listener.fd) } {
            Ok(connection) => {
                if self.page.is_counted()
                    && let Some(number) = cookie(connection)
                {
                    self.page.note(number);
                }
                if open {
                    self.entry.found_one();
                    direct::found_one(self.lane);
                }
                Tried::Connection(connection)
            }
            Err(EAGAIN) => {
                if open {
                    self.entry.expect(0);
                } else {
                    tell!("accept({fd}): another was quicker with what waited");
                }
                Tried::Empty
            }
            Err(error @ (EMFILE | ENFILE | ENOBUFS | ENOMEM)) => Tried::Exhausted(error),
            // Somebody has shut it down: the supervisor may have another.
            Err(EINVAL | EBADF | ENOTSOCK | EOPNOTSUPP) if !listener.is_listening() => {
                Tried::NoListener(Some(listener))
            }
            Err(error) => Tried::Failed(error),
        }
    }

    /// What becomes of the open credit under which the queue was found empty.
    fn stays(&self, fd: c_int, generation: u64) -> Stays {
        let listener = self.entry.listener();
        if listener == Some(Listener::TO_COME) {
            return Stays::Not;
        }
        if self.page.direct().is_one_each() && direct::has_taken(self.lane) {
            return Stays::Open;
        }
        if listener.is_some_and(|listener| direct::found_none(self.lane, generation, listener)) {
            return Stays::Open;
        }
        if self.may_hold_connections() {
            return Stays::Not;
        }
        if self.page.direct().registration().is_some() {
            return Stays::Watched;
        }
        // While it is busy the next round mostly finds some, and the supervisor need not open another.
        if self.page.is_patient() && self.entry.found_none() && !blocking(fd) {
            return Stays::Open;
        }
        Stays::Not
    }

    /// The record of the open credit is taken off, and the thread's wait watches the listening socket from now on.
    fn watches(&self, fd: c_int, generation: u64) -> bool {
        self.page.open_generation() == Some(generation)
            && self
                .entry
                .listener()
                .is_some_and(|listener| direct::begin(fd, self.lane, self.page, listener, generation))
    }

    /// The shared listening socket is under its number: the program may have closed it, or put something else there. False if it
    /// is not to be had.
    pub(super) fn has_listener(&self, fd: c_int) -> bool {
        let kept = self.entry.listener();
        kept.is_some_and(|kept| kept.is_itself()) || self.renew(fd, kept)
    }

    /// Asks for another; if there is none the supervisor is told that it has to hand over.
    fn renew(&self, fd: c_int, lost: Option<Listener>) -> bool {
        let found = fetch::renew(self.entry, self.lane, fd, lost).is_some();
        if !found {
            tell!("accept({fd}): the shared listening socket is not to be had: connections are handed over");
            self.say(fd, Upward::NoCredit);
        }
        found
    }
}
