//! How many CPUs this process may keep busy: by its affinity, and by the quota of its cgroup and of those above.
//! Reads /proc and the cgroup file systems; sets nothing.

use super::cgroup::{self, Version};
use std::fs;
use std::io;
use std::path::Path;

/// At least 1, whatever cannot be read.
pub(crate) fn available() -> u32 {
    let by_affinity =
        affinity().ok().or_else(|| std::thread::available_parallelism().ok().map(|n| n.get() as u32));
    limited(by_affinity.unwrap_or(1), Path::new("/"))
}

/// The CPUs that the machine has running; at least 1.
pub(crate) fn online() -> u32 {
    // SAFETY: no memory is involved.
    let count = unsafe { libc::sysconf(libc::_SC_NPROCESSORS_ONLN) };
    u32::try_from(count).unwrap_or(1).max(1)
}

/// The CPUs of the affinity mask of the calling thread.
fn affinity() -> io::Result<u32> {
    // The kernel wants room for every CPU that could exist, not only for those that do.
    let mut mask = [0_u64; 1024];
    // SAFETY: the pointer and the length are those of `mask`, whose words have no invalid bit pattern.
    let filled = unsafe { libc::sched_getaffinity(0, size_of_val(&mask), mask.as_mut_ptr().cast()) };
    if filled < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(mask.iter().map(|word| word.count_ones()).sum())
}

/// `cpus`, or less where a quota allows less, rounded up. Every path is taken below `root`.
fn limited(cpus: u32, root: &Path) -> u32 {
    let quotas = cgroup::directories("cpu", root).into_iter();
    quotas.filter_map(|(version, directory)| quota_of(version, &directory)).fold(cpus, u32::min).max(1)
}

fn quota_of(version: Version, directory: &Path) -> Option<u32> {
    let read = |name: &str| fs::read_to_string(directory.join(name)).ok();
    let (quota, period) = match version {
        // "QUOTA PERIOD", where "max" is no quota.
        Version::Two => {
            let text = read("cpu.max")?;
            let (quota, period) = text.trim().split_once(' ')?;
            (quota.parse::<u64>().ok()?, period.parse::<u64>().ok()?)
        }
        // -1 is no quota.
        Version::One => (
            read("cpu.cfs_quota_us")?.trim().parse::<u64>().ok()?,
            read("cpu.cfs_period_us")?.trim().parse::<u64>().ok()?,
        ),
    };
    if period == 0 {
        return None;
    }
    Some(u32::try_from(quota.div_ceil(period)).unwrap_or(u32::MAX).max(1))
}

#[cfg(test)]
mod tests {
    use super::{affinity, available, limited};
    use crate::io::scratch::Scratch;
    use std::path::Path;

    const V2: &str = "25 1 0:21 / /proc rw - proc proc rw\n30 1 0:27 / /sys/fs/cgroup rw shared:4 - cgroup2 cgroup2 rw,nsdelegate\n";
    const V1: &str = "31 1 0:28 / /cg/cpuacct rw - cgroup cgroup rw,cpuacct\n32 1 0:29 / /cg/cpu rw - cgroup cgroup rw,cpuset,cpu\n";

    fn machine(groups: &str, mounts: &str, files: &[(&str, &str)]) -> Scratch {
        let scratch = Scratch::new();
        scratch.file("proc/self/cgroup", groups, 0o644);
        scratch.file("proc/self/mountinfo", mounts, 0o644);
        for (path, content) in files {
            scratch.file(path, content, 0o644);
        }
        scratch
    }

    #[test]
    fn version_two_walks_up_and_rounds_up() {
        for (own, above, cpus) in [
            ("max 100000", "max 100000", 16),
            ("150000 100000", "max 100000", 2),
            ("max 100000", "250000 100000", 3),
            ("800000 100000", "100000 50000", 2),
            ("1000 100000", "max 100000", 1),
            ("6400000 100000", "max 100000", 16),
            ("100000 0", "max 100000", 16),
            ("nonsense", "max", 16),
        ] {
            let files = [("sys/fs/cgroup/a/b/cpu.max", own), ("sys/fs/cgroup/a/cpu.max", above)];
            assert_eq!(limited(16, machine("0::/a/b\n", V2, &files).path()), cpus, "{own}, {above}");
        }
    }

    #[test]
    fn version_two_in_a_container() {
        // The mount shows the container's own group as its top.
        let mounts = V2.replace(" / /sys/fs", " /docker/1 /sys/fs");
        let files = [("sys/fs/cgroup/cpu.max", "200000 100000\n")];
        assert_eq!(limited(16, machine("0::/docker/1\n", &mounts, &files).path()), 2);
        assert_eq!(limited(16, machine("0::/../other\n", V2, &files).path()), 2);
        assert_eq!(limited(16, machine("0::/\n", V2, &files).path()), 2);
    }

    #[test]
    fn version_one() {
        let groups = "4:cpuset,cpu:/a/b\n3:cpuacct:/x\n1:name=systemd:/a\n";
        for (own, above, cpus) in
            [("-1", "-1", 8), ("50000", "-1", 1), ("-1", "250000", 3), ("900000", "100000", 1)]
        {
            let files = [
                ("cg/cpu/a/b/cpu.cfs_quota_us", own),
                ("cg/cpu/a/b/cpu.cfs_period_us", "100000\n"),
                ("cg/cpu/a/cpu.cfs_quota_us", above),
                ("cg/cpu/a/cpu.cfs_period_us", "100000\n"),
            ];
            assert_eq!(limited(8, machine(groups, V1, &files).path()), cpus, "{own}, {above}");
        }
    }

    #[test]
    fn both_versions_at_once_and_none() {
        let files = [
            ("sys/fs/cgroup/cpu.max", "400000 100000"),
            ("cg/cpu/cpu.cfs_quota_us", "300000"),
            ("cg/cpu/cpu.cfs_period_us", "100000"),
        ];
        let both = machine("1:cpu:/\n0::/\n", &format!("{V2}{V1}"), &files);
        assert_eq!(limited(8, both.path()), 3);
        assert_eq!(limited(8, Path::new("/nowhere")), 8);
        assert_eq!(limited(0, Path::new("/nowhere")), 1);
    }

    #[test]
    fn here() {
        let cpus = available();
        assert!(cpus >= 1 && cpus <= affinity().unwrap(), "{cpus}");
    }
}
