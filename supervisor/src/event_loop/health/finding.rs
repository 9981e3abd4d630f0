//! What the threads of a worker that takes nothing amount to: whether they compute without end, wait for a lock, are
//! stopped, or only slow. It reads nothing: it is told what was seen.

use crate::io::process::procfs::{Spent, Thread};
use crate::pool::Finding;
use std::time::Duration;

/// How much of the time counts as all of it, in hundredths: no account is exact.
const NEARLY_ALL: u32 = 80;

/// A serving thread, and where its time went since it was first seen to lag.
#[derive(Clone, Debug)]
pub(in crate::event_loop) struct SeenThreads {
    pub(in crate::event_loop) pid: u32,
    pub(in crate::event_loop) tid: u32,
    pub(in crate::event_loop) thread: Thread,
    pub(in crate::event_loop) spent: Spent,
}

impl SeenThreads {
    /// It wants a processor at this moment, and may have it. How long it has waited is not counted before it gets it.
    fn is_runnable(&self) -> bool {
        self.thread.state == 'R'
    }

    /// It has wanted nothing but a processor all the time, and has had one for as long as nothing should take: how long
    /// that took says more of the machine.
    fn is_busy(&self, elapsed: Duration, limit: Duration) -> bool {
        let always = !elapsed.is_zero() && self.wanted() * 100 >= elapsed * NEARLY_ALL;
        always && self.spent.running * 100 >= limit * NEARLY_ALL
    }

    /// It waits for a lock, and has done little else: one that computes and is seen waiting for a moment does not count.
    fn is_locked(&self, elapsed: Duration) -> bool {
        self.thread.waits_for_lock() && self.wanted() * 100 <= elapsed * (100 - NEARLY_ALL)
    }

    /// For how long it has wanted a processor, had or not.
    fn wanted(&self) -> Duration {
        self.spent.running + self.spent.queued.unwrap_or_default()
    }
}

/// What to think of these threads, `elapsed` after they were first seen to lag; `limit` is the hang limit.
pub(in crate::event_loop) fn of(
    threads: &[SeenThreads],
    traced: bool,
    elapsed: Duration,
    limit: Duration,
) -> Finding {
    let all = |condition: &dyn Fn(&SeenThreads) -> bool| !threads.is_empty() && threads.iter().all(condition);
    let busy = |seen: &SeenThreads| seen.is_busy(elapsed, limit);
    let locked = |seen: &SeenThreads| seen.is_locked(elapsed);
    if traced {
        Finding::Traced
    } else if all(&|seen| seen.thread.is_stopped()) {
        Finding::Stopped
    } else if all(&busy) {
        Finding::Busy
    } else if all(&|seen| locked(seen) || busy(seen)) {
        Finding::Lock
    } else if all(&|seen| locked(seen) || seen.is_runnable()) {
        Finding::Starved
    } else if threads.iter().any(|seen| matches!(seen.thread.state, 'S' | 'D')) {
        Finding::Blocked
    } else {
        Finding::Unknown
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_secs(30);

    /// A thread in this state, so many seconds on a processor and waiting for one.
    fn seen(state: char, call: Option<i64>, running: u64, queued: Option<u64>) -> SeenThreads {
        let spent = Spent { running: Duration::from_secs(running), queued: queued.map(Duration::from_secs) };
        let thread = Thread { state, spent, call, waits_in: String::new() };
        SeenThreads { pid: 1, tid: 1, thread, spent }
    }

    fn after(elapsed: u64, threads: &[SeenThreads]) -> Finding {
        of(threads, false, Duration::from_secs(elapsed), LIMIT)
    }

    fn computing(running: u64, queued: u64) -> SeenThreads {
        seen('R', None, running, Some(queued))
    }

    fn locked() -> SeenThreads {
        seen('S', Some(libc::SYS_futex), 0, Some(0))
    }

    #[test]
    fn an_endless_loop_is_busy_when_it_has_computed_for_the_limit_however_long_that_took() {
        assert_eq!(after(29, &[computing(29, 0)]), Finding::Busy);
        // A quarter of a processor: not yet, and four times later.
        assert_eq!(after(29, &[computing(7, 22)]), Finding::Starved);
        assert_eq!(after(95, &[computing(23, 71)]), Finding::Starved);
        assert_eq!(after(100, &[computing(25, 74)]), Finding::Busy);
        // A tenth, for a request of four seconds.
        assert_eq!(after(40, &[computing(4, 36)]), Finding::Starved);
    }

    #[test]
    fn who_computes_a_part_of_the_time_is_not_busy_however_much_it_was() {
        assert_eq!(after(100, &[seen('R', None, 40, Some(3))]), Finding::Starved);
        assert_eq!(after(100, &[seen('S', None, 40, Some(3))]), Finding::Blocked);
        assert_eq!(after(100, &[seen('D', None, 1, Some(0))]), Finding::Blocked);
    }

    #[test]
    fn without_an_account_of_the_waits_the_share_decides() {
        assert_eq!(after(29, &[seen('R', None, 28, None)]), Finding::Busy);
        assert_eq!(after(100, &[seen('R', None, 25, None)]), Finding::Starved);
        assert_eq!(after(0, &[seen('R', None, 0, None)]), Finding::Starved, "nothing was counted yet");
    }

    #[test]
    fn all_threads_count() {
        assert_eq!(after(29, &[]), Finding::Unknown);
        assert_eq!(after(29, &[locked(), computing(29, 0)]), Finding::Lock);
        assert_eq!(after(29, &[locked(), computing(3, 20)]), Finding::Starved);
        // It has computed, and waits for a helper.
        assert_eq!(after(29, &[seen('S', Some(libc::SYS_futex), 7, Some(19))]), Finding::Blocked);
        assert_eq!(after(29, &[locked(), seen('S', Some(libc::SYS_read), 0, Some(0))]), Finding::Blocked);
        let stopped = seen('T', None, 0, Some(0));
        assert_eq!(after(29, &[stopped.clone(), stopped.clone()]), Finding::Stopped);
        assert_eq!(after(29, &[stopped.clone(), computing(29, 0)]), Finding::Unknown);
        assert_eq!(of(&[stopped], true, LIMIT, LIMIT), Finding::Traced);
    }
}
