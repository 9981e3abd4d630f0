//! What goes wrong in a history: faults of the system strike as the dice say, and trouble befalls processes, until all is well.

use super::World;
use super::agenda::Deed;
use super::dice::Dice;
use super::processes::process::Thread;
use nix::sys::signal::Signal;
use std::time::Duration;

/// How likely what is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Faults {
    /// One in so many starts fails.
    pub(super) spawn: u64,
    /// One in so many records finds no room in the kernel.
    pub(super) record: u64,
    /// One in so many looks at the table of descriptors finds it full.
    pub(super) descriptors: u64,
    /// One in so many words is said twice.
    pub(super) twice: u64,
    /// One in so many waits of the supervisor is longer than it was to be.
    pub(super) late: u64,
    /// One in so many processes is not well made.
    pub(super) odd: u64,
    /// Something goes wrong about this often.
    trouble: Duration,
}

impl Faults {
    pub(super) fn of(dice: &mut Dice) -> Self {
        let rarely = |dice: &mut Dice| dice.of_these(&[20, 100, 1_000, u64::MAX]);
        Self {
            spawn: dice.of_these(&[6, 30, u64::MAX]),
            record: rarely(dice),
            descriptors: rarely(dice),
            twice: rarely(dice),
            late: rarely(dice),
            odd: dice.of_these(&[4, 12, u64::MAX]),
            trouble: Duration::from_millis(dice.of_these(&[700, 3_000, 20_000])),
        }
    }
}

impl World {
    /// A fault of this kind strikes now.
    pub(super) fn strikes(&mut self, kind: fn(&Faults) -> u64) -> bool {
        let Some(faults) = self.faults else { return false };
        let times = kind(&faults);
        times != u64::MAX && self.dice.once_in(times)
    }

    /// Something goes wrong with one of the processes, and when something will next.
    pub(super) fn trouble(&mut self) {
        let Some(faults) = self.faults else { return };
        let pids: Vec<u32> =
            self.processes.values().filter(|process| process.is_alive()).map(|process| process.pid).collect();
        if !pids.is_empty() {
            let pid = self.dice.of_these(&pids);
            match self.dice.below(5) {
                0 | 1 => self.end(pid, Some(Signal::SIGSEGV), 0),
                2 => self.end(pid, None, self.faults.map_or(0, |_| 3)),
                3 => self.hang(pid),
                _ => self.slow_down(pid),
            }
        }
        let pause = faults.trouble.as_micros() as u64;
        let pause = self.dice.micros(pause / 2, pause * 2);
        self.after(pause, Deed::Trouble);
    }

    /// Its thread does not come back.
    fn hang(&mut self, pid: u32) {
        if let Some(process) = self.processes.get_mut(&pid).filter(|process| process.thread != Thread::Boots)
        {
            process.hangs = true;
        }
    }

    /// It takes longer for everything from now on.
    fn slow_down(&mut self, pid: u32) {
        let request = self.dice.millis(20, 900);
        if let Some(process) = self.processes.get_mut(&pid) {
            process.temper.request = request;
            process.temper.is_blocking = true;
        }
    }

    /// All is well from now on: nothing goes wrong any more, and what did is over.
    pub(super) fn be_well(&mut self) {
        self.faults = None;
        let mut odd = Vec::new();
        for process in self.processes.values_mut().filter(|process| process.is_alive()) {
            process.temper.request = process.temper.request.min(Duration::from_millis(5));
            let temper = process.temper;
            if process.hangs || temper.ignores_stop || temper.scribbles || temper.is_idle {
                odd.push(process.pid);
            }
        }
        for pid in odd {
            self.end(pid, Some(Signal::SIGKILL), 0);
        }
    }
}
