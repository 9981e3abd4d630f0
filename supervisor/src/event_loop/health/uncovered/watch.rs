//! What is known of one worker that has no lane, and what follows from each look at it: looks become ever rarer, and one that
//! could not see everything changes nothing. It looks at nothing itself.

use crate::api::Cause;
use crate::io::sockets::unmanaged_listener::ListenerLook;
use std::ffi::OsString;
use std::time::{Duration, Instant};

/// A worker that has no lane so long after its start is looked at; then ever less often.
const FIRST_LOOK: Duration = Duration::from_secs(1);
/// So many looks in which nobody is seen take back a sighting: one may fall into a moment at which the process does not show
/// itself, as while it executes another program.
const CLEAR_LOOKS: u32 = 2;
/// After so many looks that could not see everything, one after another, a worker is taken at its word: perhaps nothing can
/// ever be seen there.
const BLIND_LOOKS: u32 = 3;
/// What was seen once may be a program that is just being executed, whose libraries are not loaded yet: it is to be seen
/// again so long after. So is whatever keeps a worker from being taken at its word.
const CERTAIN: Duration = Duration::from_millis(500);

/// A worker that has no lane.
#[derive(Debug)]
pub(in crate::event_loop) struct Watch {
    /// The file name of the library that it was started with.
    pub(super) library: OsString,
    pub(in crate::event_loop) next: Instant,
    pause: Duration,
    /// It says that it is ready, and is not believed yet.
    pub(super) says_ready: bool,
    /// The process that was last seen to listen, until that is taken back.
    seen: Option<u32>,
    /// Looks in a row since then in which nobody was seen.
    clear: u32,
    /// Looks in a row that could not see everything.
    blind: u32,
    /// Looks that have begun and not ended.
    under_way: u32,
    /// Those of them that began before the worker said that it is ready: they may have seen it before it listened.
    too_early: u32,
    pub(in crate::event_loop) cause: Option<Cause>,
}

/// What follows from a look.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Nothing,
    /// It is what it says.
    Ready,
    /// The process is to be told of.
    Tell,
}

impl Watch {
    pub(in crate::event_loop) fn new(now: Instant, library: OsString) -> Self {
        Self {
            library,
            next: now + FIRST_LOOK,
            pause: FIRST_LOOK,
            says_ready: false,
            seen: None,
            clear: 0,
            blind: 0,
            under_way: 0,
            too_early: 0,
            cause: None,
        }
    }

    /// A look begins: when the next is due.
    pub(super) fn looks(&mut self, now: Instant) {
        self.next = now + self.pause;
        self.pause += self.pause / 2;
        self.under_way += 1;
    }

    /// The worker says that it is ready: it is looked at anew.
    pub(super) fn on_ready(&mut self, now: Instant) {
        self.says_ready = true;
        (self.clear, self.blind) = (0, 0);
        self.too_early = self.under_way;
        self.next = now;
    }

    /// A look has ended.
    pub(super) fn found(&mut self, now: Instant, look: &ListenerLook) -> Verdict {
        self.under_way = self.under_way.saturating_sub(1);
        let is_early = self.too_early > 0;
        self.too_early = self.too_early.saturating_sub(1);
        let verdict = match look {
            ListenerLook::Unmanaged(found) => self.saw(found.pid),
            // Of a worker that was not ready yet this says nothing.
            ListenerLook::Nobody | ListenerLook::Unknown if is_early => Verdict::Nothing,
            ListenerLook::Nobody => self.saw_nobody(),
            ListenerLook::Unknown => self.saw_not_all(),
        };
        let is_open = self.seen.is_some() && self.cause.is_none() || self.says_ready && self.cause.is_none();
        if is_open && verdict == Verdict::Nothing {
            self.next = self.next.min(now + CERTAIN);
        }
        verdict
    }

    fn saw(&mut self, pid: u32) -> Verdict {
        (self.clear, self.blind) = (0, 0);
        let before = self.seen.replace(pid);
        if self.cause.is_none() && before == Some(pid) { Verdict::Tell } else { Verdict::Nothing }
    }

    fn saw_nobody(&mut self) -> Verdict {
        self.blind = 0;
        self.clear += 1;
        if self.seen.is_some() && self.clear < CLEAR_LOOKS {
            return Verdict::Nothing;
        }
        self.seen = None;
        self.cause = None;
        self.believe()
    }

    fn saw_not_all(&mut self) -> Verdict {
        self.blind += 1;
        // What was told of stays until it is seen to be over.
        if self.cause.is_some() || self.blind < BLIND_LOOKS {
            return Verdict::Nothing;
        }
        self.seen = None;
        self.believe()
    }

