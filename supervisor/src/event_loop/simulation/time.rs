//! Time passes in a history: deeds are done each at its moment, while the supervisor waits and, on other processors, while it is at work. Nothing
//! else moves the world.

use super::World;
use super::agenda::Deed;
use crate::io::machine::wall_clock::milliseconds;
use mio::{Events, Poll};
use std::io;
use std::time::{Duration, Instant};

impl World {
    pub(super) fn after(&mut self, pause: Duration, deed: Deed) {
        self.agenda.put(self.now + pause, deed);
    }

    /// The clock that people have: it is never set, and histories begin in 2024.
    pub(super) fn wall_time(&self) -> u64 {
        1_704_067_200_000 + milliseconds(self.now.saturating_duration_since(self.begun))
    }

    /// The clock of the pulse pages.
    pub(super) fn monotonic(&self) -> u64 {
        // A page takes a time from the future for garbage, and none of before it began.
        1_000_000_000 + self.now.saturating_duration_since(self.begun).as_nanos() as u64
    }

    /// Does the next thing, at its time.
    pub(super) fn go_on(&mut self) {
        let Some((at, deed)) = self.agenda.take() else { return };
        self.pass_to(at);
        log::trace!("{:?}: {deed:?}", self.now.saturating_duration_since(self.begun));
        match deed {
            Deed::Boot(pid) | Deed::AskAgain(pid) => self.ask_next(pid),
            Deed::Run(pid) => self.run(pid),
            Deed::Return(pid) => self.enter_wait(pid),
            Deed::Answer(pid, connection) => self.answer(pid, connection),
            Deed::End(pid, signal, code) => self.end(pid, signal, code),
            Deed::Connect => self.clients(),
            Deed::Trouble => self.trouble(),
            Deed::Operate(order) => self.operate(order),
            Deed::Report => self.report(),
            Deed::Hook(number, fails) => self.end_hook(number, fails),
        }
    }

    pub(super) fn pass_to(&mut self, at: Instant) {
        if at > self.now {
            self.now = at;
            self.turns_at_once = 0;
        }
    }

    /// Looks at what the supervisor has done in its turn: who has been told something, and what is asked off the loop.
    pub(super) fn see(&mut self) {
        let pids: Vec<u32> = self.processes.keys().copied().collect();
        for pid in pids {
            self.hear_reply(pid);
            self.wake_if_told(pid);
        }
        self.take_questions();
        self.take_hooks();
    }

    /// On other processors the world goes on while the supervisor is at work.
    pub(super) fn meanwhile(&mut self) {
        if self.dice.once_in(3) {
            let soon = self.now + self.dice.micros(0, 20);
            while self.agenda.next().is_some_and(|at| at <= soon) {
                self.go_on();
            }
            self.pass_to(soon);
        }
    }

    /// The supervisor waits until something is reported or the time is over.
    pub(super) fn pass(
        &mut self,
        poll: &mut Poll,
        events: &mut Events,
        timeout: Option<Duration>,
    ) -> io::Result<()> {
        self.turns_at_once += 1;
        self.see();
        // What it has done has taken a moment.
        let moment = self.dice.micros(1, 15);
        let until = timeout.map(|timeout| self.now + timeout);
        let until = until.into_iter().chain(self.limit).min();
        let soon = self.now + moment;
        while self.agenda.next().is_some_and(|at| at <= soon) {
            self.go_on();
        }
        self.pass_to(soon);
        loop {
            poll.poll(events, Some(Duration::ZERO))?;
            if !events.is_empty() {
                break;
            }
            match (self.agenda.next(), until) {
                (Some(at), Some(until)) if at > until => {
                    self.pass_to(until);
                    break;
                }
                (Some(_), _) => self.go_on(),
                (None, Some(until)) => {
                    self.pass_to(until);
                    break;
                }
                (None, None) => {
                    self.is_asleep = true;
                    break;
                }
            }
        }
        if self.strikes(|faults| faults.late) {
            // Others have the processor meanwhile.
            let late = self.now + self.dice.millis(1, 700);
            while self.agenda.next().is_some_and(|at| at <= late) {
                self.go_on();
            }
            self.pass_to(late);
        }
        Ok(())
    }
}
