//! Signals as events: blocked in every thread and read from a descriptor, so that no handler ever runs.

use super::source::Source;
use mio::unix::SourceFd;
use mio::{Interest, Registry, Token};
use nix::sys::signal::{SigSet, SigmaskHow, Signal, sigprocmask};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use std::io;
use std::os::fd::AsRawFd;

/// What a signal asks of the supervisor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// SIGINT, SIGTERM, SIGQUIT, or SIGHUP of a terminal that is gone.
    Stop(Signal),
    /// Some child has ended.
    Child,
}

/// The descriptor, and the mask that workers get back.
#[derive(Debug)]
pub(crate) struct Signals {
    fd: SignalFd,
    original: SigSet,
}

/// Blocked signals, and the mask from before.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Blocked {
    wanted: SigSet,
    original: SigSet,
}

/// Blocks the signals in the calling thread, which threads that it starts from now on inherit: one that had been started
/// before would still be struck. A SIGHUP that was ignored (nohup) stays so.
pub(crate) fn block() -> io::Result<Blocked> {
    let mut wanted = SigSet::empty();
    for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGQUIT, Signal::SIGCHLD] {
        wanted.add(signal);
    }
    if !is_ignored(Signal::SIGHUP) {
        wanted.add(Signal::SIGHUP);
    }
    let mut original = SigSet::empty();
    sigprocmask(SigmaskHow::SIG_BLOCK, Some(&wanted), Some(&mut original))?;
    Ok(Blocked { wanted, original })
}

impl Signals {
    /// Reads what is blocked.
    pub(crate) fn open(blocked: Blocked, registry: &Registry) -> io::Result<Self> {
        let Blocked { wanted, original } = blocked;
        let fd = SignalFd::with_flags(&wanted, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)?;
        registry.register(
            &mut SourceFd(&fd.as_raw_fd()),
            Token::from(Source::Signals),
            Interest::READABLE,
        )?;
        Ok(Self { fd, original })
    }

    /// The mask that was in force before.
    pub(crate) fn original_mask(&self) -> &SigSet {
        &self.original
    }

    /// The next signal that came.
    pub(crate) fn next(&self) -> Option<Event> {
        let info = self.fd.read_signal().ok()??;
        match Signal::try_from(info.ssi_signo as i32) {
            Ok(Signal::SIGCHLD) => Some(Event::Child),
            Ok(signal) => Some(Event::Stop(signal)),
            Err(_) => None,
        }
    }
}

impl Drop for Signals {
    fn drop(&mut self) {
        // What came and was not read dies with the descriptor's owner: it must not strike when the mask is lifted.
        while self.next().is_some() {}
        let _ = sigprocmask(SigmaskHow::SIG_SETMASK, Some(&self.original), None);
    }
}

/// The calling thread's mask.
pub(crate) fn current_mask() -> SigSet {
    SigSet::thread_get_mask().unwrap_or_else(|_| SigSet::empty())
}

fn is_ignored(signal: Signal) -> bool {
    // SAFETY: sigaction is plain data for which all zeroes is a valid value; no new action is given.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        libc::sigaction(signal as i32, std::ptr::null(), &raw mut action) == 0
            && action.sa_sigaction == libc::SIG_IGN
    }
}
