//! Accepting on credit: this process takes a connection from the shared listening socket by itself, as far as the page of the
//! lane and the records in it allow. What to do in which order is [`Turn`]'s, which the model of the protocol goes through;
//! here it is done. It takes none without a mark of its thread, and never waits.
//!
//! # Which lane
//! The number of a descriptor says nothing: after dup2 between two lanes it would accept from the wrong queue. What is read from
//! a descriptor is that lane's, whoever guessed, and a single names the lane: so by a single, or where nothing is to be had, the
//! kernel is not asked. An open credit is used only when it has been asked in this call which lane this is.
//!
//! # What it costs
//! A connection by a single: its record, the number and the flags of the listening socket, the program's own accept. By an open
//! credit: the number of the lane, those two, the accept, and a look at the queue whenever half of what was seen there is accepted.
//! In steady traffic: the number and the accept, and nothing for the next one in the same round; the wait has asked for the lane's.
//! An accept in vain without an open credit: one receive. With one: the number of the lane, a look, and whether the lane blocks.

mod call;
mod direct;
mod fetch;
mod guess;
mod shared;
mod table;
mod wait;

pub(crate) use self::call::CallOutcome;
pub(crate) use self::fetch::{forget, forget_lane, listener, prepare, shut_down_all};
pub(crate) use self::shared::keep_nonblocking;
pub(crate) use self::wait::{Limit, wait};

use self::table::Entry;
use crate::kernel::abi::*;
use crate::kernel::sys;
use crate::lanes::lane;
use crate::log::tell;
use crate::sockets::owned::cookie;
use clustermon_protocol::credit::{LanePage, Received, Turn};
use clustermon_protocol::record::Upward;
use core::ffi::c_int;

/// A lane by which this process may accept by itself, and how far this call of accept() is with it.
pub(crate) struct Credit {
    entry: &'static Entry,
    /// The kernel's number for the lane.
    lane: u64,
    page: &'static LanePage,
    /// In this call something has told that the descriptor is this lane.
    is_sure: bool,
    /// A single was taken off the lane for what follows.
    has_single: bool,
    turn: Turn,
}

/// The credit of the lane `fd`, if connections are not only handed over by it; perhaps that of the lane which it was before,
/// as long as there is nothing that this lane allows.
pub(crate) fn of(fd: c_int) -> Option<Credit> {
    let guess = guess::of(fd).and_then(|entry| {
        let lane = entry.number();
        let page = entry.page(lane)?;
        // The wait has just asked.
        let is_sure = direct::is_in_round(lane, fd);
        (is_sure || page.open_generation().is_none()).then(|| Credit::new(entry, lane, page, is_sure))
    });
    guess.or_else(|| of_lane(fd))
}

/// As [`of`], and asks the kernel which lane it is. Asks the supervisor for what is needed in a process that has not met this lane.
#[inline(never)]
pub(crate) fn of_lane(fd: c_int) -> Option<Credit> {
    let found = cookie(fd).and_then(|lane| {
        let entry = table::find(lane).or_else(|| fetch::first(fd, lane))?;
        let page = entry.page(lane).or_else(|| fetch::settled(entry, lane, fd))?;
        Some(Credit::new(entry, lane, page, true))
    });
    guess::learn(fd, found.as_ref().map(|found| found.entry));
    found
}

/// A single was taken off the lane `fd`: what follows accepts by it. `credit` becomes that of the lane which the single names,
/// and none where this process cannot use it: then the supervisor has been told.
pub(crate) fn use_single(credit: &mut Option<Credit>, fd: c_int, lane: u64, series: u32) {
    if !credit.as_mut().is_some_and(|held| held.is_of(fd, lane)) {
        let found = of_lane(fd).filter(|found| lane == 0 || found.lane == lane);
        *credit = found.or_else(|| find(lane));
    }
    match credit {
        Some(held) => {
            held.is_sure = true;
            if held.has_listener(fd) {
                held.has_single = true;
                held.turn.received(Received::Single { series });
            } else {
                *credit = None;
            }
        }
        None if lane == 0 || cookie(fd) == Some(lane) => decline(fd),
        // Another lane stands there by now, and has nothing to do with it.
        None => {}
    }
}

/// The record of the open credit of this generation was taken off the lane. If the credit is still open another thread was
/// quicker with what waited: it is shut, and the supervisor hears of it and may open another.
pub(crate) fn give_back(credit: &mut Option<Credit>, fd: c_int, generation: u64) {
    if !credit.as_mut().is_some_and(|held| held.is_of(fd, 0)) {
        *credit = of_lane(fd);
    }
    match credit {
        Some(held) => held.turn.received(Received::Open(generation)),
        None => decline(fd),
    }
}

/// A connection that was handed over was received, or is lost.
pub(crate) fn count_received(credit: &mut Option<Credit>, fd: c_int) {
    if let Some(held) = credit
        && !held.is_of(fd, 0)
    {
        *credit = of_lane(fd);
    }
    if let Some(held) = credit {
        held.page.count_received();
    }
}

/// That of a lane which this process has met.
fn find(lane: u64) -> Option<Credit> {
    let entry = table::find(lane).filter(|_| lane != 0)?;
    Some(Credit::new(entry, lane, entry.page(lane)?, true))
}

impl Credit {
    fn new(entry: &'static Entry, lane: u64, page: &'static LanePage, is_sure: bool) -> Self {
        Self { entry, lane, page, is_sure, has_single: false, turn: Turn::default() }
    }

    /// Whether the descriptor is this lane: by the number that a record named, or else by the kernel's answer.
    fn is_of(&mut self, fd: c_int, named: u64) -> bool {
        if named != 0 {
            return named == self.lane;
        }
        self.is_sure = self.is_sure || cookie(fd) == Some(self.lane);
        self.is_sure
    }

    /// A connection that is handed over may lie in the lane.
    pub(crate) fn may_hold_connections(&self) -> bool {
        self.page.may_hold_connections()
    }

    /// The thread may have waited: what the descriptor was before is nothing to go by.
    pub(crate) fn has_waited(&mut self) {
        self.is_sure = false;
    }

    /// What was received says nothing: whether it may accept by now is looked at again.
    pub(crate) fn look_again(&mut self) {
        self.turn.received(Received::Void);
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

/// Sends word by the lane with that number, unless another socket has its descriptor by now. A program may have forbidden
/// itself to ask.
fn say_of(lane: u64, fd: c_int, told: Upward) {
    if cookie(fd).is_none_or(|number| number == lane) {
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
