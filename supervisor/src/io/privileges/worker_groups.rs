//! A control group of version 2 for each worker, with its limits, below the group of the supervisor, which has to be delegated to it. Groups of
//! version 1 are not touched.

use super::error::PrivilegesError;
use crate::io::machine::cgroup::{Mounts, Version};
use std::ffi::CString;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

/// Holds whoever was in the supervisor's group: one with groups below it must have no processes of its own.
const LEAF: &str = "clustermon-supervisor";
/// Processes that are started meanwhile are found in the next round.
const ROUNDS: u32 = 10;
/// Attributes by which systemd says that a group is delegated.
const DELEGATED: [&std::ffi::CStr; 2] = [c"user.delegate", c"trusted.delegate"];
const HINT: &str = "the group has to be delegated: Delegate=yes in a unit of systemd, a writable /sys/fs/cgroup in a container";

/// What each group gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct GroupLimit {
    pub(super) option: &'static str,
    pub(super) controller: &'static str,
    /// Of the group.
    pub(super) file: &'static str,
    pub(super) value: String,
}

/// Makes groups, and removes them once they are empty.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct WorkerGroups {
    parent: PathBuf,
    limits: Vec<GroupLimit>,
}

impl WorkerGroups {
    /// Below the group of this process, from which all processes are moved into one beside those of workers. `is_alone`: there may be
    /// only this process in it.
    pub(super) fn prepare(limits: Vec<GroupLimit>, is_alone: bool) -> Result<Self, PrivilegesError> {
        let option = limits.first().map_or("memory-max", |limit| limit.option);
        let root = Path::new("/");
        let own = Mounts::read("", root).of_process(std::process::id());
        let own = own.into_iter().find_map(|(version, path)| (version == Version::Two).then_some(path));
        let own = own.ok_or_else(|| fault(option, "there are no control groups of version 2 here"))?;
        let parent = match own.parent() {
            Some(parent) if own.ends_with(LEAF) => parent.to_owned(),
            _ => own,
        };
        Self::below(parent, limits, is_alone)
    }

    fn below(parent: PathBuf, limits: Vec<GroupLimit>, is_alone: bool) -> Result<Self, PrivilegesError> {
        let offered = fs::read_to_string(parent.join("cgroup.controllers")).unwrap_or_default();
        let has = |controller| offered.split_whitespace().any(|name| name == controller);
        if let Some(limit) = limits.iter().find(|limit| !has(limit.controller)) {
            let what = format!(
                "the control group {parent:?} has no {} controller of version 2: version 1 has it, or it is not handed down; {HINT}",
                limit.controller
            );
            return Err(fault(limit.option, what));
        }
        let option = limits.first().map_or("memory-max", |limit| limit.option);
        if Path::new("/run/systemd/system").exists() && !is_delegated(&parent) {
            return Err(fault(option, format!("{parent:?} is systemd's own; {HINT}")));
        }
        let refused =
            |error: io::Error| fault(option, format!("{parent:?} cannot be divided: {error}; {HINT}"));
        // The topmost group of all may have processes beside groups.
        if parent.join("cgroup.type").exists() {
            vacate(&parent, is_alone).map_err(refused)?;
        }
        let wanted: Vec<_> = limits.iter().map(|limit| format!("+{}", limit.controller)).collect();
        fs::write(parent.join("cgroup.subtree_control"), wanted.join(" ")).map_err(refused)?;
        Ok(Self { parent, limits })
    }

    /// A new group with its limits; the file by which a process enters it.
    pub(super) fn make(&self) -> io::Result<File> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        self.sweep();
        let group = self.parent.join(format!("{}{}", prefix(), NEXT.fetch_add(1, Ordering::Relaxed)));
        let told = |what: &str, error: io::Error| {
            io::Error::new(error.kind(), format!("{}: {what}: {error}", group.display()))
        };
        fs::create_dir(&group).map_err(|error| told("a group for a worker cannot be made", error))?;
        for GroupLimit { option, file, value, .. } in &self.limits {
            fs::write(group.join(file), value).map_err(|error| told(&format!("--{option}"), error))?;
        }
        let open = OpenOptions::new().write(true).open(group.join("cgroup.procs"));
        open.map_err(|error| told("it cannot be entered", error))
    }

    /// Removes the groups of this process that are empty: the kernel removes no other.
    fn sweep(&self) {
        let prefix = prefix();
        for entry in fs::read_dir(&self.parent).into_iter().flatten().flatten() {
            if entry.file_name().as_bytes().starts_with(prefix.as_bytes()) {
                let _ = fs::remove_dir(entry.path());
            }
        }
    }
}

impl Drop for WorkerGroups {
    fn drop(&mut self) {
        self.sweep();
    }
}

fn prefix() -> String {
    format!("clustermon-worker-{}-", std::process::id())
}

fn fault(option: &'static str, what: impl Into<String>) -> PrivilegesError {
    PrivilegesError::Group { option, what: what.into() }
}

/// Whether systemd has left the group to others.
fn is_delegated(group: &Path) -> bool {
    let Ok(path) = CString::new(group.as_os_str().as_bytes()) else { return false };
    let says = |name: &&std::ffi::CStr| {
        let mut value = [0_u8; 4];
        // SAFETY: both texts end with a NUL, and no more is written than there is room.
        let len =
            unsafe { libc::getxattr(path.as_ptr(), name.as_ptr(), value.as_mut_ptr().cast(), value.len()) };
        len == 1 && value[0] == b'1'
    };
    DELEGATED.iter().any(says)
}

