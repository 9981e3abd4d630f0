//! One thread: what it is doing, and where its time went. A thread that is gone is none, and what the system does not tell is empty.

use super::stat::{Fields, SYSTEM_TIME, USER_TIME, ticks_a_second};
use std::fs;
use std::path::Path;
use std::time::Duration;

/// Where the time of a thread went, since it began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Spent {
    /// It had a processor.
    pub(crate) running: Duration,
    /// It wanted one and others had it, or its group had used up its share; `None` if the system does not tell.
    pub(crate) queued: Option<Duration>,
}

impl Spent {
    /// What of it is later than that.
    pub(crate) fn since(self, start: Self) -> Self {
        Self {
            running: self.running.saturating_sub(start.running),
            queued: self.queued.zip(start.queued).map(|(now, then)| now.saturating_sub(then)),
        }
    }
}

/// What a thread is doing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Thread {
    /// `R` runs or wants to, `S` and `D` sleep, `T` and `t` are stopped, `Z` is gone.
    pub(crate) state: char,
    pub(crate) spent: Spent,
    /// Number of the system call it is in; `None` if it is in none or the system does not tell.
    pub(crate) call: Option<i64>,
    /// Where in the kernel it waits; empty if it does not or the system does not tell.
    pub(crate) waits_in: String,
}

impl Thread {
    /// It waits for a lock: whoever holds it may never let go.
    pub(crate) fn waits_for_lock(&self) -> bool {
        self.call == Some(libc::SYS_futex) || self.waits_in.starts_with("futex")
    }

    pub(crate) fn is_stopped(&self) -> bool {
        matches!(self.state, 'T' | 't')
    }
}

/// The state of one thread alone; `None` if it is gone.
pub(crate) fn state(pid: u32, tid: u32) -> Option<char> {
    let stat = fs::read_to_string(format!("/proc/{pid}/task/{tid}/stat")).ok()?;
    Fields::of(&stat)?.state()
}

/// The threads of the process, by the numbers that it has here.
pub(in crate::io) fn tasks(pid: u32) -> impl Iterator<Item = u32> {
    let entries = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

/// The threads of the process, by the numbers that it knows them by itself, which are others in a PID namespace; `None` if
/// the system does not tell.
pub(crate) fn threads(pid: u32) -> Option<Vec<u32>> {
    let innermost = |status: &str| -> Option<(usize, u32)> {
        let line = status.lines().find_map(|line| line.strip_prefix("NSpid:"))?;
        let numbers: Vec<&str> = line.split_whitespace().collect();
        Some((numbers.len(), numbers.last()?.parse().ok()?))
    };
    let (depth, _) = innermost(&fs::read_to_string(format!("/proc/{pid}/status")).ok()?)?;
    let mut threads = Vec::new();
    for entry in fs::read_dir(format!("/proc/{pid}/task")).ok()? {
        let entry = entry.ok()?;
        if depth == 1 {
            threads.push(entry.file_name().to_str()?.parse().ok()?);
        } else if let Ok(status) = fs::read_to_string(entry.path().join("status")) {
            threads.push(innermost(&status)?.1);
        }
    }
    (!threads.is_empty()).then_some(threads)
}

/// Reads one thread; `None` if it is gone.
pub(crate) fn thread(pid: u32, tid: u32) -> Option<Thread> {
    let directory = format!("/proc/{pid}/task/{tid}");
    let directory = Path::new(&directory);
    let stat = fs::read_to_string(directory.join("stat")).ok()?;
    let fields = Fields::of(&stat)?;
    let call = fs::read_to_string(directory.join("syscall")).ok();
    Some(Thread {
        state: fields.state()?,
        spent: spent(directory, fields.number(USER_TIME)? + fields.number(SYSTEM_TIME)?),
        call: call.and_then(|call| call.split_whitespace().next()?.parse().ok()),
        waits_in: fs::read_to_string(directory.join("wchan"))
            .unwrap_or_default()
            .trim_matches('0')
            .to_owned(),
    })
}

/// Where the time of the thread has gone; `None` if it is gone or the system keeps no account.
pub(crate) fn account(pid: u32, tid: u32) -> Option<Spent> {
    account_of(&fs::read_to_string(format!("/proc/{pid}/task/{tid}/schedstat")).ok()?)
}

/// By the scheduler's own account where it keeps one, else by the clock ticks that found the thread running.
fn spent(directory: &Path, ticks: u64) -> Spent {
    let account = fs::read_to_string(directory.join("schedstat")).unwrap_or_default();
    account_of(&account)
        .unwrap_or(Spent { running: Duration::from_millis(ticks * 1_000 / ticks_a_second()), queued: None })
}

/// `schedstat` holds nanoseconds on a processor, nanoseconds of waiting for one, and a count; zeros where nobody counts.
fn account_of(text: &str) -> Option<Spent> {
    let mut fields = text.split_whitespace().map(|field| field.parse().ok().map(Duration::from_nanos));
    let (running, queued) = (fields.next()??, fields.next()??);
    (!running.is_zero()).then_some(Spent { running, queued: Some(queued) })
}

/// The kernel's side of a thread's stack, innermost first; empty where the system does not tell (it tells root).
pub(crate) fn kernel_stack(pid: u32, tid: u32) -> Vec<String> {
    let text = fs::read_to_string(format!("/proc/{pid}/task/{tid}/stack")).unwrap_or_default();
    let name = |line: &str| {
        line.split_whitespace().last().map(|name| name.split('+').next().unwrap_or(name).to_owned())
    };
    text.lines().filter_map(name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::process::procfs::{is_ending, tracer};

    #[test]
    fn lists_the_threads_of_this_very_process() {
        let threads = threads(std::process::id()).unwrap();
        let own = nix::unistd::gettid().as_raw() as u32;
        let stat = fs::read_to_string("/proc/self/stat").unwrap();
        assert!(!is_ending(&stat) && is_ending("1 (x) Z 0 0 0 0 -1 4194316 0"), "{stat}");
        assert!(threads.contains(&own) && threads.contains(&std::process::id()), "{own}: {threads:?}");
        assert_eq!(super::threads(u32::MAX), None);
    }

    #[test]
    fn reads_this_very_thread() {
        let (pid, tid) = (std::process::id(), nix::unistd::gettid().as_raw() as u32);
        let thread = thread(pid, tid).unwrap();
        assert!(thread.state == 'R' && !thread.is_stopped() && !thread.waits_for_lock(), "{thread:?}");
        assert_eq!(tracer(pid), None);
    }

    #[test]
    fn time_on_a_processor_is_counted() {
        let (pid, tid) = (std::process::id(), nix::unistd::gettid().as_raw() as u32);
        let start = thread(pid, tid).unwrap().spent;
        let mut now = start;
        let mut sum = 0u64;
        while now.since(start).running < Duration::from_millis(20) {
            sum = (0..100_000).fold(sum, |sum, number| std::hint::black_box(sum ^ number));
            now = thread(pid, tid).unwrap().spent;
        }
        assert_eq!(now.since(now).running, Duration::ZERO);
        // Of a thread that has only just begun there may be no account yet.
        assert!(now.queued.is_some() || start.queued.is_none());
    }

    #[test]
    fn an_account_is_two_times() {
        let spent = account_of("953593504 77685693 166\n").unwrap();
        assert_eq!(spent.running, Duration::from_nanos(953_593_504));
        assert_eq!(spent.queued, Some(Duration::from_nanos(77_685_693)));
        for nothing in ["", "0 0 0\n", "5", "x 1 2", "1 x 2"] {
            assert_eq!(account_of(nothing), None, "{nothing:?}");
        }
    }
}
