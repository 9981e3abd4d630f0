//! Questions about processes, answered by /proc, and signals to them.

use crate::system::wait::{PATIENCE, wait_until};
use std::fs;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::process::{Child, ExitStatus};
use std::time::{Duration, Instant};

/// A process id.
pub type Pid = u32;

/// The processes that have the variable with this value in their environment, started by whomever. Zombies have none.
pub fn marked(variable: &str, value: &str) -> Vec<Pid> {
    let wanted = format!("{variable}={value}");
    let entries = fs::read_dir("/proc").expect("/proc is mounted");
    let pids = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<Pid>().ok());
    pids.filter(|pid| {
        let environ = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        environ.split(|byte| *byte == 0).any(|entry| entry == wanted.as_bytes())
    })
    .collect()
}

/// Sends the signal; a process that is gone already is no error.
pub fn signal(pid: Pid, number: libc::c_int) {
    // SAFETY: kill() takes two integers and touches no memory of ours.
    let result = unsafe { libc::kill(pid as libc::pid_t, number) };
    let error = io::Error::last_os_error();
    assert!(result == 0 || error.raw_os_error() == Some(libc::ESRCH), "kill({pid}, {number}): {error}");
}

/// The letter of /proc/PID/stat (`R`, `S`, `T`, `Z`, ...), or nothing if the process is gone.
pub fn state(pid: Pid) -> Option<char> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The command name before it may hold anything, but no later parenthesis exists.
    stat.rsplit_once(") ")?.1.chars().next()
}

/// Whether the process runs or could run; a zombie does not.
pub fn is_alive(pid: Pid) -> bool {
    !matches!(state(pid), None | Some('Z' | 'X'))
}

/// The threads of the process, or none if it is gone.
pub(crate) fn threads(pid: Pid) -> impl Iterator<Item = Pid> {
    let entries = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

/// Stops the process with SIGSTOP and waits until it has stopped.
pub fn pause(pid: Pid) {
    signal(pid, libc::SIGSTOP);
    wait_until("the process is stopped", PATIENCE, || state(pid) == Some('T'));
}

pub fn resume(pid: Pid) {
    signal(pid, libc::SIGCONT);
}

/// How many descriptors the process has open.
pub fn fd_count(pid: Pid) -> usize {
    fs::read_dir(format!("/proc/{pid}/fd")).map_or(0, Iterator::count)
}

/// A descriptor of the process, by which the system tells when the last of its threads has ended.
pub fn pidfd(pid: Pid) -> io::Result<OwnedFd> {
    // SAFETY: the call takes two integers and returns a descriptor.
    let raw = unsafe { libc::syscall(libc::SYS_pidfd_open, pid as libc::pid_t, 0) };
    if raw < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel has just made it for us.
    Ok(unsafe { OwnedFd::from_raw_fd(raw as libc::c_int) })
}

/// Waits no longer than this for the end of the process; whether it has come.
pub fn ends_within(process: &OwnedFd, limit: Duration) -> bool {
    let begun = Instant::now();
    loop {
        // Rounded up: a rest below a millisecond is no reason to ask without a pause.
        let left = limit.saturating_sub(begun.elapsed()).as_nanos().div_ceil(1_000_000);
        let left = libc::c_int::try_from(left).unwrap_or(libc::c_int::MAX);
        let mut polled = libc::pollfd { fd: process.as_raw_fd(), events: libc::POLLIN, revents: 0 };
        // SAFETY: `polled` is one valid entry.
        match unsafe { libc::poll(&raw mut polled, 1, left) } {
            1 => return true,
            // A signal, or a limit that is longer than the call can take.
            _ if begun.elapsed() < limit => {}
            _ => return false,
        }
    }
}

/// How the child ended. One that takes longer than this is killed: `None`.
pub fn wait_or_kill(child: &mut Child, limit: Duration) -> io::Result<Option<ExitStatus>> {
    let in_time = ends_within(&pidfd(child.id())?, limit);
    if !in_time {
        child.kill()?;
    }
    let status = child.wait()?;
    Ok(in_time.then_some(status))
}
