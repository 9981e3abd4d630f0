//! Workers in whose place a process without the preloaded library listens: it is told once for each worker, in the log and in
//! `status`, and such a worker is not ready by its own word. Only workers without a lane are looked at, and ever less often.

use super::Shell;
use super::setup::rules;
use crate::api::{Cause, CauseKind};
use crate::ids::WorkerId;
use crate::io::uncovered::{Suspects, Uncovered};
use crate::pool::Input;
use std::collections::HashMap;
use std::time::{Duration, Instant};

/// A worker that has no lane so long after its start is looked at; then ever less often.
const FIRST_LOOK: Duration = Duration::from_secs(1);
/// What was seen once may be a program that is just being executed, whose libraries are not loaded yet: it is to be seen
/// again so long after.
const CERTAIN: Duration = Duration::from_millis(500);

/// The workers that have no lane, as far as is known.
#[derive(Debug, Default)]
pub(super) struct Watches(HashMap<WorkerId, Watch>);

/// One of them.
#[derive(Debug)]
struct Watch {
    next: Instant,
    pause: Duration,
    /// It says that it is ready, and is not believed yet.
    says_ready: bool,
    /// The process that was seen to listen at the last look.
    seen: Option<u32>,
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
    fn new(now: Instant) -> Self {
        Self { next: now + FIRST_LOOK, pause: FIRST_LOOK, says_ready: false, seen: None, cause: None }
    }

    /// A look begins: when the next is due.
    fn looks(&mut self, now: Instant) {
        self.next = now + self.pause;
        self.pause += self.pause / 2;
    }

    fn found(&mut self, now: Instant, pid: Option<u32>) -> Verdict {
        let before = std::mem::replace(&mut self.seen, pid);
        if pid.is_none() {
            self.cause = None;
            return if std::mem::take(&mut self.says_ready) { Verdict::Ready } else { Verdict::Nothing };
        }
        if self.cause.is_some() {
            return Verdict::Nothing;
        }
        if before == pid {
            return Verdict::Tell;
        }
        self.next = self.next.min(now + CERTAIN);
        Verdict::Nothing
    }
}

impl Watches {
    /// The worker was started.
    pub(super) fn begin(&mut self, worker: WorkerId, now: Instant) {
        self.0.insert(worker, Watch::new(now));
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
                watch.says_ready = true;
                watch.next = self.now;
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
            let library = self.templates.values().last().and_then(|template| template.thunk.file_name());
            let library = library.unwrap_or_default().to_owned();
            if let Some(watch) = self.uncovered.0.get_mut(&worker) {
                watch.looks(now);
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
        while let Some((worker, found)) = self.scout.next_uncovered() {
            if self.has_lane(worker) {
                self.is_covered(worker);
                continue;
            }
            let Some(watch) = self.uncovered.0.get_mut(&worker) else { continue };
            let verdict = watch.found(self.now, found.as_ref().map(|found| found.pid));
            match (verdict, found) {
                (Verdict::Ready, _) => self.input(Input::Ready { worker }),
                (Verdict::Tell, Some(found)) => self.tell_uncovered(worker, &found),
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
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn looks_become_ever_rarer() {
        let start = Instant::now();
        let mut watch = Watch::new(start);
        let mut looks = Vec::new();
        for _ in 0..4 {
            let at = watch.next;
            looks.push(at.duration_since(start).as_millis());
            watch.looks(at);
            assert_eq!(watch.found(at, None), Verdict::Nothing);
        }
        assert_eq!(looks, [1_000, 2_000, 3_500, 5_750]);
    }

    #[test]
    fn a_process_is_told_of_when_it_was_seen_twice_and_once_only() {
        let now = Instant::now();
        let mut watch = Watch::new(now);
        watch.looks(now);
        assert_eq!(watch.found(now, Some(7)), Verdict::Nothing);
        assert_eq!(watch.next, now + CERTAIN);
        // It was a program that had not loaded its libraries.
        assert_eq!(watch.found(now, None), Verdict::Nothing);
        assert_eq!(watch.found(now, Some(8)), Verdict::Nothing);
        assert_eq!(watch.found(now, Some(9)), Verdict::Nothing, "another one");
        assert_eq!(watch.found(now, Some(9)), Verdict::Tell);
        watch.cause = Some(Cause::new(CauseKind::Stuck, "told"));
        assert_eq!(watch.found(now, Some(9)), Verdict::Nothing);
        assert_eq!(watch.found(now, Some(10)), Verdict::Nothing);
        assert_eq!(watch.found(now + SECOND, None), Verdict::Nothing);
        assert!(watch.cause.is_none(), "it listens no more");
    }

    #[test]
    fn a_word_is_believed_once_nobody_listens_without_the_library() {
        let now = Instant::now();
        let mut watch = Watch::new(now);
        watch.says_ready = true;
        assert_eq!(watch.found(now, Some(7)), Verdict::Nothing);
        assert_eq!(watch.found(now, Some(7)), Verdict::Tell);
        assert_eq!(watch.found(now, None), Verdict::Ready);
        assert_eq!(watch.found(now, None), Verdict::Nothing, "it was believed");
    }
}
