//! Workers that cannot take what they are given: their program forbids itself the calls that it takes, or accepts past the
//! library. It finds out why and says so, once for each process of a worker; it takes nobody out of rotation.

use super::super::Shell;
use super::super::os::Os;
use super::monitor::joined;
use crate::api::{Cause, CauseKind};
use crate::ids::WorkerId;
use crate::io::process::procfs;
use std::collections::HashMap;
use std::io;
use std::time::{Duration, Instant};

/// For so long at most something has waited before it is asked why.
const PATIENCE: Duration = Duration::from_secs(1);
/// Waits of an event loop meanwhile that show that it is told of something and does not take it.
const VAIN_LOOPS: u64 = 100;
/// Time in the kernel meanwhile that shows the same of a program whose waits are not seen either, if it is most of what
/// the program has used: one that computes is only busy.
const VAIN_TIME: Duration = Duration::from_secs(1);

/// What is known of a process of a worker that takes nothing.
#[derive(Debug, Default)]
pub(in crate::event_loop) struct Bypass {
    watched: Option<Watched>,
    cause: Option<String>,
}

/// A worker that has never taken anything, and for which something waits.
#[derive(Debug)]
struct Watched {
    since: Instant,
    loops: u64,
    /// Clock ticks in the program and in the kernel.
    ticks: (u64, u64),
}

impl Bypass {
    /// Why it takes nothing, if that was found out.
    pub(in crate::event_loop) fn cause(&self) -> Option<Cause> {
        self.cause.as_ref().map(|text| Cause::new(CauseKind::Stuck, text.as_str()))
    }
}

impl<O: Os> Shell<O> {
    /// A process of the worker says that the kernel does not let it receive.
    pub(in crate::event_loop) fn on_barred(&mut self, worker: WorkerId, pid: u32, errno: u8) {
        let filtered = match procfs::filters(pid) {
            Some(0) => "something forbids it that call",
            _ => "a seccomp filter forbids it that call",
        };
        let error = io::Error::from_raw_os_error(i32::from(errno));
        let why = format!(
            "process {pid} cannot take connections: recvmsg(2) fails ({error}), {filtered}; in a cluster accept() is \
             recvmsg: allow recvmsg, sendto, fcntl, close and getsockname, or run it without the filter"
        );
        self.tell_bypass(worker, why);
    }

    /// Looks which workers have never taken anything though something waits for them, and why.
    pub(super) fn look_for_bypasses(&mut self, lag_limit: Duration) {
        let (now, patience) = (self.now, PATIENCE.min(lag_limit / 2));
        let mut waiting: HashMap<WorkerId, Instant> = HashMap::new();
        for (_, lane) in self.pool.lanes() {
            if let Some(since) = lane.waiting_since() {
                let first = waiting.entry(lane.worker()).or_insert(since);
                *first = since.min(*first);
            }
        }
        for (worker, life) in self.lives.iter_mut() {
            if !waiting.contains_key(&worker) {
                life.bypass.watched = None;
            }
        }
        for (worker, since) in waiting {
            if self.lives.get(worker).is_none_or(|life| life.bypass.cause.is_some()) {
                continue;
            }
            let Some((accepted, loops, ticks)) = self.activity(worker) else { continue };
            let Some(life) = self.lives.get_mut(worker) else { continue };
            if accepted > 0 {
                life.bypass.watched = None;
                continue;
            }
            let watched = life.bypass.watched.get_or_insert(Watched { since, loops, ticks });
            if now.saturating_duration_since(watched.since) < patience {
                continue;
            }
            let (own, system) =
                (ticks.0.saturating_sub(watched.ticks.0), ticks.1.saturating_sub(watched.ticks.1));
            let spent = Duration::from_millis(system * 1_000 / procfs::ticks_a_second());
            let is_told = loops.saturating_sub(watched.loops) >= VAIN_LOOPS && self.waits_for_lane(worker);
            let is_awake = is_told || (spent >= VAIN_TIME && system > own);
            if let Some(why) = self.why_nothing_is_taken(worker, is_awake) {
                self.tell_bypass(worker, why);
            }
        }
    }

    /// One of its threads waits on an epoll set that holds one of its lanes.
    fn waits_for_lane(&self, worker: WorkerId) -> bool {
        self.recognise(worker);
        self.lives.process(worker).is_some_and(|process| joined(process, self.os.monotonic()).serving > 0)
    }

    /// Connections that it has taken, waits that it has entered, ticks that it has used.
    fn activity(&self, worker: WorkerId) -> Option<(u64, u64, (u64, u64))> {
        let process = self.lives.process(worker)?;
        let reading = joined(process, self.os.monotonic());
        let mut pids = self.pids(worker);
        pids.extend(process.pulses.iter().map(|pulse| pulse.pid));
        pids.sort_unstable();
        pids.dedup();
        let both = pids.into_iter().filter_map(procfs::ticks);
        let ticks = both.fold((0, 0), |sum, (own, system)| (sum.0 + own, sum.1 + system));
        Some((reading.accepted, reading.loops, ticks))
    }

    fn why_nothing_is_taken(&self, worker: WorkerId, is_awake: bool) -> Option<String> {
        let pids = self.pids(worker);
        if let Some(pid) = pids.iter().find(|pid| procfs::has_ring(**pid)) {
            return Some(format!(
                "process {pid} has taken no connection and has an io_uring: what a program accepts through io_uring passes \
                 the library by; choose --intercept seccomp or --dispatch kernel"
            ));
        }
        let own = procfs::filters(std::process::id()).unwrap_or(0);
        let is_filtered = |pid: &&u32| procfs::filters(**pid).is_some_and(|its| its > own);
        if let Some(pid) = pids.iter().find(is_filtered) {
            return Some(format!(
                "process {pid} has taken no connection and has a seccomp filter of its own: in a cluster accept() is \
                 recvmsg: allow recvmsg, sendto, fcntl, close and getsockname, or run it without the filter"
            ));
        }
        let pid = pids.first().filter(|_| is_awake)?;
        Some(format!(
            "process {pid} is awake and takes no connection though some wait for it: it accepts by direct system calls, it \
             seems, which pass the library by; make it call accept() of the C library"
        ))
    }

    fn tell_bypass(&mut self, worker: WorkerId, why: String) {
        let Some(life) = self.lives.get_mut(worker) else { return };
        if life.bypass.cause.replace(why.clone()).is_none() {
            log::error!("worker {}: {why}", self.logical_id(worker));
            self.reports.is_news = true;
        }
    }
}
