//! The pulse pages of workers' processes, as the supervisor looks at them. Workers can write anything there: what is read
//! is bounded, and decides about nobody but the worker that wrote it.

mod requests;

use self::requests::Requests;
use crate::io::kernel::bpf::{self, ARRAY, MMAPABLE, NUMBERS, Shape};
use crate::io::kernel::memory::{Memory, Writers};
use clustermon_protocol::pulse::{Page, PulseLook, SIZE, THREADS, WaitsOn};
use std::io;
use std::num::NonZeroUsize;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

/// One process's page.
#[derive(Debug)]
pub(crate) struct Pulse {
    /// Whose it is, as the kernel told when it asked.
    pub(crate) pid: u32,
    /// What its requests are like.
    pub(crate) requests: Requests,
    memory: Memory,
}

/// How the serving threads of one process are doing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Reading {
    /// Threads that have accepted from a lane.
    pub(crate) serving: u32,
    /// For how long the least busy serving thread has been away from its wait; zero if one of them waits, or may wait unseen
    /// because the page has no room for more threads.
    pub(crate) lag: Duration,
    /// Waits entered and connections taken, since the process attached.
    pub(crate) loops: u64,
    pub(crate) accepted: u64,
}

/// The clock of the pages, in nanoseconds.
pub(crate) fn monotonic() -> u64 {
    let time = nix::time::clock_gettime(nix::time::ClockId::CLOCK_MONOTONIC);
    time.map_or(0, |time| {
        (time.tv_sec() as u64).wrapping_mul(1_000_000_000).wrapping_add(time.tv_nsec() as u64)
    })
}

impl Pulse {
    /// A fresh page for a process.
    pub(crate) fn new(pid: u32) -> io::Result<Self> {
        let memory = Memory::new(c"clustermon-pulse", SIZE, Writers::Anybody)?;
        Ok(Self { pid, requests: Requests::default(), memory })
    }

    /// A page that the kernel can look at as well, if this process may make one.
    pub(crate) fn for_kernel(pid: u32) -> io::Result<Self> {
        let size = NonZeroUsize::new(SIZE).ok_or(io::ErrorKind::InvalidInput)?;
        let memory = Memory::map(Self::map()?, size)?;
        Ok(Self { pid, requests: Requests::default(), memory })
    }

    /// Memory for such a page.
    pub(in crate::io) fn map() -> io::Result<OwnedFd> {
        let shape =
            Shape { kind: ARRAY, key_size: NUMBERS, value_size: SIZE as u32, entries: 1, flags: MMAPABLE };
        bpf::create_map("clm_pulse", shape, None)
    }

    /// The only serving thread: where its record is, and how many connections it has accepted.
    pub(crate) fn sole_place(&self) -> Option<(u32, u64)> {
        let look = self.sole()?;
        Some((self.page()?.place(look.tid)?, look.accepted))
    }

    /// Looks at the page; `now` is CLOCK_MONOTONIC in nanoseconds. `None` if the process has not begun to write.
    pub(crate) fn read(&self, now: u64) -> Option<Reading> {
        let page = self.page().filter(|page| page.is_begun())?;
        let looks: Vec<PulseLook> = page.looks().take(THREADS).collect();
        let serving = || looks.iter().filter(|look| look.serving);
        let is_crowded = page.has_unseen() || serving().count() == THREADS;
        let away = serving().map(|look| look.away(now)).min().filter(|_| !is_crowded);
        Some(Reading {
            serving: serving().count() as u32,
            lag: Duration::from_nanos(away.unwrap_or(0)),
            loops: looks.iter().fold(0, |sum, look| sum.wrapping_add(look.loops)),
            accepted: looks.iter().fold(0, |sum, look| sum.wrapping_add(look.accepted)),
        })
    }

