//! Workers in whose place a process without the preloaded library listens: it is told once for each worker, in the log and in
//! `status`, and such a worker is not ready by its own word. Only workers without a lane are looked at, and ever less often.
//! A look that could not see everything changes nothing.

use super::Shell;
use super::setup::rules;
use crate::api::{Cause, CauseKind};
use crate::ids::WorkerId;
use crate::io::uncovered::{Look, Suspects, Uncovered};
use crate::pool::Input;
use std::collections::HashMap;
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

/// The workers that have no lane, as far as is known.
#[derive(Debug, Default)]
pub(super) struct Watches(HashMap<WorkerId, Watch>);

/// One of them.
#[derive(Debug)]
struct Watch {
    /// The file name of the library that it was started with.
    library: OsString,
    next: Instant,
    pause: Duration,
    /// It says that it is ready, and is not believed yet.
    says_ready: bool,
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
    cause: Option<Cause>,
}

/// What follows from a look.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    Nothing,
    /// It is what it says.
    Ready,
    /// The process is to be told of.
    Tell,
}

impl Watch {
    fn new(now: Instant, library: OsString) -> Self {
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
    fn looks(&mut self, now: Instant) {
        self.next = now + self.pause;
        self.pause += self.pause / 2;
        self.under_way += 1;
    }

    /// The worker says that it is ready: it is looked at anew.
    fn on_ready(&mut self, now: Instant) {
        self.says_ready = true;
        (self.clear, self.blind) = (0, 0);
        self.too_early = self.under_way;
        self.next = now;
    }

    /// A look has ended.
    fn found(&mut self, now: Instant, look: &Look) -> Verdict {
        self.under_way = self.under_way.saturating_sub(1);
        let is_early = self.too_early > 0;
        self.too_early = self.too_early.saturating_sub(1);
        let verdict = match look {
            Look::Uncovered(found) => self.saw(found.pid),
            // Of a worker that was not ready yet this says nothing.
            Look::Nobody | Look::Unknown if is_early => Verdict::Nothing,
            Look::Nobody => self.saw_nobody(),
            Look::Unknown => self.saw_not_all(),
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

impl Watches {
    /// The worker was started, with the library of this file name.
    pub(super) fn begin(&mut self, worker: WorkerId, library: OsString, now: Instant) {
        self.0.insert(worker, Watch::new(now, library));
    }

    /// The worker is gone, or listens in the cluster.
    pub(super) fn forget(&mut self, worker: WorkerId) {
        self.0.remove(&worker);
    }

    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.0.values().map(|watch| watch.next).min()
    }

    /// Why nothing can come to the worker, if that was found out.
    pub(super) fn cause(&self, worker: WorkerId) -> Option<&Cause> {
        self.0.get(&worker)?.cause.as_ref()
    }
}

impl Shell {
    /// The worker says that it is ready. One that has no lane is looked at first: whoever listens without the library is
    /// not where connections come.
    pub(super) fn says_ready(&mut self, worker: WorkerId) {
        let is_sure = self.runs(worker) || self.has_lane(worker);
        match self.uncovered.0.get_mut(&worker) {
            // Who says so again and again is looked at no oftener for it.
            Some(watch) if !is_sure && watch.says_ready => {}
            Some(watch) if !is_sure => {
                watch.on_ready(self.now);
                self.look_for_uncovered();
            }
            _ => self.input(Input::Ready { worker }),
        }
    }

    fn has_lane(&self, worker: WorkerId) -> bool {
        self.lanes.values().any(|lane| lane.worker == worker)
    }

    /// Asks of each worker for which it is time.
    pub(super) fn look_for_uncovered(&mut self) {
        let now = self.now;
        let due = self.uncovered.0.iter().filter(|(_, watch)| watch.next <= now);
        for worker in due.map(|(worker, _)| *worker).collect::<Vec<_>>() {
            if self.has_lane(worker) {
                self.is_covered(worker);
                continue;
            }
            let pids = self.pids(worker);
            if let Some(watch) = self.uncovered.0.get_mut(&worker) {
                watch.looks(now);
                let library = watch.library.clone();
                self.scout.ask_uncovered(worker, Suspects { pids, rules: rules(&self.config), library });
            }
        }
    }

    /// It listens in the cluster: that is how it is to be.
    fn is_covered(&mut self, worker: WorkerId) {
        let said = self.uncovered.0.remove(&worker).is_some_and(|watch| watch.says_ready);
        if said {
            self.input(Input::Ready { worker });
        }
    }

    /// Takes in what was found.
    pub(super) fn on_uncovered(&mut self) {
        while let Some((worker, look)) = self.scout.next_uncovered() {
            if self.has_lane(worker) {
                self.is_covered(worker);
                continue;
            }
            let Some(watch) = self.uncovered.0.get_mut(&worker) else { continue };
            match (watch.found(self.now, &look), look) {
                (Verdict::Ready, _) => self.input(Input::Ready { worker }),
                (Verdict::Tell, Look::Uncovered(found)) => self.tell_uncovered(worker, &found),
                _ => {}
            }
        }
    }

    fn tell_uncovered(&mut self, worker: WorkerId, found: &Uncovered) {
        let why = format!(
            "process {} listens on {} outside the cluster: it does not have the preloaded library; was its environment \
             cleared? Keep LD_PRELOAD and the CLUSTERMON_ variables in it, or declare the address --private",
            found.pid,
            found.addresses.join(", ")
        );
        log::error!("worker {}: {why}", self.logical_id(worker));
        let cause = Cause::new(CauseKind::Stuck, why);
        if let Some(watch) = self.uncovered.0.get_mut(&worker) {
            watch.cause = Some(cause.clone());
        }
        self.causes.expect(worker, cause);
        self.is_news = true;
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "any moment will do to count from")]
mod tests {
    use super::*;

    fn sees(pid: u32) -> Look {
        Look::Uncovered(Uncovered { pid, addresses: Vec::new() })
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
            assert_eq!(watch.found(at, &Look::Nobody), Verdict::Nothing);
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
        assert_eq!(watch.found(now, &Look::Nobody), Verdict::Nothing);
        assert_eq!(watch.found(now, &Look::Nobody), Verdict::Nothing);
        assert_eq!(watch.found(now, &sees(7)), Verdict::Nothing, "that was taken back");
        assert_eq!(watch.found(now, &sees(9)), Verdict::Nothing, "another one");
        assert_eq!(watch.found(now, &Look::Unknown), Verdict::Nothing);
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
            assert_eq!(watch.found(now, &Look::Unknown), Verdict::Nothing);
        }
        assert_eq!(watch.found(now, &Look::Nobody), Verdict::Nothing);
        assert_eq!(watch.found(now, &sees(9)), Verdict::Nothing);
        assert_eq!(watch.found(now, &Look::Nobody), Verdict::Nothing);
        assert!(watch.cause.is_some(), "nobody was seen once only");
        assert_eq!(watch.found(now, &Look::Nobody), Verdict::Ready);
        assert!(watch.cause.is_none(), "it listens no more");
        assert_eq!(watch.found(now, &Look::Nobody), Verdict::Nothing, "it was believed");
    }

    #[test]
    fn a_word_is_believed_at_once_if_nobody_is_seen_and_late_if_nothing_can_be() {
        let now = Instant::now();
        let mut watch = Watch::new(now, OsString::new());
        watch.on_ready(now);
        assert_eq!(watch.found(now, &Look::Nobody), Verdict::Ready);
        watch.on_ready(now);
        for _ in 1..BLIND_LOOKS {
            watch.looks(now);
            assert_eq!(watch.found(now, &Look::Unknown), Verdict::Nothing);
            assert_eq!(watch.next, now + CERTAIN, "it is not held up for long");
        }
        assert_eq!(watch.found(now, &Look::Unknown), Verdict::Ready);
    }

    #[test]
    fn a_look_that_began_before_the_word_does_not_confirm_it() {
        let now = Instant::now();
        let mut watch = Watch::new(now, OsString::new());
        watch.looks(now);
        watch.on_ready(now);
        watch.looks(now);
        assert_eq!(watch.found(now, &Look::Nobody), Verdict::Nothing, "it may not have listened yet");
        assert_eq!(watch.found(now, &Look::Nobody), Verdict::Ready);
    }
}
