//! Asking the supervisor for what a lane needs to accept on credit: the shared listening socket and the lane's page. One thread
//! asks, others wait for it. Where the answer is no, or there is none, connections of the lane are handed over.

use super::shared::Listener;
use super::table::{self, Entry};
use crate::credit::{guess, say};
use crate::kernel::abi::{EAGAIN, SHUT_RDWR};
use crate::kernel::sys;
use crate::lanes::lane;
use crate::log::tell;
use crate::sockets::owned::cookie;
use crate::supervisor::link;
use crate::supervisor::settings::Settings;
use clustermon_protocol::credit::LanePage;
use clustermon_protocol::message::{Reply, Request};
use clustermon_protocol::record::Upward;
use core::ffi::c_int;
use core::sync::atomic::{AtomicU32, Ordering};

/// How long a thread waits for another that asks, in milliseconds. A signal handler of the asking thread gives up in time.
const PATIENCE: i64 = 1_000;

/// Counts the sweeps.
static SWEEPS: AtomicU32 = AtomicU32::new(0);

/// The descriptor has just become a lane: it gets what it needs before its first accept.
#[cold]
#[inline(never)]
pub(crate) fn prepare(fd: c_int) {
    let entry = cookie(fd).and_then(|number| table::find(number).or_else(|| first(fd, number)));
    guess::learn(fd, entry);
}

/// A lane of which this process has no entry yet.
#[cold]
#[inline(never)]
pub(super) fn first(fd: c_int, number: u64) -> Option<&'static Entry> {
    lane::recognise(fd)?;
    sweep();
    let entry = table::find_or_add(number, SWEEPS.load(Ordering::Acquire))?;
    ensure(entry, number, fd);
    Some(entry)
}