    /// Threads that wait on an epoll set which holds a lane serve as well, though others may have accepted so far: where
    /// any of a pool of threads may be woken, or one waits for all. `holds` tells which sets of a process do. True if
    /// there was one that had not been known.
    pub(crate) fn recognise(&self, holds: impl Fn(u32, u32) -> bool) -> bool {
        let Some(page) = self.page().filter(|page| page.is_begun()) else { return false };
        let mut asked: Vec<(u32, bool)> = Vec::new();
        let mut found = false;
        for look in page.looks().filter(|look| !look.serving) {
            let Some(set) = look.set else { continue };
            let known = asked.iter().find(|(known, _)| *known == set).map(|(_, held)| *held);
            let held = known.unwrap_or_else(|| holds(self.pid, set));
            if known.is_none() {
                asked.push((set, held));
            }
            if held {
                page.serves(look.tid);
                found = true;
            }
        }
        found
    }

    /// For how long every thread that has a record and serves has been away from its wait: where this is much, some of
    /// them may have ended.
    pub(crate) fn away(&self, now: u64) -> Duration {
        let looks = self.page().filter(|page| page.is_begun()).map(Page::looks).into_iter().flatten();
        let away = looks.filter(|look| look.serving).map(|look| look.away(now)).min();
        Duration::from_nanos(away.unwrap_or(0))
    }

    /// Threads that have ended are away for ever: their records become free. `threads` tells which the process has, where
    /// that is known. True if there were any.
    pub(crate) fn free_ended(&self, threads: impl FnOnce(u32) -> Option<Vec<u32>>) -> bool {
        let Some(page) = self.page().filter(|page| page.is_begun()) else { return false };
        // Looked at first: a thread that has begun since is not among those that are read then, and has not ended.
        let known: Vec<u32> = page.looks().map(|look| look.tid).collect();
        let has_ended = |threads: &[u32], tid| known.contains(&tid) && !threads.contains(&tid);
        threads(self.pid).is_some_and(|threads| page.free_ended(|tid| has_ended(&threads, tid)))
    }

    /// Some thread accepts.
    pub(crate) fn serves(&self) -> bool {
        self.page().filter(|page| page.is_begun()).is_some_and(|page| page.looks().any(|look| look.serving))
    }

    /// Some thread accepts, or waits for what may be a lane: the parent that only waits for its children by select() does not.
    pub(crate) fn takes_part(&self) -> bool {
        let part = |look: PulseLook| look.serving || look.set.is_some() || look.waits_on.is_some();
        self.page().filter(|page| page.is_begun()).is_some_and(|page| page.looks().any(part))
    }

    /// The serving thread, if it is the only one.
    pub(crate) fn sole(&self) -> Option<PulseLook> {
        let mut serving = self.page().filter(|page| page.is_begun())?.looks().filter(|look| look.serving);
        serving.next().filter(|_| serving.next().is_none())
    }

    /// How many threads accept, and whether an open credit fits them: not where several wait each in an epoll set of its own,
    /// of which one would be woken, or in accept().
    pub(crate) fn accepters(&self) -> (u32, bool) {
        let looks = self.page().filter(|page| page.is_begun()).map(Page::looks).into_iter().flatten();
        let (mut count, mut set, mut alike) = (0, None, true);
        for look in looks.filter(|look| look.serving) {
            count += 1;
            alike &= !look.blocks && (count == 1 || look.set == set);
            set = look.set;
        }
        (count, alike && count > 0)
    }

    /// By what all serving threads wait: an epoll set, or `None` for poll() and select(), as far as they have shown it.
    pub(crate) fn common_wait(&self) -> Option<Option<u32>> {
        let looks = self.page().filter(|page| page.is_begun()).map(Page::looks).into_iter().flatten();
        let mut common = None;
        for look in looks.filter(|look| look.serving) {
            let own = match (look.set, look.waits_on) {
                (Some(set), _) => Some(set),
                (None, Some(WaitsOn::Lanes(_))) => None,
                (None, _) => return None,
            };
            if common.is_some_and(|common| common != own) {
                return None;
            }
            common = Some(own);
        }
        common
    }

    /// The only serving thread is to say by this descriptor of its lane when it next goes into a wait. False if there is
    /// none, or more.
    pub(crate) fn ask(&self, lane: u32) -> bool {
        self.page().zip(self.sole()).map(|(page, thread)| page.ask(thread.tid, lane)).is_some()
    }

    /// The threads that have accepted from a lane, as the process names them.
    pub(crate) fn serving(&self) -> Vec<u32> {
        let looks =
            self.page().filter(|page| page.is_begun()).map(|page| page.looks().collect::<Vec<PulseLook>>());
        looks.into_iter().flatten().filter(|look| look.serving).map(|look| look.tid).collect()
    }

