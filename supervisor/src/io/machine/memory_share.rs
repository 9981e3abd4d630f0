//! How much memory, and how many processes, this process and its children may have: by the cgroup and those above it,
//! else what the machine has. Reads only.

use super::cgroup::{self, Version};
use std::fs;
use std::path::Path;

/// Bytes; `None` where nothing tells.
pub(crate) fn available() -> Option<u64> {
    within(Path::new("/"))
}

/// Bytes of the whole machine.
pub(crate) fn of_machine() -> Option<u64> {
    machine(Path::new("/"))
}

/// Processes and threads; `None` where there is no limit.
pub(crate) fn processes() -> Option<u64> {
    let limit = |(_, directory): (Version, std::path::PathBuf)| {
        fs::read_to_string(directory.join("pids.max")).ok()?.trim().parse::<u64>().ok()
    };
    cgroup::directories("pids", Path::new("/")).into_iter().filter_map(limit).min()
}

/// Every path is taken below `root`.
fn within(root: &Path) -> Option<u64> {
    let limit = |(version, directory): (Version, std::path::PathBuf)| {
        let name = match version {
            Version::One => "memory.limit_in_bytes",
            // "max" is no limit.
            Version::Two => "memory.max",
        };
        fs::read_to_string(directory.join(name)).ok()?.trim().parse::<u64>().ok()
    };
    let limits = cgroup::directories("memory", root).into_iter().filter_map(limit);
    // Version 1 says "no limit" by a number greater than any machine has.
    limits.chain(machine(root)).min()
}

fn machine(root: &Path) -> Option<u64> {
    let text = fs::read_to_string(root.join("proc/meminfo")).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::scratch::Scratch;

    #[test]
    fn the_smallest_limit_counts_and_else_the_machine() {
        let scratch = Scratch::new();
        let root = scratch.path();
        let write = |path: &str, text: &str| {
            let path = root.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        assert_eq!(within(root), None);
        write("proc/meminfo", "MemTotal:       2048 kB\nMemFree: 5 kB\n");
        assert_eq!(within(root), Some(2 << 20));
        write("proc/self/cgroup", "0::/a/b\n");
        write("proc/self/mountinfo", "30 23 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n");
        write("sys/fs/cgroup/a/b/memory.max", "max\n");
        write("sys/fs/cgroup/a/memory.max", "1048576\n");
        assert_eq!(within(root), Some(1 << 20));
        assert!(available().is_some());
    }
}
