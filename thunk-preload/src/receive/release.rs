//! The release page as a worker has it: accept() waits here, nearly always not at all, until the supervisor has closed
//! its copy of the connection. See the protocol's page on why. It only reads.

use crate::kernel::{memory, sys};
use crate::supervisor::link;
use crate::supervisor::settings::Settings;
use clustermon_protocol::message::{Reply, Request};
use clustermon_protocol::release::{SIZE, Ticket};
use core::sync::atomic::{AtomicPtr, AtomicU32, Ordering};

/// The mapping of this process; inherited by its forks, made anew after an exec.
static PAGE: AtomicPtr<u8> = AtomicPtr::new(core::ptr::null_mut());

/// Looks before the processor is offered to others: the supervisor may need this one.
const SPINS: u32 = 50;
/// Offers before the thread sleeps between looks: to one of lower priority than this thread, as the supervisor is to a
/// thread of SCHED_FIFO, an offer gives nothing.
const YIELDS: u32 = 50;
/// A supervisor that was stopped just there must not stop the program too, in milliseconds.
const PATIENCE: i64 = 100;

/// Returns when the connection is this process's alone.
pub(crate) fn wait(ticket: Ticket) {
    let Some(counter) = counter(ticket) else { return };
    for look in 0.. {
        if ticket.is_released(counter) {
            return;
        }
        if look < SPINS {
            core::hint::spin_loop();
        } else if look < SPINS + YIELDS {
            sys::sched_yield();
        } else {
            return sleep_until_released(ticket, counter);
        }
    }
}

#[cold]
fn sleep_until_released(ticket: Ticket, counter: &AtomicU32) {
    let deadline = sys::now() + PATIENCE;
    while !ticket.is_released(counter) && sys::now() < deadline {
        sys::pause();
    }
}

/// Maps the page while there are descriptors and the supervisor answers: at the first connection there may be neither.
pub(crate) fn prepare() {
    if PAGE.load(Ordering::Acquire).is_null() {
        map();
    }
}

fn counter(ticket: Ticket) -> Option<&'static AtomicU32> {
    let offset = ticket.offset()?;
    let mut page = PAGE.load(Ordering::Acquire);
    if page.is_null() {
        page = map()?;
    }
    // SAFETY: the offset is within the mapping and aligned; the mapping is never removed, and only read through here.
    Some(unsafe { &*page.add(offset).cast::<AtomicU32>() })
}

/// Fetches the page, once in the life of a process.
#[cold]
#[inline(never)]
fn map() -> Option<*mut u8> {
    let settings = Settings::read()?;
    let mut answer = link::ask(&settings, &Request::Page, None)?;
    let fd = answer.take_fd()?;
    let mapped =
        if answer.reply() == Some(Reply::Page) { memory::map_shared(fd, SIZE, false).ok() } else { None };
    sys::close(fd);
    let page = mapped?;
    // Another thread may have been first; a second mapping does no harm and is left.
    PAGE.store(page, Ordering::Release);
    Some(page)
}