    fn believe(&mut self) -> Verdict {
        if std::mem::take(&mut self.says_ready) { Verdict::Ready } else { Verdict::Nothing }
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "any moment will do to count from")]
mod tests {
    use super::*;
    use crate::api::CauseKind;
    use crate::io::sockets::unmanaged_listener::UnmanagedListener;

    fn sees(pid: u32) -> ListenerLook {
        ListenerLook::Unmanaged(UnmanagedListener { pid, addresses: Vec::new() })
    }

    fn told(watch: &mut Watch) {
        watch.cause = Some(Cause::new(CauseKind::Stuck, "told"));
    }

    #[test]
    fn looks_become_ever_rarer() {
        let start = Instant::now();
        let mut watch = Watch::new(start, OsString::new());
        let mut looks = Vec::new();
        for _ in 0..4 {
            let at = watch.next;
            looks.push(at.duration_since(start).as_millis());
            watch.looks(at);
            assert_eq!(watch.found(at, &ListenerLook::Nobody), Verdict::Nothing);
        }
        assert_eq!(looks, [1_000, 2_000, 3_500, 5_750]);
    }

    #[test]
    fn a_process_is_told_of_when_it_was_seen_twice_and_once_only() {
        let now = Instant::now();
        let mut watch = Watch::new(now, OsString::new());
        watch.looks(now);
        assert_eq!(watch.found(now, &sees(7)), Verdict::Nothing);
        assert_eq!(watch.next, now + CERTAIN);
        // It was a program that had not loaded its libraries.
        assert_eq!(watch.found(now, &ListenerLook::Nobody), Verdict::Nothing);
        assert_eq!(watch.found(now, &ListenerLook::Nobody), Verdict::Nothing);
        assert_eq!(watch.found(now, &sees(7)), Verdict::Nothing, "that was taken back");
        assert_eq!(watch.found(now, &sees(9)), Verdict::Nothing, "another one");
        assert_eq!(watch.found(now, &ListenerLook::Unknown), Verdict::Nothing);
        assert_eq!(watch.found(now, &sees(9)), Verdict::Tell, "what could not be seen took nothing back");
        told(&mut watch);
        assert_eq!(watch.found(now, &sees(9)), Verdict::Nothing);
        assert_eq!(watch.found(now, &sees(10)), Verdict::Nothing);
    }

    #[test]
    fn what_was_told_stays_until_two_looks_see_nobody() {
        let now = Instant::now();
        let mut watch = Watch::new(now, OsString::new());
        watch.seen = Some(9);
        told(&mut watch);
        watch.on_ready(now);
        for _ in 0..2 * BLIND_LOOKS {
            assert_eq!(watch.found(now, &ListenerLook::Unknown), Verdict::Nothing);
        }
        assert_eq!(watch.found(now, &ListenerLook::Nobody), Verdict::Nothing);
        assert_eq!(watch.found(now, &sees(9)), Verdict::Nothing);
        assert_eq!(watch.found(now, &ListenerLook::Nobody), Verdict::Nothing);
        assert!(watch.cause.is_some(), "nobody was seen once only");
        assert_eq!(watch.found(now, &ListenerLook::Nobody), Verdict::Ready);
        assert!(watch.cause.is_none(), "it listens no more");
        assert_eq!(watch.found(now, &ListenerLook::Nobody), Verdict::Nothing, "it was believed");
    }

    #[test]
    fn a_word_is_believed_at_once_if_nobody_is_seen_and_late_if_nothing_can_be() {
        let now = Instant::now();
        let mut watch = Watch::new(now, OsString::new());
        watch.on_ready(now);
        assert_eq!(watch.found(now, &ListenerLook::Nobody), Verdict::Ready);
        watch.on_ready(now);
        for _ in 1..BLIND_LOOKS {
            watch.looks(now);
            assert_eq!(watch.found(now, &ListenerLook::Unknown), Verdict::Nothing);
            assert_eq!(watch.next, now + CERTAIN, "it is not held up for long");
        }
        assert_eq!(watch.found(now, &ListenerLook::Unknown), Verdict::Ready);
    }

    #[test]
    fn a_look_that_began_before_the_word_does_not_confirm_it() {
        let now = Instant::now();
        let mut watch = Watch::new(now, OsString::new());
        watch.looks(now);
        watch.on_ready(now);
        watch.looks(now);
        assert_eq!(watch.found(now, &ListenerLook::Nobody), Verdict::Nothing, "it may not have listened yet");
        assert_eq!(watch.found(now, &ListenerLook::Nobody), Verdict::Ready);
    }
}
