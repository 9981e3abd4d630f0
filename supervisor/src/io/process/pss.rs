//! Proportional memory of processes: what several share counts as a part for each. The kernel walks all their pages for it,
//! about 13 ms for each GiB, and a process that wants to map memory meanwhile waits; so this is for who asks, in their own
//! thread. What cannot be read is not counted as nothing.

use nix::errno::Errno;
use nix::sys::signal::kill;
use nix::unistd::Pid;
use std::fs;
use std::io;

/// Bytes that these processes hold; `None` if one of them does not tell (it is somebody else's, or the kernel keeps no such
/// account), or if none of them is there.
pub(crate) fn pss(pids: impl IntoIterator<Item = u32>) -> Option<u64> {
    let mut sum = None;
    for pid in pids {
        if let Some(bytes) = of_process(pid)? {
            sum = Some(sum.unwrap_or(0) + bytes);
        }
    }
    sum
}

/// The inner `None` is a process that has ended and holds no memory any more; the outer one that it does not tell.
fn of_process(pid: u32) -> Option<Option<u64>> {
    match fs::read_to_string(format!("/proc/{pid}/smaps_rollup")) {
        Ok(text) => pss_in(&text).map(Some),
        // So it is of a zombie.
        Err(error) if error.raw_os_error() == Some(libc::ESRCH) => Some(None),
        // Its directory is gone, or hidden, or the kernel has no such file.
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let pid = Pid::from_raw(i32::try_from(pid).ok()?);
            (kill(pid, None) == Err(Errno::ESRCH)).then_some(None)
        }
        Err(_) => None,
    }
}

fn pss_in(text: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix("Pss:"))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::process::procfs::sample;
    use std::process::Command;

    #[test]
    fn shared_memory_counts_in_parts() {
        let text = "7ff - 7fff [rollup]\nRss:      9000 kB\nPss:      1234 kB\nPss_Dirty:   1 kB\n";
        assert_eq!(pss_in(text), Some(1234 * 1024));
        assert_eq!(pss_in("Pss: lots\n"), None);
        let me = std::process::id();
        let own = pss([me]).unwrap();
        assert!(own > 100_000 && own <= 2 * sample(me).unwrap().rss, "{own}");
        assert_eq!(pss([]), None);
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "it is no worker, but what the test looks at")]
    fn who_has_ended_holds_nothing_and_what_is_hidden_is_not_nothing() {
        let mut child = Command::new("true").spawn().unwrap();
        let pid = child.id();
        nix::sys::wait::waitid(
            nix::sys::wait::Id::Pid(Pid::from_raw(pid as i32)),
            nix::sys::wait::WaitPidFlag::WEXITED | nix::sys::wait::WaitPidFlag::WNOWAIT,
        )
        .unwrap();
        let me = std::process::id();
        assert_eq!(of_process(pid), Some(None), "a zombie");
        assert!(pss([me, pid]).is_some());
        child.wait().unwrap();
        // Such a number is no process's.
        let none = i32::MAX as u32;
        assert_eq!((of_process(none), pss([none])), (Some(None), None));
        assert!(pss([none, me]).is_some());
        assert_eq!(pss([me, u32::MAX]), None, "of which nothing can be known");
    }
}
