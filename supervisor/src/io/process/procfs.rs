//! What /proc tells of a process: memory, processor time, descriptors, its users and relations; and of its threads and epoll sets. It reads
//! only, and says nothing where the system says nothing.

mod epoll_set;
mod stat;
mod thread;

pub(crate) use self::epoll_set::{epoll_holds, epoll_set, set_holds};
pub(in crate::io) use self::stat::is_ending;
pub(crate) use self::stat::ticks_a_second;
pub(super) use self::stat::{CHILDREN_SYSTEM_TIME, Fields, USER_TIME};
pub(in crate::io) use self::thread::tasks;
pub(crate) use self::thread::{Spent, Thread, account, kernel_stack, state, thread, threads};

use self::stat::{PARENT, STARTTIME, SYSTEM_TIME, THREADS};
use std::fs;
use std::path::Path;

/// One process at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sample {
    /// Resident memory, in bytes.
    pub(crate) rss: u64,
    /// Processor time so far, in clock ticks.
    pub(crate) ticks: u64,
    pub(crate) threads: u64,
    pub(crate) descriptors: u64,
}

/// Reads a process; `None` if it is gone.
pub(crate) fn sample(pid: u32) -> Option<Sample> {
    let directory = format!("/proc/{pid}");
    let directory = Path::new(&directory);
    let pages: u64 =
        fs::read_to_string(directory.join("statm")).ok()?.split_whitespace().nth(1)?.parse().ok()?;
    let stat = fs::read_to_string(directory.join("stat")).ok()?;
    let fields = Fields::of(&stat)?;
    Some(Sample {
        rss: pages * page_size(),
        ticks: fields.number(USER_TIME)? + fields.number(SYSTEM_TIME)?,
        threads: fields.number(THREADS)?,
        descriptors: descriptors(directory),
    })
}

/// The process that started this one, or has taken it in; `None` if it is gone.
pub(crate) fn parent(pid: u32) -> Option<u32> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    u32::try_from(Fields::of(&stat)?.number(PARENT)?).ok()
}

/// When the process began, in ticks of the kernel since it started; `None` if it is gone.
pub(crate) fn starttime(pid: u32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    Fields::of(&stat)?.number(STARTTIME)
}

/// Real, effective, saved and file system user of a process; none if it is gone or hidden.
pub(crate) fn users(pid: u32) -> Vec<u32> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("Uid:")).unwrap_or_default();
    line.split_whitespace().filter_map(|uid| uid.parse().ok()).collect()
}

/// Root, or this process's own user: who may do anything with its workers.
pub(crate) fn is_master(uid: u32) -> bool {
    uid == 0 || uid == nix::unistd::geteuid().as_raw()
}

/// Whether the number names one user. In a user namespace the kernel shows everybody whom that does not know as one.
pub(crate) fn is_distinct(uid: u32) -> bool {
    let number = |path| fs::read_to_string(path).ok().and_then(|text| text.trim().parse::<u32>().ok());
    if uid != number("/proc/sys/kernel/overflowuid").unwrap_or(65_534) {
        return true;
    }
    let map = fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
    map.split_whitespace().eq(["0", "0", "4294967295"])
}

/// The process that traces this one, if any.
pub(crate) fn tracer(pid: u32) -> Option<u32> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("TracerPid:"))?;
    line.trim().parse().ok().filter(|tracer| *tracer != 0)
}

/// Clock ticks that the process has used, itself and in the kernel.
pub(crate) fn ticks(pid: u32) -> Option<(u64, u64)> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let fields = Fields::of(&stat)?;
    Some((fields.number(USER_TIME)?, fields.number(SYSTEM_TIME)?))
}

/// How many seccomp filters the process has; where the kernel does not count them (before 5.9), whether it has any.
pub(crate) fn filters(pid: u32) -> Option<u32> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let number =
        |name: &str| status.lines().find_map(|line| line.strip_prefix(name)?.trim().parse::<u32>().ok());
    number("Seccomp_filters:").or_else(|| number("Seccomp:").map(|mode| u32::from(mode != 0)))
}

/// Whether the process has an io_uring, which programs open early: of its descriptors only the first are looked at.
pub(crate) fn has_ring(pid: u32) -> bool {
    const FIRST: u32 = 64;
    let is_ring = |fd| {
        let target = fs::read_link(format!("/proc/{pid}/fd/{fd}"));
        target.is_ok_and(|target| target.as_os_str() == "anon_inode:[io_uring]")
    };
    (0..FIRST).any(is_ring)
}

/// Descriptors that the process has open. Since Linux 6.2 the directory tells how many it lists.
fn descriptors(directory: &Path) -> u64 {
    let directory = directory.join("fd");
    match fs::metadata(&directory).map(|status| std::os::unix::fs::MetadataExt::size(&status)) {
        Ok(0) => fs::read_dir(&directory).map_or(0, |entries| entries.count() as u64),
        Ok(count) => count,
        Err(_) => 0,
    }
}

fn page_size() -> u64 {
    // SAFETY: no memory is involved.
    u64::try_from(unsafe { libc::sysconf(libc::_SC_PAGESIZE) }).unwrap_or(4096)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_this_very_process() {
        let pid = std::process::id();
        let sample = sample(pid).unwrap();
        assert!(sample.rss > 100_000 && sample.threads >= 1 && sample.descriptors >= 3, "{sample:?}");
    }

    #[test]
    fn finds_a_parent() {
        assert_eq!(parent(std::process::id()), Some(std::os::unix::process::parent_id()));
        assert_eq!(parent(u32::MAX), None);
    }

    #[test]
    fn a_process_that_is_gone_is_none() {
        assert_eq!(sample(u32::MAX), None);
        assert_eq!((thread(u32::MAX, 1), tracer(u32::MAX)), (None, None));
        assert!(kernel_stack(u32::MAX, 1).is_empty());
    }
}
