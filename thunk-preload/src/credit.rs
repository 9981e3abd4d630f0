//! Accepting on credit: this process takes a connection from the shared listening socket by itself, as far as the page of the
//! lane and the records in it allow. It takes none without marking its thread first, and never waits.
//!
//! A connection costs these system calls: the lane's number for its socket, that of the listening socket, and the program's own
//! accept; by a single credit its record is received as well. An open credit that stays open over a vain accept costs one more, which
//! asks whether the lane blocks.

mod direct;
mod fetch;
mod shared;
mod table;
mod wait;

pub(crate) use self::fetch::{forget, forget_lane, listener, prepare, shut_down_all};
pub(crate) use self::wait::{Limit, wait};

use self::shared::Listener;
use self::table::Entry;
use crate::abi::*;
use crate::lane;
use crate::log::{Errno, tell};
use crate::owned::cookie;
use crate::pulse;
use crate::receive::blocking;
use crate::sys;
use crate::take::Call;
use clustermon_protocol::credit::{Allowance, LanePage, Shut};
use clustermon_protocol::record::Upward;
use core::ffi::c_int;

/// A lane by which this process may accept by itself.
pub(crate) struct Credit {
    entry: &'static Entry,
    /// The kernel's number for the lane.
    lane: u64,
    page: &'static LanePage,
}

/// What came of it.
pub(crate) enum Outcome {
    Accepted(c_int),
    /// The program's call fails with this error.
    Failed(c_int),
    /// Nobody waits, or it may not accept now.
    Nothing,
    /// The listening socket is not to be had any more, and the supervisor has been told.
    Unusable,
}

/// The credit of the lane `fd`, if connections are not only handed over by it. Asks for it in a process that has not met
/// this lane.
pub(crate) fn of(fd: c_int) -> Option<Credit> {
    let lane = cookie(fd)?;
    let entry = table::find(lane).or_else(|| fetch::first(fd, lane))?;
    let page = entry.page(lane).or_else(|| fetch::settled(entry, lane, fd))?;
    Some(Credit { entry, lane, page })
}

/// Accepts by a single, which was taken off the lane; without a listening socket the supervisor hears that it cannot.
///
/// # Safety
/// As for [`Call::make_on`].
pub(crate) unsafe fn accept_by_single(
    credit: &mut Option<Credit>,
    fd: c_int,
    call: &Call,
    series: u32,
) -> Outcome {
    let outcome = match credit {
        // SAFETY: passed on to the caller.
        Some(held) => unsafe { held.accept_by_single(fd, call, series) },
        None => {
            decline(fd);
            Outcome::Unusable
        }
    };
    if let Outcome::Unusable = outcome {
        *credit = None;
    }
    outcome
}

/// The record of an open credit was taken off the lane, so that it no longer tells of the credit. Either the thread's wait watches the
/// listening socket from now on, or the credit is shut, and the supervisor hears of it and may open another.
pub(crate) fn give_back(credit: &mut Option<Credit>, fd: c_int, generation: u64) {
    match credit {
        Some(held) => {
            if held.page.open_generation() == Some(generation)
                && let Some(listener) = held.entry.listener()
                && direct::begin(fd, held.lane, held.page, listener, generation)
            {
                return;
            }
            if let Shut::Done { .. } = held.page.shut(generation) {
                held.say(fd, Upward::Ring);
            }
        }
        None => decline(fd),
    }
}

impl Credit {
    /// Accepts while an open credit allows it.
    ///
    /// # Safety
    /// As for [`Call::make_on`].
    pub(crate) unsafe fn accept_while_open(&self, fd: c_int, call: &Call) -> Outcome {
        while let Some(generation) = self.page.open_generation() {
            let Some(listener) = self.listener(fd) else { return Outcome::Unusable };
            match self.page.take_allowance(generation) {
                Allowance::Taken => {}
                Allowance::Reached => {
                    if let Shut::Done { .. } = self.page.shut(generation) {
                        self.say(fd, Upward::Ring);
                    }
                    continue;
                }
                Allowance::Replaced => continue,
            }
            let mark = self.page.mark(pulse::tid());
            if self.page.open_generation() != Some(generation) {
                self.page.unmark(mark);
                self.page.return_allowance(generation);
                continue;
            }
            // SAFETY: passed on to the caller.
            let result = unsafe { call.make_on(listener.fd) };
            self.count(result);
            self.page.unmark(mark);
            let error = match result {
                Ok(connection) => {
                    self.entry.found_one();
                    direct::found_one(self.lane);
                    return Outcome::Accepted(connection);
                }
                Err(error) => error,
            };
            self.page.return_allowance(generation);
            match error {
                EAGAIN if direct::found_none(self.lane, generation, listener) => {
                    return Outcome::Failed(EAGAIN);
                }
                // What lies in the lane is taken off first.
                EAGAIN if self.may_watch() => return Outcome::Nothing,
                // While it is busy the next round mostly finds some, and the supervisor need not open another.
                EAGAIN if self.may_stay_open(fd) => return Outcome::Failed(EAGAIN),
                EAGAIN => {
                    if self.page.shut(generation) == (Shut::Done { ring: true }) {
                        self.say(fd, Upward::Ring);
                    }
                }
                EMFILE | ENFILE | ENOBUFS | ENOMEM => {
                    if let Shut::Done { .. } = self.page.shut(generation) {
                        self.say(fd, Upward::Exhausted(error as u8));
                    }
                    return self.failed(fd, error);
                }
                EINVAL | EBADF | ENOTSOCK | EOPNOTSUPP if !listener.is_listening() => {
                    // Somebody has shut it down: where the supervisor has another, the next round uses it.
                    if fetch::renew(self.entry, self.lane, fd, Some(listener)).is_none() {
                        return self.unusable(fd);
                    }
                }
                error => return self.failed(fd, error),
            }
        }
        Outcome::Nothing
    }