/// Moves the processes of the group into one below it.
fn vacate(group: &Path, is_alone: bool) -> io::Result<()> {
    let leaf = group.join(LEAF);
    match fs::create_dir(&leaf) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    for _ in 0..ROUNDS {
        let inside = fs::read_to_string(group.join("cgroup.procs"))?;
        let own = std::process::id().to_string();
        if is_alone && inside.lines().any(|pid| pid != own) {
            return Err(io::Error::other("there are processes in it that are not clustermon's"));
        }
        if inside.is_empty() {
            return Ok(());
        }
        for pid in inside.lines() {
            match fs::write(leaf.join("cgroup.procs"), pid) {
                // It has ended meanwhile.
                Err(error) if error.raw_os_error() != Some(libc::ESRCH) => return Err(error),
                _ => {}
            }
        }
    }
    Err(io::Error::from_raw_os_error(libc::EBUSY))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::privileges::confinement::Confinement;
    use crate::io::privileges::entering::Entrance;
    use std::os::unix::process::CommandExt;
    use std::process::{Child, Command, Stdio};
    use std::sync::Arc;

    /// Waits until its input ends.
    fn process(entrance: Option<Entrance>) -> Child {
        #[expect(clippy::disallowed_methods, reason = "a process to be moved about")]
        let mut command = Command::new("cat");
        // SAFETY: runs between fork and exec, where only system calls are made and nothing is allocated.
        unsafe { command.pre_exec(move || entrance.as_ref().map_or(Ok(()), Entrance::begin)) };
        command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap()
    }

    /// A group of this test's own with a controller that it offers, and whether it was offered before; none, and said, where there can be none.
    fn base() -> Option<(PathBuf, &'static str, bool)> {
        for mount in ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"] {
            let base = Path::new(mount).join(format!("clustermon-test-{}", std::process::id()));
            if !Path::new(mount).join("cgroup.controllers").exists() || fs::create_dir(&base).is_err() {
                continue;
            }
            let path = CString::new(base.as_os_str().as_bytes()).unwrap();
            // As systemd has it; where there is none nobody asks.
            // SAFETY: both texts end with a NUL, and one byte is read.
            unsafe { libc::setxattr(path.as_ptr(), DELEGATED[1].as_ptr(), c"1".as_ptr().cast(), 1, 0) };
            let offers = |name: &str| {
                let offered = fs::read_to_string(base.join("cgroup.controllers")).unwrap();
                offered.split_whitespace().any(|one| one == name)
            };
            if let Some(controller) = ["pids", "hugetlb", "memory"].into_iter().find(|name| offers(name)) {
                return Some((base, controller, true));
            }
            // Its parent hands none down, until the end of this test.
            let _ = fs::write(Path::new(mount).join("cgroup.subtree_control"), "+hugetlb");
            if offers("hugetlb") {
                return Some((base, "hugetlb", false));
            }
            fs::remove_dir(&base).unwrap();
        }
        None
    }

    #[test]
    fn processes_are_put_aside_and_groups_come_and_go() {
        // Where nobody may make groups there is nothing to be seen.
        let Some((base, controller, was_handed_down)) = base() else { return };
        let above = base.parent().unwrap().join("cgroup.subtree_control");
        let mut first = process(None);
        fs::write(base.join("cgroup.procs"), first.id().to_string()).unwrap();
        let limits = vec![GroupLimit {
            option: "memory-max",
            controller,
            file: "cgroup.max.depth",
            value: "0".to_owned(),
        }];
        let alone = WorkerGroups::below(base.clone(), limits.clone(), true).unwrap_err().to_string();
        assert!(alone.contains("not clustermon's"), "{alone}");
        let groups = WorkerGroups::below(base.clone(), limits.clone(), false).unwrap();
        let aside = fs::read_to_string(base.join(LEAF).join("cgroup.procs")).unwrap();
        assert_eq!(aside.trim(), first.id().to_string());
        assert_eq!(WorkerGroups::below(base.clone(), limits, false).unwrap(), groups, "a second time");

        let confinement = Confinement { groups: Some(Arc::new(groups)), ..Confinement::default() };
        assert!(!confinement.is_empty());
        let mut second = process(Some(confinement.entrance(0, None).unwrap()));
        let group = fs::read_to_string(format!("/proc/{}/cgroup", second.id())).unwrap();
        let group = group.lines().find_map(|line| line.strip_prefix("0::")).unwrap().to_owned();
        let group = base.parent().unwrap().join(group.trim_start_matches('/'));
        assert_eq!(fs::read_to_string(group.join("cgroup.max.depth")).unwrap().trim(), "0");
        drop(second.stdin.take());
        second.wait().unwrap();
        drop(confinement);
        assert!(!group.exists(), "it is empty");
        drop(first.stdin.take());
        first.wait().unwrap();
        fs::remove_dir(base.join(LEAF)).unwrap();
        fs::remove_dir(&base).unwrap();
        if !was_handed_down {
            fs::write(above, "-hugetlb").unwrap();
        }
    }

    #[test]
    fn a_controller_that_is_not_there_is_told() {
        let scratch = crate::io::scratch::Scratch::new();
        scratch.file("cgroup.controllers", "cpu pids\n", 0o644);
        let limit = |controller| GroupLimit {
            option: "memory-max",
            controller,
            file: "memory.max",
            value: String::new(),
        };
        let limits = vec![limit("cpu"), limit("memory")];
        let told = WorkerGroups::below(scratch.path().to_owned(), limits, false).unwrap_err().to_string();
        assert!(
            told.starts_with("--memory-max: ")
                && told.contains("no memory controller")
                && told.contains("Delegate=yes"),
            "{told}"
        );
    }
}