/// The page of a lane for which nobody has asked yet, or somebody is asking.
#[cold]
#[inline(never)]
pub(super) fn settled(entry: &'static Entry, number: u64, fd: c_int) -> Option<&'static LanePage> {
    ensure(entry, number, fd);
    entry.page(number)
}

/// Asks unless that has been done. The lane is not to be one from which this thread could block meanwhile.
fn ensure(entry: &'static Entry, number: u64, fd: c_int) {
    if entry.is_settled() {
        return;
    }
    if !entry.begin_to_ask() {
        return wait(entry);
    }
    let found = lane::recognise(fd).filter(|_| cookie(fd) == Some(number)).and_then(|identity| {
        let listener = ask_for_listener(identity.lane)?;
        let has_page = ask_for_page(entry, identity.lane);
        if !has_page {
            close_unless_used(listener);
        }
        has_page.then_some(listener)
    });
    entry.settle(found);
    match found {
        Some(listener) => {
            if listener == Listener::TO_COME {
                tell!("descriptor {fd}: accepts on credit, once it gets the shared listening socket");
            } else {
                tell!(
                    "descriptor {fd}: accepts on credit, from the shared listening socket as {}",
                    listener.fd
                );
            }
            say(fd, Upward::TakesCredit);
        }
        None => tell!("descriptor {fd}: connections are handed over"),
    }
}

/// Asks for the listening socket again: the program has closed it, or somebody has shut it down. `None` if there is none: then
/// connections are handed over; [`Listener::TO_COME`] if there is none now.
#[cold]
#[inline(never)]
pub(super) fn renew(
    entry: &'static Entry,
    number: u64,
    fd: c_int,
    lost: Option<Listener>,
) -> Option<Listener> {
    if !entry.begin_to_ask_again() {
        wait(entry);
        return entry.listener().filter(|kept| *kept == Listener::TO_COME || kept.is_listening());
    }
    let now = entry.kept();
    let found = if Some(now) != lost && now.is_listening() {
        // Another thread was quicker.
        Some(now)
    } else {
        tell!("accept({fd}): the shared listening socket is gone, and is asked for again");
        // First what says nothing where the program may not ask: it stays a lane.
        let is_it = cookie(fd) == Some(number);
        let identity = if is_it { lane::recognise(fd) } else { None };
        identity.and_then(|identity| ask_for_listener(identity.lane))
    };
    entry.settle(found);
    lost.filter(|lost| Some(*lost) != found).inspect(|lost| close_unless_used(*lost));
    found
}

/// The lane has ended, or the program has shut it down.
#[cold]
#[inline(never)]
pub(crate) fn forget(fd: c_int) {
    cookie(fd).inspect(|number| forget_lane(*number));
}

/// The same of a lane that is known by the kernel's number for it.
pub(crate) fn forget_lane(number: u64) {
    table::find(number).inspect(|entry| clear(entry, number));
}

/// The shared listening socket of the lane `fd`, as long as it is that and listens.
#[cold]
#[inline(never)]
pub(crate) fn listener(fd: c_int) -> Option<Listener> {
    cookie(fd).and_then(table::find)?.listener().filter(Listener::is_listening)
}

/// Shuts down every shared listening socket, for all who have it: nobody is left who may accept.
#[cold]
#[inline(never)]
pub(crate) fn shut_down_all() {
    table::each_lane(|entry, _| {
        if let Some(listener) = entry.listener().filter(Listener::is_listening) {
            let _ = sys::shutdown(listener.fd, SHUT_RDWR);
        }
    });
}

/// Clears the entries of lanes that this process no longer has, and of addresses that the supervisor has closed. Where one is
/// missed because its number is not among the hints it is asked for again.
fn sweep() {
    let sweep = SWEEPS.fetch_add(1, Ordering::AcqRel) + 1;
    lane::each_hinted(usize::MAX, |fd| {
        if let Some(entry) = cookie(fd).and_then(table::find) {
            entry.see(sweep);
        }
    });
    table::each_lane(|entry, number| {
        let is_closed = entry.listener().is_some_and(|kept| kept.is_itself() && !kept.is_listening());
        if entry.is_settled() && (is_closed || !entry.is_seen(sweep)) {
            clear(entry, number);
        }
    });
}

fn clear(entry: &Entry, number: u64) {
    if let Some(listener) = entry.clear(number) {
        close_unless_used(listener);
    }
}

/// Lanes of the same address share a descriptor.
fn close_unless_used(listener: Listener) {
    let mut is_used = false;
    table::each_lane(|entry, _| is_used |= entry.listener() == Some(listener));
    if !is_used {
        listener.close();
    }
}

fn wait(entry: &Entry) {
    let deadline = sys::now() + PATIENCE;
    while !entry.is_settled() && sys::now() < deadline {
        let _ = sys::poll(&mut [], 1);
    }
}

fn ask_for_listener(lane: u64) -> Option<Listener> {
    let sent = match ask(&Request::Listener { lane }, Reply::Listener) {
        Answered::Sent(sent) => sent,
        Answered::Later => return Some(Listener::TO_COME),
        Answered::No => return None,
    };
    let number = cookie(sent);
    let mut known = None;
    table::each_lane(|entry, _| {
        known = known.or(entry.listener().filter(|kept| Some(kept.cookie) == number && kept.is_listening()));
    });
    if known.is_some() {
        sys::close(sent);
        return known;
    }
    Listener::keep(sent)
}

fn ask_for_page(entry: &Entry, lane: u64) -> bool {
    let Answered::Sent(sent) = ask(&Request::LanePage { lane }, Reply::Page) else { return false };
    let kept = entry.keep_page(sent);
    sys::close(sent);
    kept
}

enum Answered {
    Sent(i32),
    /// It is not to be had now.
    Later,
    No,
}

/// The descriptor that comes beside this reply. Stacks are small: the answer is looked at where it stands.
#[inline(never)]
fn ask(request: &Request<'_>, wanted: Reply<'_>) -> Answered {
    let Some(settings) = Settings::read() else { return Answered::No };
    let mut answer = link::ask(&settings, request, None);
    let Some(answer) = answer.as_mut() else { return Answered::No };
    let reply = answer.reply();
    if reply == Some(Reply::Errno(EAGAIN)) {
        return Answered::Later;
    }
    let is_wanted = reply == Some(wanted);
    answer.take_fd().filter(|_| is_wanted).map_or(Answered::No, Answered::Sent)
}
