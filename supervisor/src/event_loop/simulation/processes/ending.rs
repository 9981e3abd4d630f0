//! How a process of a history comes to its end: by a signal, once it has answered what it has, or at once.

use super::super::World;
use super::super::agenda::Deed;
use super::super::clients::Fate;
use crate::io::launch::process_calls::Ended;
use nix::sys::signal::Signal;
use std::os::fd::AsRawFd;
use std::time::Duration;

impl World {
    /// A signal reaches it.
    pub(in crate::event_loop::simulation) fn signal(&mut self, pid: u32, signal: Signal) {
        let Some(process) = self.processes.get_mut(&pid).filter(|process| process.is_alive()) else { return };
        match signal {
            Signal::SIGKILL => {
                let pause = self.dice.micros(0, 3_000);
                self.after(pause, Deed::End(pid, Some(signal), 0));
            }
            Signal::SIGCONT | Signal::SIGHUP | Signal::SIGUSR1 | Signal::SIGUSR2 => {}
            _ if process.temper.ignores_stop || process.hangs => {}
            _ => {
                process.is_stopping = true;
                self.leave(pid);
            }
        }
    }

    /// It closes its listener, and ends when it has answered what it has.
    fn leave(&mut self, pid: u32) {
        self.stop_watching(pid, false);
        let Some(process) = self.processes.get_mut(&pid) else { return };
        (process.lane, process.next, process.asked) = (None, None, None);
        let pause = self.dice.micros(100, 20_000);
        if process.hands.is_empty() {
            self.after(pause, Deed::End(pid, None, 0));
        }
    }

    /// It has answered a connection.
    pub(in crate::event_loop::simulation) fn answer(&mut self, pid: u32, connection: usize) {
        let Some(process) = self.processes.get_mut(&pid).filter(|process| process.is_alive()) else { return };
        if process.hangs {
            return;
        }
        if let Some(place) = process.hands.iter().position(|held| *held == connection) {
            process.hands.swap_remove(place);
            drop(process.sockets.swap_remove(place));
        }
        let is_over = process.is_stopping && process.hands.is_empty();
        self.become_of(connection, Fate::Answered);
        if is_over {
            self.after(Duration::from_micros(50), Deed::End(pid, None, 0));
        }
    }

    /// It ends; the kernel closes what it has.
    pub(in crate::event_loop::simulation) fn end(&mut self, pid: u32, signal: Option<Signal>, code: i32) {
        let Some(process) = self.processes.get_mut(&pid).filter(|process| process.is_alive()) else { return };
        process.ended = Some(match signal {
            Some(signal) => Ended::Signal { signal, core_dumped: false },
            None => Ended::Code(code),
        });
        process.lane = None;
        process.pulse = None;
        process.asked = None;
        process.sockets.clear();
        let hands = std::mem::take(&mut process.hands);
        let one = 1u64;
        // SAFETY: an eventfd takes eight bytes, which are there.
        unsafe { libc::write(process.pidfd.as_raw_fd(), (&raw const one).cast(), 8) };
        for connection in hands {
            self.become_of(connection, Fate::Orphaned);
        }
        // Whom the kernel had woken for a connection that it did not take: nobody else is woken for that one.
        self.watchers.retain(|watcher| *watcher != pid);
    }
}
