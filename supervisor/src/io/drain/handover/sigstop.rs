//! A worker that is stopped: all threads of all its processes. It goes on when this is dropped, unless it was killed.

use crate::io::kernel::pidfd;
use crate::io::process::process_tree::ProcessTree;
use crate::io::process::procfs;
use nix::sys::signal::Signal;
use std::collections::HashMap;
use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

/// A thread that does not stop within this time is deep in the kernel.
const LIMIT: Duration = Duration::from_millis(200);
const STEP: Duration = Duration::from_micros(100);

/// Calls in which a thread waits for something to happen; what else it may be in, it was at work.
const WAITS: &[i64] = &[
    libc::SYS_epoll_pwait,
    libc::SYS_epoll_pwait2,
    libc::SYS_ppoll,
    libc::SYS_pselect6,
    libc::SYS_futex,
    libc::SYS_nanosleep,
    libc::SYS_clock_nanosleep,
    libc::SYS_accept,
    libc::SYS_accept4,
    libc::SYS_read,
    libc::SYS_recvfrom,
    libc::SYS_recvmsg,
    libc::SYS_rt_sigtimedwait,
    libc::SYS_rt_sigsuspend,
    libc::SYS_wait4,
    libc::SYS_waitid,
    libc::SYS_io_uring_enter,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_epoll_wait,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_poll,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_select,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_pause,
];
/// Those of them that wait for a request on the socket that they name first.
const RECEIVES: [i64; 3] = [libc::SYS_read, libc::SYS_recvfrom, libc::SYS_recvmsg];

/// What a stopped process is known by, and whether it is ours to let it go on.
#[derive(Debug)]
struct Stopped {
    pidfd: OwnedFd,
    by_us: bool,
}

#[derive(Debug)]
pub(super) struct SigStop {
    stopped: HashMap<u32, Stopped>,
}

impl SigStop {
    /// Stops them, their groups and descendants. `None` if one does not stop in time.
    pub(super) fn stop(pids: &[u32], now: impl Fn() -> Instant) -> io::Result<Option<Self>> {
        let begin = now();
        let mut hold = Self { stopped: HashMap::new() };
        loop {
            // A child forked before its parent stopped is in the next table.
            let mut is_new = false;
            for pid in ProcessTree::read().family(pids) {
                if !hold.stopped.contains_key(&pid) {
                    is_new |= hold.add(pid)?;
                }
            }
            while !hold.stopped.keys().all(|pid| is_stopped(*pid)) {
                if now() - begin > LIMIT {
                    return Ok(None);
                }
                std::thread::park_timeout(STEP);
            }
            if !is_new {
                return Ok(Some(hold));
            }
        }
    }

    fn add(&mut self, pid: u32) -> io::Result<bool> {
        let pidfd = match pidfd::open(pid) {
            // Gone already.
            Err(error) if error.raw_os_error() == Some(libc::ESRCH) => return Ok(false),
            opened => opened?,
        };
        let by_us = !is_stopped(pid);
        pidfd::send(&pidfd, Signal::SIGSTOP);
        self.stopped.insert(pid, Stopped { pidfd, by_us });
        Ok(true)
    }

    /// Whether nothing was being done: every thread waited for something when it was stopped.
    pub(super) fn was_at_rest(&self) -> bool {
        // Elsewhere a stopped thread does not show what it was in.
        !cfg!(target_arch = "x86_64") || self.stopped.keys().all(|pid| calls(*pid).all(|call| call.is_wait()))
    }

    /// Ends them. Stopped as they are, they do nothing more.
    pub(super) fn kill(mut self) {
        for (_, stopped) in self.stopped.drain() {
            pidfd::send(&stopped.pidfd, Signal::SIGKILL);
        }
    }
}

impl Drop for SigStop {
    fn drop(&mut self) {
        for stopped in self.stopped.values().filter(|stopped| stopped.by_us) {
            pidfd::send(&stopped.pidfd, Signal::SIGCONT);
        }
    }
}

/// All its threads are stopped, or gone.
fn is_stopped(pid: u32) -> bool {
    let is_off = |state| matches!(state, 'T' | 't' | 'Z' | 'X');
    procfs::tasks(pid).all(|tid| procfs::state(pid, tid).is_none_or(is_off))
}

/// Whether no thread has anything to do right now.
pub(super) fn are_at_rest(family: impl IntoIterator<Item = u32>) -> bool {
    let is_off = |state| matches!(state, 'S' | 'Z' | 'X' | 'T');
    family.into_iter().all(|pid| procfs::tasks(pid).all(|tid| procfs::state(pid, tid).is_none_or(is_off)))
}

/// The descriptors from which threads of a process wait to receive.
pub(super) fn receiving(pid: u32) -> impl Iterator<Item = i32> {
    let receives = calls(pid).filter(|call| RECEIVES.contains(&call.number));
    receives.filter_map(|call| i32::try_from(call.first?).ok())
}

/// A system call that a thread is in, and its first argument; the number is negative if it is in none.
struct Call {
    number: i64,
    first: Option<u64>,
}

impl Call {
    fn is_wait(&self) -> bool {
        WAITS.contains(&self.number)
    }
}

/// Of every thread that is not gone.
fn calls(pid: u32) -> impl Iterator<Item = Call> {
    procfs::tasks(pid).filter_map(move |tid| {
        let text = fs::read_to_string(format!("/proc/{pid}/task/{tid}/syscall")).ok()?;
        let mut words = text.split_whitespace();
        // `running`: in none, at this moment.
        let number = words.next()?.parse().unwrap_or(-1);
        let first = words.next().and_then(|word| u64::from_str_radix(word.trim_start_matches("0x"), 16).ok());
        Some(Call { number, first })
    })
}
