//! Questions about processes, answered by /proc, and signals to them.

use crate::wait::{PATIENCE, wait_until};
use std::fs;

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
    let error = std::io::Error::last_os_error();
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
