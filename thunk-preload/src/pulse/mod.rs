//! The pulse page of this process: the waits mark in passing what each thread is about. It costs two readings of a coarse
//! clock a wait, and nothing at all in a process that is no worker.

pub(crate) mod member;
pub(crate) mod polled;
pub(crate) mod watched;

use crate::kernel::abi::{MSG_DONTWAIT, MSG_NOSIGNAL};
use crate::kernel::{memory, sys};
use crate::lanes::lane;
use crate::log::tell;
use crate::real;
use crate::supervisor::link;
use crate::supervisor::settings::Settings;
use clustermon_protocol::message::{Reply, Request};
use clustermon_protocol::pulse::{LaneMask, Page, Record, SIZE};
use clustermon_protocol::record::Upward;
use core::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, AtomicU64, Ordering};

static PAGE: AtomicPtr<Page> = AtomicPtr::new(core::ptr::null_mut());
/// 1 in the process that attached; the kernel clears it in a forked child, which must not write in its parent's page.
static OWNER: AtomicPtr<AtomicU32> = AtomicPtr::new(core::ptr::null_mut());
/// Not before then is it tried again, where the supervisor did not answer.
static LATER: AtomicU64 = AtomicU64::new(0);
/// How long that is, in nanoseconds: each try may take seconds.
const AGAIN: u64 = 10_000_000_000;
/// The process that has tried to attach.
static TRIED: AtomicU32 = AtomicU32::new(0);
/// Some thread waits in epoll: on behalf of others too, perhaps.
static EPOLL: AtomicBool = AtomicBool::new(false);

/// This thread goes into a wait that ends when one of these lanes is readable, if there are any.
pub(crate) fn enter(lanes: impl FnOnce() -> LaneMask) {
    if let Some(record) = record() {
        record.waits_in_calls();
        record.enter_lanes(real::coarse_now(), lanes());
        answer(record);
    }
}

/// This thread is in accept() on that lane, whether it waits there or not.
pub(crate) fn enter_lane(fd: i32, blocks: bool) {
    if let Some(record) = record() {
        record.enter_accept(real::coarse_now(), fd, blocks);
    }
}

/// This thread goes into a wait on that epoll set.
pub(crate) fn enter_set(set: i32) {
    if let Some(record) = record() {
        EPOLL.store(true, Ordering::Relaxed);
        record.waits_in_calls();
        record.enter_set(real::coarse_now(), set);
        answer(record);
    }
}

/// How an accept() was entered in the page.
#[must_use]
pub(crate) enum Entered {
    /// It is not to be taken for a wait, or there is no page.
    Not,
    /// As this thread's wait.
    Wait,
    /// As that of one of the threads for which the page has no room.
    Unseen,
}

/// This thread goes into accept(), which for many is their wait. It is not taken for one of a program that calls the kernel
/// without the C library: that waits where nobody sees it, and would seem to be busy between two accepts.
pub(crate) fn enter_accept(fd: i32, blocks: impl Fn() -> bool) -> Entered {
    let Some(page) = page() else { return Entered::Not };
    let Some(record) = page.serving_record(polled::thread() as u64, sys::gettid) else {
        page.enter_unseen();
        return Entered::Unseen;
    };
    if !EPOLL.load(Ordering::Relaxed) && !record.may_wait_in_accept(&blocks) {
        return Entered::Not;
    }
    record.serves();
    record.enter_accept(real::coarse_now(), fd, record.blocks());
    // An accept() that does not block is no wait: what it has taken before is served next.
    if record.is_asked() && blocks() {
        answer(record);
    }
    Entered::Wait
}

/// It comes out of accept().
pub(crate) fn leave_accept(entered: Entered) {
    match entered {
        Entered::Not => {}
        Entered::Wait => leave(),
        Entered::Unseen => {
            if let Some(page) = page() {
                page.leave_unseen();
            }
        }
    }
}

