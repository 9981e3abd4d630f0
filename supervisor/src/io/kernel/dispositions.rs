//! The signal mask and the ignored signals that this program was started with, for workers to get back. It installs no
//! handler.

use nix::sys::signal::{SigSet, Signal};
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};

/// SIGPIPE was ignored when this program was started.
static PIPE_IGNORED: AtomicBool = AtomicBool::new(false);

/// Reads what Rust's runtime is about to overwrite: it ignores SIGPIPE. To be called before the runtime starts, as a
/// function in `.init_array` is; makes one system call and stores one byte.
pub(crate) fn note_sigpipe() {
    PIPE_IGNORED.store(is_ignored(Signal::SIGPIPE), Ordering::Relaxed);
}

/// The kernel's signals, and the bytes of a set of them are 8.
const SIGNALS: libc::c_int = 64;

/// What a new process gets. `std::process::Command` gives it an empty mask and SIGPIPE at its default, whatever was there
/// before.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Dispositions {
    mask: SigSet,
    pipe_ignored: bool,
    child_ignored: bool,
}

impl Dispositions {
    /// For a process of our own: as it was started. SIGCHLD is at its default from now on, because a process that ignores
    /// it is never told how its children end.
    pub(crate) fn take() -> Self {
        let child_ignored = is_ignored(Signal::SIGCHLD);
        if child_ignored {
            set(Signal::SIGCHLD, libc::SIG_DFL);
        }
        Self { mask: current_mask(), pipe_ignored: PIPE_IGNORED.load(Ordering::Relaxed), child_ignored }
    }

    /// In a host program: the mask of the calling thread, and else as `std::process::Command` has it. What the host was
    /// started with is not known here.
    pub(crate) fn of_host() -> Self {
        Self { mask: current_mask(), pipe_ignored: false, child_ignored: false }
    }

    /// Sets them in the calling thread and its process. Only makes system calls.
    pub(crate) fn give(&self) -> io::Result<()> {
        for (signal, ignored) in [(Signal::SIGPIPE, self.pipe_ignored), (Signal::SIGCHLD, self.child_ignored)]
        {
            if ignored {
                set(signal, libc::SIG_IGN);
            }
        }
        Ok(self.mask.thread_set_mask()?)
    }
}

/// Every signal at its default and none blocked, in the calling thread and its process. Only makes system calls.
pub(in crate::io) fn set_defaults() -> io::Result<()> {
    // By the kernel's own call, as the C library keeps two of them to itself. An action of zeroes is the default one.
    let default = [0u64; 4];
    for signal in 1..=SIGNALS {
        let nothing: *mut u64 = std::ptr::null_mut();
        // SAFETY: the action is as long as the kernel's; no old one is asked for. It refuses SIGKILL and SIGSTOP.
        unsafe { libc::syscall(libc::SYS_rt_sigaction, signal, default.as_ptr(), nothing, size_of::<u64>()) };
    }
    Ok(SigSet::empty().thread_set_mask()?)
}

pub(in crate::io) fn is_ignored(signal: Signal) -> bool {
    // SAFETY: sigaction is plain data for which all zeroes is a valid value; no new action is given.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        libc::sigaction(signal as i32, std::ptr::null(), &raw mut action) == 0
            && action.sa_sigaction == libc::SIG_IGN
    }
}

fn set(signal: Signal, disposition: libc::sighandler_t) {
    // SAFETY: no handler is installed: the disposition is SIG_IGN or SIG_DFL.
    unsafe { libc::signal(signal as i32, disposition) };
}

/// The calling thread's mask.
fn current_mask() -> SigSet {
    SigSet::thread_get_mask().unwrap_or_else(|_| SigSet::empty())
}
