//! Looks closely at a worker that has not looked for new work for long: what its serving threads are doing, by /proc. It
//! finds facts and their evidence; whether they amount to a hang is the core's to say.

use super::super::Shell;
use super::super::os::Os;
use super::finding::{self, SeenThreads};
use crate::ids::WorkerId;
use crate::io::lanes::pulse::Pulse;
use crate::io::launch::worker_processes::Process;
use crate::io::process::procfs::{self, Spent, Thread};
use crate::pool::{Finding, Input};
use crate::settings::DUMP_TIME;
use nix::sys::signal::Signal;
use std::collections::HashMap;
use std::time::{Duration, Instant};

/// Looks in the time after which a worker lags.
pub(super) const LOOKS_A_LIMIT: u32 = 5;
/// Innermost functions of a kernel stack that are told.
const FRAMES: usize = 4;

/// Where the time of serving threads had gone when they were first seen to lag.
#[derive(Debug)]
pub(in crate::event_loop) struct Baseline {
    since: Instant,
    /// By process and thread.
    spent: HashMap<(u32, u32), Spent>,
}

/// The serving threads of a worker: process, thread, and what it is doing.
fn serving(os: &impl Os, process: &Process) -> Vec<(u32, u32, Thread)> {
    let threads = |pulse: &Pulse| {
        let pid = pulse.pid;
        pulse
            .serving()
            .into_iter()
            .filter_map(move |tid| Some((pid, tid, os.thread(pid, tid)?)))
            .collect::<Vec<_>>()
    };
    process.pulses.iter().flat_map(threads).collect()
}

fn is_traced(process: &Process) -> bool {
    process.pulses.iter().any(|pulse| procfs::tracer(pulse.pid).is_some())
}

impl Baseline {
    /// From here on.
    pub(in crate::event_loop) fn begin(now: Instant, threads: &[(u32, u32, Thread)]) -> Self {
        let spent = threads.iter().map(|(pid, tid, thread)| ((*pid, *tid), thread.spent)).collect();
        Self { since: now, spent }
    }

    /// For how long it has counted.
    pub(super) fn age(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.since)
    }
}

impl<O: Os> Shell<O> {
    /// A suspect in a debugger's hands is told of at every look: the moment after it is let go it is no worse.
    pub(super) fn excuse_traced(&mut self, worker: WorkerId) {
        if self.lives.process(worker).is_some_and(is_traced) {
            let (finding, evidence) = (Finding::Traced, String::new());
            self.pool.handle(self.now, Input::Examined { worker, finding, evidence });
        }
    }

    /// A debugger holds one of its processes.
    pub(in crate::event_loop) fn is_traced(&self, worker: WorkerId) -> bool {
        let traced = |process: &Process| {
            let members = process.members.values().map(|member| member.pid);
            is_traced(process) || members.chain([process.pid]).any(|pid| procfs::tracer(pid).is_some())
        };
        self.lives.process(worker).is_some_and(traced)
    }

    /// The worker has lagged for so long: what it spends from here on is counted, but only for as long as it does not
    /// look for new work, which `look` ago it may have done unseen.
    pub(super) fn begin_baseline(&mut self, worker: WorkerId, lag: Duration, look: Duration) {
        let Some(life) = self.lives.get_mut(worker) else { return };
        let is_over = |since: Instant| {
            let away = self.now.checked_sub(lag + look);
            lag >= look * LOOKS_A_LIMIT && away.is_some_and(|away| away > since)
        };
        if life.baseline.as_ref().is_none_or(|baseline| is_over(baseline.since)) {
            life.baseline = Some(Baseline::begin(self.now, &serving(&self.os, &life.process)));
        }
    }

    /// It lags no longer.
    pub(super) fn end_baseline(&mut self, worker: WorkerId) {
        if let Some(life) = self.lives.get_mut(worker) {
            life.baseline = None;
        }
    }

    /// Asks a worker that hangs to say itself what it is doing, before it is stopped; where the user chose a signal for it.
    /// Of two signals that wait the deadlier wins: the one that stops it comes when it has had its time to say so.
    pub(in crate::event_loop) fn dump(&mut self, worker: WorkerId) {
        if let (Some(signal), Some(life)) =
            (self.config.settings.health.dump_signal, self.lives.get_mut(worker))
            && let Ok(signal) = Signal::try_from(signal)
        {
            life.process.send(&self.os, signal);
            life.dumps_until.get_or_insert(self.now + DUMP_TIME);
        }
    }