    /// The queue was found empty, and the thread's wait may watch the listening socket.
    fn may_watch(&self) -> bool {
        self.page.direct().registration().is_some() && !self.may_hold_connections()
    }

    /// The queue was found empty, and the open credit may stay as it is, with its record in the lane.
    fn may_stay_open(&self, fd: c_int) -> bool {
        self.page.is_patient() && self.entry.found_none() && !self.may_hold_connections() && !blocking(fd)
    }

    /// Accepts one, by a single.
    ///
    /// # Safety
    /// As for [`Call::make_on`].
    unsafe fn accept_by_single(&self, fd: c_int, call: &Call, series: u32) -> Outcome {
        let Some(listener) = self.listener(fd) else { return Outcome::Unusable };
        let mark = self.page.mark(pulse::tid());
        // Who was held up since it took the single off may find that it was written off.
        if !self.page.may_use_single(series) {
            self.page.unmark(mark);
            return Outcome::Nothing;
        }
        // SAFETY: passed on to the caller.
        let result = unsafe { call.make_on(listener.fd) };
        self.count(result);
        self.page.unmark(mark);
        let is_heard_of = self.page.use_single();
        if let Err(error @ (EMFILE | ENFILE | ENOBUFS | ENOMEM)) = result {
            self.say(fd, Upward::Exhausted(error as u8));
        } else if is_heard_of {
            self.say(fd, Upward::Ring);
        }
        match result {
            Ok(connection) => Outcome::Accepted(connection),
            Err(EAGAIN) => {
                tell!("accept({fd}): another was quicker with what waited");
                if !is_heard_of {
                    // The supervisor may count on this single for one that has come since.
                    self.say(fd, Upward::Ring);
                }
                Outcome::Nothing
            }
            Err(EINVAL | EBADF | ENOTSOCK | EOPNOTSUPP) if !listener.is_listening() => {
                match fetch::renew(self.entry, self.lane, fd, Some(listener)) {
                    Some(_) => Outcome::Nothing,
                    None => self.unusable(fd),
                }
            }
            Err(error) => self.failed(fd, error),
        }
    }

    /// A connection that is handed over may lie in the lane.
    pub(crate) fn may_hold_connections(&self) -> bool {
        self.page.may_hold_connections()
    }

    /// One of them was received, or is lost.
    pub(crate) fn count_received(&self) {
        self.page.count_received();
    }

    /// A connection is counted before the mark is taken away: whoever finds no mark finds all counted.
    fn count(&self, result: sys::Result<c_int>) {
        if result.is_ok() {
            self.page.count_accepted();
        }
    }

    fn failed(&self, fd: c_int, error: c_int) -> Outcome {
        tell!("accept({fd}): the kernel says {} of the shared listening socket", Errno(error));
        Outcome::Failed(error)
    }

    /// The shared listening socket; the program may have closed it, or put something else under its number.
    fn listener(&self, fd: c_int) -> Option<Listener> {
        let kept = self.entry.listener();
        let found = match kept.filter(Listener::is_itself) {
            Some(kept) => Some(kept),
            None => fetch::renew(self.entry, self.lane, fd, kept),
        };
        if found.is_none() {
            self.unusable(fd);
        }
        found
    }

    fn unusable(&self, fd: c_int) -> Outcome {
        tell!("accept({fd}): the shared listening socket is not to be had: connections are handed over");
        self.say(fd, Upward::NoCredit);
        Outcome::Unusable
    }

    /// Sends word by the lane, unless another socket has its number by now.
    fn say(&self, fd: c_int, told: Upward) {
        say_of(self.lane, fd, told);
    }
}

/// The program is about to change how this descriptor stands in that epoll set, or has done so.
pub(crate) fn registration_changes(set: c_int, fd: c_int) {
    direct::changes(set, fd);
    if lane::hinted(fd)
        && let Some(lane) = cookie(fd)
        && let Some(page) = table::find(lane).and_then(|entry| entry.page(lane))
    {
        page.direct().changes();
    }
}

/// Sends word by the lane with that number, unless another socket has its descriptor by now.
fn say_of(lane: u64, fd: c_int, told: Upward) {
    if cookie(fd) == Some(lane) {
        say(fd, told);
    }
}

/// This process cannot use the record that it has found.
#[cold]
fn decline(fd: c_int) {
    tell!("accept({fd}): a credit, which this process cannot use: connections are handed over");
    say(fd, Upward::NoCredit);
}

/// A filter that forbids sending mostly lets the program write.
fn say(lane: c_int, told: Upward) {
    let bytes = told.encode();
    if let Err(EPERM | EACCES | ENOSYS) = sys::send(lane, &bytes, MSG_DONTWAIT | MSG_NOSIGNAL) {
        let _ = sys::write(lane, &bytes);
    }
}
