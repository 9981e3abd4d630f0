//! Signals as events: blocked in every thread and read from a descriptor, so that no handler ever runs, and so that they
//! reach a process with id 1, too.

use super::source::Source;
use crate::io::kernel::dispositions::{Dispositions, is_ignored};
use mio::unix::SourceFd;
use mio::{Interest, Registry, Token};
use nix::fcntl::{OFlag, open};
use nix::sys::signal::{SigSet, SigmaskHow, Signal, sigprocmask};
use nix::sys::signalfd::{SfdFlags, SignalFd, siginfo};
use nix::sys::stat::Mode;
use std::io;
use std::os::fd::AsRawFd;

/// What a signal asks of the supervisor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// SIGINT, SIGTERM, SIGQUIT, or SIGHUP of a terminal that is gone.
    Stop(Signal),
    /// SIGHUP from a process.
    Reload,
    /// SIGTTIN from a process: one worker more.
    ScaleUp,
    /// SIGTTOU from a process: one worker less.
    ScaleDown,
    /// SIGUSR1 or SIGUSR2: what they mean is the workers' affair.
    Forward(Signal),
    /// Some child has ended.
    Child,
}

/// What stays ignored if whoever started us ignored it: a signal that is blocked would be read in spite of that.
const UNLESS_IGNORED: [Signal; 5] =
    [Signal::SIGHUP, Signal::SIGTTIN, Signal::SIGTTOU, Signal::SIGUSR1, Signal::SIGUSR2];

/// The descriptor, and what workers get back.
#[derive(Debug)]
pub(crate) struct Signals {
    fd: SignalFd,
    original: Dispositions,
    had_terminal: bool,
}

/// Blocked signals, and how things were before.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Blocked {
    wanted: SigSet,
    original: Dispositions,
    had_terminal: bool,
}

/// Blocks the signals in the calling thread, which threads that it starts from now on inherit: one that had been started
/// before would still be struck. A SIGHUP that was ignored (nohup) stays so, and so do others that need not be read.
pub(crate) fn block() -> io::Result<Blocked> {
    let mut wanted = SigSet::empty();
    for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGQUIT, Signal::SIGCHLD] {
        wanted.add(signal);
    }
    for signal in UNLESS_IGNORED.into_iter().filter(|signal| !is_ignored(*signal)) {
        wanted.add(signal);
    }
    let original = Dispositions::take();
    sigprocmask(SigmaskHow::SIG_BLOCK, Some(&wanted), None)?;
    Ok(Blocked { wanted, original, had_terminal: has_terminal() })
}

impl Signals {
    /// Reads what is blocked.
    pub(crate) fn open(blocked: Blocked, registry: &Registry) -> io::Result<Self> {
        let Blocked { wanted, original, had_terminal } = blocked;
        let fd = SignalFd::with_flags(&wanted, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)?;
        registry.register(
            &mut SourceFd(&fd.as_raw_fd()),
            Token::from(Source::Signals),
            Interest::READABLE,
        )?;
        Ok(Self { fd, original, had_terminal })
    }

    /// What was in force before.
    pub(crate) fn original(&self) -> &Dispositions {
        &self.original
    }

    /// The next signal that came and means something.
    pub(crate) fn next(&self) -> Option<Event> {
        loop {
            let info = self.fd.read_signal().ok()??;
            if let Some(event) = self.meaning(&info) {
                return Some(event);
            }
        }
    }

    fn meaning(&self, info: &siginfo) -> Option<Event> {
        // The kernel's own, such as those of a terminal, have codes above 0.
        let from_process = info.ssi_code <= 0;
        match Signal::try_from(info.ssi_signo as i32).ok()? {
            Signal::SIGCHLD => Some(Event::Child),
            // A shell whose terminal has vanished passes the kernel's signal on in its own name.
            Signal::SIGHUP if from_process && (!self.had_terminal || has_terminal()) => Some(Event::Reload),
            Signal::SIGTTIN => from_process.then_some(Event::ScaleUp),
            Signal::SIGTTOU => from_process.then_some(Event::ScaleDown),
            signal @ (Signal::SIGUSR1 | Signal::SIGUSR2) => Some(Event::Forward(signal)),
            signal => Some(Event::Stop(signal)),
        }
    }
}

/// Whether this process has a controlling terminal that is still there.
fn has_terminal() -> bool {
    let flags = OFlag::O_RDONLY | OFlag::O_NOCTTY | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
    open("/dev/tty", flags, Mode::empty()).is_ok()
}

impl Drop for Signals {
    fn drop(&mut self) {
        // What came and was not read dies with the descriptor's owner: it must not strike when the mask is lifted.
        while self.next().is_some() {}
        let _ = self.original.give();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mio::Poll;

    fn sent(signal: Signal) -> Option<Event> {
        // A thread's own signals are blocked and read in it alone.
        std::thread::spawn(move || {
            let poll = Poll::new().unwrap();
            let signals = Signals::open(block().unwrap(), poll.registry()).unwrap();
            // SAFETY: no memory is involved.
            unsafe { libc::syscall(libc::SYS_tgkill, libc::getpid(), libc::gettid(), signal as i32) };
            let event = signals.next();
            assert_eq!(signals.next().filter(|event| *event != Event::Child), None);
            event
        })
        .join()
        .unwrap()
    }

    #[test]
    fn what_processes_mean() {
        for (signal, event) in [
            (Signal::SIGTERM, Event::Stop(Signal::SIGTERM)),
            (Signal::SIGHUP, Event::Reload),
            (Signal::SIGTTIN, Event::ScaleUp),
            (Signal::SIGTTOU, Event::ScaleDown),
            (Signal::SIGUSR2, Event::Forward(Signal::SIGUSR2)),
        ] {
            if !UNLESS_IGNORED.contains(&signal) || !is_ignored(signal) {
                assert_eq!(sent(signal), Some(event));
            }
        }
    }

    #[test]
    fn what_the_kernel_means() {
        let poll = Poll::new().unwrap();
        std::thread::spawn(move || {
            let signals = Signals::open(block().unwrap(), poll.registry()).unwrap();
            // SAFETY: siginfo is plain data for which all zeroes is a valid value.
            let mut info: siginfo = unsafe { std::mem::zeroed() };
            info.ssi_code = libc::SI_KERNEL;
            for (signal, event) in [
                (Signal::SIGHUP, Some(Event::Stop(Signal::SIGHUP))),
                (Signal::SIGINT, Some(Event::Stop(Signal::SIGINT))),
                (Signal::SIGTTIN, None),
                (Signal::SIGTTOU, None),
                (Signal::SIGCHLD, Some(Event::Child)),
            ] {
                info.ssi_signo = signal as u32;
                assert_eq!(signals.meaning(&info), event);
            }
        })
        .join()
        .unwrap();
    }
}