    /// The worker has been asked to say what it is doing, and has time left for it.
    pub(in crate::event_loop) fn is_dumping(&self, worker: WorkerId) -> bool {
        self.lives.get(worker).is_some_and(|life| life.dumps_until.is_some())
    }

    /// Stops those that have had their time.
    pub(in crate::event_loop) fn stop_dumped(&mut self) {
        let (now, stop) = (self.now, self.stop_signal());
        for (_, life) in self.lives.iter_mut() {
            if life.dumps_until.take_if(|due| *due <= now).is_some() {
                life.process.stop(&self.os, stop);
            }
        }
    }

    /// The first threads of the processes that listen, where these are stopped: that is so of all threads, and needs no
    /// knowledge of which serve. What else a process does that has accepted nothing yet may be how it gets ready.
    fn stopped(&self, worker: WorkerId) -> Vec<(u32, u32, Thread)> {
        let mut pids: Vec<u32> = self
            .lanes
            .all
            .values()
            .filter(|lane| lane.worker == worker)
            .map(|lane| lane.holder.pid)
            .collect();
        pids.sort_unstable();
        pids.dedup();
        let threads: Option<Vec<_>> =
            pids.into_iter().map(|pid| Some((pid, pid, self.os.thread(pid, pid)?))).collect();
        threads.filter(|all| all.iter().all(|(_, _, thread)| thread.is_stopped())).unwrap_or_default()
    }

    /// Carries out the order to examine a worker.
    pub(in crate::event_loop) fn examine(&mut self, worker: WorkerId) {
        self.recognise(worker);
        let Some(life) = self.lives.get(worker) else { return };
        let mut threads = serving(&self.os, &life.process);
        if threads.is_empty() {
            threads = self.stopped(worker);
        }
        let (finding, evidence) = self.find(is_traced(&life.process), threads, life.baseline.as_ref());
        self.pool.handle(self.now, Input::Examined { worker, finding, evidence });
    }

    /// What these threads amount to, and what tells so.
    pub(in crate::event_loop) fn find(
        &self,
        traced: bool,
        threads: Vec<(u32, u32, Thread)>,
        baseline: Option<&Baseline>,
    ) -> (Finding, String) {
        let elapsed =
            baseline.map_or(Duration::ZERO, |known| self.now.saturating_duration_since(known.since));
        let seen = |(pid, tid, thread): (u32, u32, Thread)| {
            let start = baseline.and_then(|known| known.spent.get(&(pid, tid))).copied();
            let spent = thread.spent.since(start.unwrap_or(thread.spent));
            SeenThreads { pid, tid, thread, spent }
        };
        let threads: Vec<SeenThreads> = threads.into_iter().map(seen).collect();
        let limit = self.config.settings.health.hang_limit().unwrap_or_default();
        let finding = finding::of(&threads, traced, elapsed, limit);
        let evidence: Vec<String> = threads.iter().map(|seen| described(seen, elapsed)).collect();
        let evidence =
            if evidence.is_empty() { "no serving thread is known".to_owned() } else { evidence.join("; ") };
        (finding, evidence)
    }
}

fn described(seen: &SeenThreads, elapsed: Duration) -> String {
    let SeenThreads { pid, tid, thread, spent } = seen;
    let seconds = |time: Duration| time.as_secs_f64();
    let mut text = format!(
        "thread {tid} of process {pid}: state {}, {:.2} of {:.2} s on a processor",
        thread.state,
        seconds(spent.running),
        seconds(elapsed)
    );
    if let Some(queued) = spent.queued.filter(|queued| queued.as_millis() >= 10) {
        text += &format!(" and {:.2} s waiting for one", seconds(queued));
    }
    if let Some(call) = thread.call {
        text += &format!(", in system call {call}");
    }
    if !thread.waits_in.is_empty() {
        text += &format!(", waits in {}", thread.waits_in);
    }
    let stack = procfs::kernel_stack(*pid, *tid);
    if !stack.is_empty() {
        text += &format!(", kernel stack {}", stack[..stack.len().min(FRAMES)].join(" < "));
    }
    text
}