    /// The threads that wait now.
    pub(crate) fn waiting(&self) -> impl Iterator<Item = PulseLook> + '_ {
        let page = self.page().filter(|page| page.is_begun());
        page.into_iter().flat_map(Page::looks).filter(|look| look.waits_on.is_some())
    }

    fn page(&self) -> Option<&Page> {
        // SAFETY: a page is made of atomics and numbers that nobody reads: any bytes are valid.
        unsafe { self.memory.at(0) }
    }
}

impl AsFd for Pulse {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.memory.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_busy_serving_thread_counts() {
        let pulse = Pulse::new(1).unwrap();
        assert_eq!(pulse.read(0), None, "nobody has begun");
        let page = pulse.page().unwrap();
        page.begin(1);
        let (a, b) = (page.record(64, || 1).unwrap(), page.record(128, || 2).unwrap());
        a.leave(100);
        assert_eq!(
            pulse.read(1_100).unwrap(),
            Reading { serving: 0, ..Reading::default() },
            "it serves nobody"
        );
        a.accepted();
        assert_eq!(pulse.read(1_100).unwrap().lag, Duration::from_nanos(1_000));
        b.accepted();
        b.leave(900);
        assert_eq!(pulse.read(1_100).unwrap().lag, Duration::from_nanos(200));
        b.enter(1_050);
        assert_eq!(pulse.read(1_100).unwrap().lag, Duration::ZERO);
        assert_eq!(pulse.read(0).unwrap().lag, Duration::ZERO, "times of the future are nothing");
    }

    #[test]
    fn threads_that_have_ended_do_not_count_and_unseen_ones_may_wait() {
        let pulse = Pulse::new(9).unwrap();
        let page = pulse.page().unwrap();
        page.begin(9);
        for tid in 1..=THREADS as u32 {
            let record = page.record(u64::from(tid) << 6, || tid).unwrap();
            record.leave(100);
            record.accepted();
        }
        let lag = || pulse.read(1_100).unwrap().lag.as_nanos();
        assert_eq!(
            (lag(), pulse.away(1_100).as_nanos()),
            (0, 1_000),
            "there may be more than the page shows"
        );
        assert!(!pulse.free_ended(|_| None), "what is not known is not no");
        assert!(pulse.free_ended(|pid| (pid == 9).then(|| vec![1, 2])));
        assert_eq!(lag(), 1_000, "two live, and run");
        page.enter_unseen();
        assert_eq!(lag(), 0);
        page.leave_unseen();
        assert!(pulse.free_ended(|_| Some(vec![9])));
        assert_eq!(pulse.read(1_100).unwrap().serving, 0);
    }

    #[test]
    fn who_waits_on_a_lane_serves() {
        let pulse = Pulse::new(9).unwrap();
        let page = pulse.page().unwrap();
        page.begin(9);
        let record = |key: u64, set: i32| {
            let record = page.record(key << 6, || key as u32).unwrap();
            record.enter_set(1, set);
        };
        record(1, 4);
        record(2, 5);
        record(3, 4);
        assert!(!pulse.recognise(|_, set| set == 6));
        assert!(pulse.recognise(|pid, set| pid == 9 && set == 4));
        let mut serving = pulse.serving();
        serving.sort_unstable();
        assert_eq!(serving, [1, 3]);
        assert!(!pulse.recognise(|_, set| set == 4), "they are known");
    }

    #[test]
    fn garbage_is_harmless() {
        let pulse = Pulse::new(1).unwrap();
        for offset in (0..SIZE).step_by(4) {
            // SAFETY: an atomic is valid for any bytes.
            let word: &std::sync::atomic::AtomicU32 = unsafe { pulse.memory.at(offset) }.unwrap();
            word.store(u32::MAX, std::sync::atomic::Ordering::Relaxed);
        }
        assert_eq!(pulse.read(5), None, "it does not look like a page");
        pulse.page().unwrap().begin(1);
        assert_eq!(pulse.read(5).unwrap().lag, Duration::ZERO);
    }
}