/// The supervisor has asked this thread to say when it waits again: its requests are long, and it is given one at a time.
fn answer(record: &Record) {
    if let Some(lane) = record.answer() {
        say(lane);
    }
}

#[cold]
fn say(lane: i32) {
    // By now the number may stand for anything.
    if lane::recognise(lane).is_some() {
        let _ = sys::send(lane, &Upward::Waits.encode(), MSG_DONTWAIT | MSG_NOSIGNAL);
    }
}

/// This thread comes out of it.
pub(crate) fn leave() {
    if let Some(record) = record() {
        record.leave(real::coarse_now());
    }
}

/// This thread has taken a connection from a lane. A process that came by its lane otherwise than by listening, as the
/// children of a preforking server do, gets its page now.
pub(crate) fn accepted() {
    if page().is_none() {
        attach();
    }
    if let Some(page) = page()
        && let Some(record) = page.serving_record(polled::thread() as u64, sys::gettid)
    {
        record.accepted();
    }
}

/// The id of this thread, without a system call where the page knows it. It may be that of an earlier thread with the same
/// thread pointer, which no other has until the kernel has used up all others.
pub(crate) fn tid() -> u32 {
    match record().map(Record::tid) {
        None | Some(0) => sys::gettid(),
        Some(tid) => tid,
    }
}

fn record() -> Option<&'static Record> {
    page()?.record(polled::thread() as u64, sys::gettid)
}

fn page() -> Option<&'static Page> {
    let page = PAGE.load(Ordering::Acquire);
    let owner = OWNER.load(Ordering::Relaxed);
    if page.is_null() || owner.is_null() {
        return None;
    }
    // SAFETY: both were mapped by `attach` and are never unmapped.
    unsafe { ((*owner).load(Ordering::Relaxed) == 1).then(|| &*page) }
}

/// Gets a page, once in the life of a process.
#[cold]
pub(crate) fn attach() {
    if real::coarse_now() < LATER.load(Ordering::Relaxed) {
        return;
    }
    let pid = sys::getpid();
    if TRIED.swap(pid, Ordering::Relaxed) == pid || page().is_some() {
        return;
    }
    if let Some(settings) = Settings::read() {
        match fetch(&settings, pid) {
            Some(()) => tell!("attached: the supervisor sees this process's health"),
            None => tell!("not attached: the supervisor does not see this process's health"),
        }
    }
}

/// As [`attach`], for a program that never listens: asked before each wait of an event loop, and cheap after the first.
pub(crate) fn attach_once() {
    if TRIED.load(Ordering::Relaxed) == 0 {
        if Settings::from_variables().is_some() {
            attach();
        } else {
            // No worker: never look again.
            TRIED.store(u32::MAX, Ordering::Relaxed);
        }
    }
}

fn fetch(settings: &Settings, pid: u32) -> Option<()> {
    let mut owner = OWNER.load(Ordering::Relaxed);
    if owner.is_null() {
        owner = memory::map_wiped_on_fork().ok()?.cast();
        OWNER.store(owner, Ordering::Relaxed);
    }
    let Some(mut answer) = link::ask(settings, &Request::Attach, None) else {
        LATER.store(real::coarse_now() + AGAIN, Ordering::Relaxed);
        TRIED.store(0, Ordering::Relaxed);
        return None;
    };
    let fd = answer.take_fd()?;
    let mapped =
        if answer.reply() == Some(Reply::Page) { memory::map_shared(fd, SIZE, true).ok() } else { None };
    sys::close(fd);
    let page: *mut Page = mapped?.cast();
    // SAFETY: the supervisor's page has this size and is sealed against resizing; any bytes are a valid `Page`.
    unsafe { (*page).begin(pid) };
    PAGE.store(page, Ordering::Release);
    // SAFETY: mapped above or by the parent, and never unmapped.
    unsafe { (*owner).store(1, Ordering::Release) };
    Some(())
}
