//! A lane that this process did not get by listening but by descent, as the children of a preforking server do: at its first
//! accepts it asks for one of its own. Until it gets one, which may be never, it goes on with the one that it shares.

use crate::kernel::abi::{EAGAIN, O_NONBLOCK};
use crate::kernel::sys;
use crate::lanes::settled::{SETTLED, state};
use crate::lanes::swap::Watched;
use crate::lanes::{lane, swap};
use crate::log::tell;
use crate::supervisor::link;
use crate::supervisor::settings::Settings;
use crate::{credit, pulse};
use clustermon_protocol::message::{Reply, Request};
use core::sync::atomic::{AtomicI64, AtomicU8, Ordering};

/// Nobody has asked.
const OPEN: u8 = 0;
/// A thread is asking.
const ASKING: u8 = 1;
/// It is shared for now; counts the accepts since.
const SHARED: u8 = 3;
/// So far each accept asks again; from here on only the one that finds the count at its end. Children that take turns by
/// a lock never get a lane of their own, and a question costs more than an accept.
const SELDOM: u8 = SHARED + 16;

/// How long a thread waits for another that asks, in milliseconds.
const PATIENCE: i64 = 1_000;

/// When the supervisor did not answer: not before then is it asked again, in milliseconds of the clock.
static LATER: AtomicI64 = AtomicI64::new(0);
/// How long that is. Each try may take seconds, and nobody serves meanwhile.
const AGAIN: i64 = 10_000;

/// What came of asking.
enum Answer {
    /// The lane that it got.
    Own(u64),
    NotYet,
    Never,
    /// The supervisor did not answer, and may have been stopped: it is asked again later.
    Nothing,
}

/// Before an accept on a lane: two loads once it is settled. True if it has asked: then this thread counts as waiting on
/// the lane until the accept is over and `pulse::leave` says so, for that is what tells the next one who asks that the two
/// do not take turns.
pub(crate) fn at_accept(fd: i32) -> bool {
    match state(fd) {
        Some(state) => {
            let found = state.load(Ordering::Acquire);
            found != SETTLED && settle(fd, state, found)
        }
        None => false,
    }
}

#[cold]
#[inline(never)]
fn settle(fd: i32, state: &AtomicU8, found: u8) -> bool {
    if (SELDOM..u8::MAX).contains(&found) {
        let _ = state.compare_exchange(found, found + 1, Ordering::AcqRel, Ordering::Relaxed);
        return false;
    }
    if found != ASKING && sys::now() < LATER.load(Ordering::Relaxed) {
        return false;
    }
    if found != ASKING && state.compare_exchange(found, ASKING, Ordering::AcqRel, Ordering::Acquire).is_ok() {
        let answer = ask(fd);
        let now = match answer {
            Answer::Own(lane) => {
                tell!("accept({fd}): by lane {lane}, this process's own, from now on");
                SETTLED
            }
            Answer::Never => {
                tell!("accept({fd}): by the lane that it came by");
                SETTLED
            }
            Answer::NotYet => {
                if found == OPEN {
                    tell!(
                        "accept({fd}): by the lane that it came by, until two of those who share it wait at once"
                    );
                }
                if found < SELDOM { found.max(SHARED - 1) + 1 } else { SELDOM }
            }
            Answer::Nothing => {
                LATER.store(sys::now() + AGAIN, Ordering::Relaxed);
                found
            }
        };
        state.store(now, Ordering::Release);
        return true;
    }
    // It must not block in what the other is about to replace. A signal handler of the asking thread gives up in time.
    let deadline = sys::now() + PATIENCE;
    while state.load(Ordering::Acquire) == ASKING && sys::now() < deadline {
        let _ = sys::poll(&mut [], 1);
    }
    false
}

fn ask(fd: i32) -> Answer {
    let Some((identity, settings)) = lane::recognise(fd).zip(Settings::read()) else { return Answer::Never };
    let unsure = match swap::is_watched_with_parent(fd) {
        Watched::Alone => false,
        Watched::Unknown => true,
        Watched::WithParent | Watched::Unreadable => return Answer::Never,
    };
    let flags = swap::flags(fd);
    pulse::attach();
    pulse::enter_lane(fd, flags & O_NONBLOCK == 0);
    let request = Request::Adopt { lane: identity.lane, fd, unsure };
    let Some(mut answer) = link::ask(&settings, &request, None) else { return Answer::Nothing };
    let Some(end) = answer.take_fd() else {
        let later = answer.reply() == Some(Reply::Errno(EAGAIN));
        return if later { Answer::NotYet } else { Answer::Never };
    };
    let Some(Reply::Lane { lane }) = answer.reply() else {
        sys::close(end);
        return Answer::Never;
    };
    match swap::replace(fd, end, flags) {
        Ok(()) => {
            drop(answer);
            credit::prepare(fd);
            Answer::Own(lane)
        }
        Err(_) => Answer::Never,
    }
}
