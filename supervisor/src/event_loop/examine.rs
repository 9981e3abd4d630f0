//! Looks closely at a worker that has not looked for new work for long: what its serving threads are doing, by /proc. It
//! finds facts and their evidence; whether they amount to a hang is the core's to say.

use super::Shell;
use crate::ids::WorkerId;
use crate::io::child::Process;
use crate::io::proc::{self, Thread};
use crate::io::pulse::Pulse;
use crate::pool::{Finding, Input};
use nix::sys::signal::Signal;
use std::collections::HashMap;
use std::time::Instant;

/// How much of the time a thread must have had a processor to count as busy throughout, in hundredths.
const BUSY: u64 = 80;
/// Innermost functions of a kernel stack that are told.
const FRAMES: usize = 4;

/// Processor time of serving threads when they were first seen to lag.
#[derive(Debug, Default)]
pub(super) struct Baselines(HashMap<WorkerId, Baseline>);

#[derive(Debug)]
struct Baseline {
    since: Instant,
    /// By process and thread.
    ticks: HashMap<(u32, u32), u64>,
}

/// The serving threads of a worker: process, thread, and what it is doing.
fn serving(process: &Process) -> Vec<(u32, u32, Thread)> {
    let threads = |pulse: &Pulse| {
        let pid = pulse.pid;
        pulse
            .serving()
            .into_iter()
            .filter_map(move |tid| Some((pid, tid, proc::thread(pid, tid)?)))
            .collect::<Vec<_>>()
    };
    process.pulses.iter().flat_map(threads).collect()
}

fn is_traced(process: &Process) -> bool {
    process.pulses.iter().any(|pulse| proc::tracer(pulse.pid).is_some())
}

impl Shell {
    /// A suspect in a debugger's hands is told of at every look: the moment after it is let go it is no worse.
    pub(super) fn excuse_traced(&mut self, worker: WorkerId) {
        if self.processes.get(&worker).is_some_and(is_traced) {
            let (finding, evidence) = (Finding::Traced, String::new());
            self.pool.handle(self.now, Input::Examined { worker, finding, evidence });
        }
    }

    /// The worker has begun to lag: what it spends from here on is counted.
    pub(super) fn begin_baseline(&mut self, worker: WorkerId) {
        let Some(process) = self.processes.get(&worker) else { return };
        if !self.baselines.0.contains_key(&worker) {
            let ticks =
                serving(process).into_iter().map(|(pid, tid, thread)| ((pid, tid), thread.ticks)).collect();
            self.baselines.0.insert(worker, Baseline { since: self.now, ticks });
        }
    }

    /// It lags no longer, or is gone.
    pub(super) fn end_baseline(&mut self, worker: WorkerId) {
        self.baselines.0.remove(&worker);
    }

    /// Asks a worker that hangs to say itself what it is doing, before it is stopped; where the user chose a signal for it.
    pub(super) fn dump(&self, worker: WorkerId) {
        if let (Some(signal), Some(process)) = (self.config.dump_signal, self.processes.get(&worker))
            && let Ok(signal) = Signal::try_from(signal)
        {
            process.send(signal);
        }
    }

    /// Carries out the order to examine a worker.
    pub(super) fn examine(&mut self, worker: WorkerId) {
        self.recognise(worker);
        let Some(process) = self.processes.get(&worker) else { return };
        let threads = serving(process);
        let traced = is_traced(process);
        let (since, before) = match self.baselines.0.get(&worker) {
            Some(baseline) => (baseline.since, Some(&baseline.ticks)),
            None => (self.now, None),
        };
        let elapsed =
            self.now.saturating_duration_since(since).as_millis() as u64 * proc::ticks_a_second() / 1000;
        let spent = |pid: u32, tid: u32, thread: &Thread| {
            let start = before.and_then(|before| before.get(&(pid, tid))).copied().unwrap_or(thread.ticks);
            thread.ticks.saturating_sub(start)
        };
        let busy = |(pid, tid, thread): &(u32, u32, Thread)| {
            elapsed > 0 && spent(*pid, *tid, thread) * 100 >= elapsed * BUSY
        };
        let all = |condition: &dyn Fn(&(u32, u32, Thread)) -> bool| {
            !threads.is_empty() && threads.iter().all(condition)
        };
        let finding = if traced {
            Finding::Traced
        } else if all(&|(_, _, thread)| thread.is_stopped()) {
            Finding::Stopped
        } else if all(&busy) {
            Finding::Busy
        } else if all(&|found| found.2.waits_for_lock() || busy(found)) {
            Finding::Lock
        } else if threads.iter().any(|(_, _, thread)| matches!(thread.state, 'S' | 'D')) {
            Finding::Blocked
        } else {
            Finding::Unknown
        };
        let evidence: Vec<String> = threads
            .iter()
            .map(|(pid, tid, thread)| {
                let mut text = format!(
                    "thread {tid} of process {pid}: state {}, {} of {elapsed} ticks on a processor",
                    thread.state,
                    spent(*pid, *tid, thread)
                );
                if let Some(call) = thread.call {
                    text += &format!(", in system call {call}");
                }
                if !thread.waits_in.is_empty() {
                    text += &format!(", waits in {}", thread.waits_in);
                }
                let stack = proc::kernel_stack(*pid, *tid);
                if !stack.is_empty() {
                    text += &format!(", kernel stack {}", stack[..stack.len().min(FRAMES)].join(" < "));
                }
                text
            })
            .collect();
        let evidence =
            if evidence.is_empty() { "no serving thread is known".to_owned() } else { evidence.join("; ") };
        self.pool.handle(self.now, Input::Examined { worker, finding, evidence });
    }
}
