//! How long the requests of one process are: for how long its serving thread has been away from its wait for each connection
//! that it took, without the time for which others had the processor. It reads nothing itself and knows no lane.

use crate::io::process::procfs::Spent;
use clustermon_protocol::pulse::{PulseLook, ran_between};
use std::time::Duration;

/// From here on requests are long: handing a connection over only when it is asked for costs them a few percent at most.
const LONG: Duration = Duration::from_millis(1);
/// Below this they are no longer.
const SHORT: Duration = Duration::from_micros(500);
/// A thread that has waited unheard so often in a row is not asked again.
const UNHEARD: u32 = 3;

/// What is known of the requests of one process.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Requests {
    last: Option<SeenRequest>,
    long: bool,
    unheard: u32,
}

#[derive(Clone, Copy, Debug)]
struct SeenRequest {
    tid: u32,
    accepted: u64,
    loops: u64,
    ran: u32,
    spent: Option<Spent>,
}

impl Requests {
    /// They are long, and the thread says when it waits again.
    pub(crate) fn are_long(&self) -> bool {
        self.long && self.unheard < UNHEARD
    }

    /// A look at the only serving thread; `now` is CLOCK_MONOTONIC in nanoseconds. `spent` tells where its time has gone
    /// since it began, and is asked only where the page does not tell that requests are short.
    pub(crate) fn look(&mut self, look: &PulseLook, now: u64, spent: impl FnOnce() -> Option<Spent>) {
        let PulseLook { tid, accepted, loops, .. } = *look;
        // With the request that it is in.
        let ran = look.ran_until(now);
        let last = self.last.filter(|last| last.tid == tid);
        if last.is_some_and(|last| last.accepted == accepted) {
            return;
        }
        self.last = Some(SeenRequest { tid, accepted, loops, ran, spent: None });
        let Some(last) = last else {
            self.long = false;
            return;
        };
        let count = u32::try_from(accepted.wrapping_sub(last.accepted)).unwrap_or(u32::MAX);
        // Whoever takes without having waited where it can be seen would not be heard either.
        let is_seen = loops.wrapping_sub(last.loops).saturating_mul(2) >= u64::from(count);
        let least = if self.long { SHORT } else { LONG };
        let ran = ran_between(last.ran, ran);
        if !is_seen || ran / count < SHORT {
            self.long = false;
            return;
        }
        let spent = spent();
        self.last = Some(SeenRequest { spent, ..self.last.unwrap_or(last) });
        // What it waited for a processor is not its own.
        if let Some(Spent { running, queued }) = spent.zip(last.spent).map(|(now, then)| now.since(then)) {
            let took = queued.map_or(running, |queued| running.max(ran.saturating_sub(queued)));
            self.long = took / count >= least;
        }
    }

    /// Nothing can be told now: several threads serve, or the one has not waited for too long.
    pub(crate) fn forget(&mut self) {
        *self = Self { unheard: self.unheard, ..Self::default() };
    }

    /// The thread has said that it waits.
    pub(crate) fn heard(&mut self) {
        self.unheard = 0;
    }

    /// It waits, and has not said so.
    pub(crate) fn missed(&mut self) {
        self.unheard = self.unheard.saturating_add(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A look by which the thread has run for so many microseconds.
    fn at(accepted: u64, loops: u64, us: u32) -> PulseLook {
        let ran = (u64::from(us) * 1_000 / 1_024) as u32;
        let (set, waits_on, blocks) = (None, None, false);
        PulseLook {
            tid: 7,
            serving: true,
            running: true,
            since: 0,
            loops,
            accepted,
            ran,
            set,
            waits_on,
            blocks,
        }
    }

    /// All of it on a processor.
    fn used(us: u64) -> Option<Spent> {
        Some(Spent { running: Duration::from_micros(us), queued: Some(Duration::ZERO) })
    }

    /// Two looks after which it is known what long requests have cost so far, and at the third they are.
    fn long() -> Requests {
        let mut requests = Requests::default();
        requests.look(&at(0, 1, 0), 0, || unreachable!("the first look says nothing"));
        requests.look(&at(10, 11, 10_010), 0, || used(910_010));
        assert!(!requests.are_long(), "what it used before it served is not known");
        requests.look(&at(20, 21, 20_020), 0, || used(920_020));
        requests
    }

    #[test]
    fn long_is_a_millisecond_a_connection_and_short_is_half_of_it() {
        let mut requests = long();
        assert!(requests.are_long());
        requests.look(&at(20, 21, 99_999), 0, || unreachable!("it has taken nothing"));
        requests.look(&at(30, 31, 26_030), 0, || used(926_030));
        assert!(requests.are_long(), "neither long nor short: as before");
        requests.look(&at(40, 41, 30_030), 0, || unreachable!("the page tells enough"));
        assert!(!requests.are_long());
        requests.look(&at(50, 51, 36_030), 0, || used(936_030));
        requests.look(&at(60, 61, 42_030), 0, || used(942_030));
        assert!(!requests.are_long(), "neither long nor short: as before");
    }

    #[test]
    fn a_thread_that_would_not_be_heard_is_not_asked() {
        let mut unseen = long();
        unseen.look(&at(30, 22, 90_000), 0, || unreachable!("it takes without waiting"));
        assert!(!unseen.are_long());
        let mut deaf = long();
        deaf.missed();
        deaf.missed();
        deaf.heard();
        deaf.missed();
        deaf.missed();
        assert!(deaf.are_long());
        deaf.missed();
        assert!(!deaf.are_long());
        deaf.forget();
        for look in 3..6 {
            deaf.look(&at(look * 10, look * 10, look as u32 * 90_000), 0, || used(look * 90_000));
        }
        assert!(!deaf.are_long(), "it is not asked again");
    }

    #[test]
    fn what_it_waited_for_counts_but_not_that_others_had_the_processor() {
        let long = |queued: u64| {
            let spent =
                |queued| Some(Spent { queued: Some(Duration::from_millis(queued)), ..Spent::default() });
            let mut requests = Requests::default();
            requests.look(&at(0, 0, 0), 0, || None);
            requests.look(&at(10, 10, 20_000), 0, || spent(0));
            requests.look(&at(20, 20, 40_000), 0, || spent(queued));
            requests.are_long()
        };
        assert!(long(0), "20 ms away for ten");
        assert!(!long(15));
        let mut unknown = Requests::default();
        for look in 0..4 {
            unknown.look(&at(look * 10, look * 10, look as u32 * 20_000), 0, || None);
        }
        assert!(!unknown.are_long(), "that may be anything");
    }

    #[test]
    fn the_request_that_it_is_in_counts() {
        let ms = |n: u64| n * 1_000_000;
        let mut requests = long();
        let busy = PulseLook { since: ms(100), ..at(21, 22, 20_020) };
        requests.look(&busy, ms(140), || used(960_020));
        assert!(requests.are_long(), "the one that it took last has cost 40 ms so far");
        requests.look(&PulseLook { running: false, since: ms(180), ..at(22, 23, 100_020) }, ms(900), || {
            used(1_000_020)
        });
        assert!(requests.are_long());
        requests.look(&at(32, 33, 101_000), 0, || unreachable!("no more than the page tells"));
        assert!(!requests.are_long(), "a wait is no run");
    }

    #[test]
    fn another_thread_is_measured_anew() {
        let mut requests = long();
        requests.look(&PulseLook { tid: 8, ..at(21, 22, 0) }, 0, || unreachable!("it is not known"));
        assert!(!requests.are_long());
    }
}
