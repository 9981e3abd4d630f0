//! Who belongs to whom: the processes of a worker, which are its first process and members, their process groups and descendants,
//! and the children of a process. It reads /proc only.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::io::Read;

/// What the kernel gives of a list at a time, in bytes.
const PAGE: usize = 4096;

/// The processes of the machine at one moment: parent and group of each.
#[derive(Debug)]
pub(crate) struct ProcessTree {
    processes: HashMap<u32, (u32, u32)>,
    /// Nothing was left out for want of a descriptor or of memory.
    pub(crate) is_complete: bool,
}

impl ProcessTree {
    /// Takes the picture.
    pub(crate) fn read() -> Self {
        let mut table = Self { processes: HashMap::new(), is_complete: true };
        let Ok(entries) = fs::read_dir("/proc") else { return Self { is_complete: false, ..table } };
        for entry in entries {
            let Ok(entry) = entry else {
                table.is_complete = false;
                continue;
            };
            let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
            let stat = match fs::read_to_string(entry.path().join("stat")) {
                Ok(stat) => stat,
                Err(error) => {
                    table.is_complete &= matches!(error.raw_os_error(), Some(libc::ENOENT | libc::ESRCH));
                    continue;
                }
            };
            // The name, in parentheses, may hold anything; what follows is: state, parent, group.
            let mut fields = stat.rsplit(')').next().unwrap_or("").split_ascii_whitespace().skip(1);
            let mut number = || fields.next().and_then(|field| field.parse().ok());
            if let (Some(parent), Some(group)) = (number(), number()) {
                table.processes.insert(pid, (parent, group));
            }
        }
        table
    }

    /// The processes, those of the groups that they lead, and all descendants.
    pub(crate) fn family(&self, pids: &[u32]) -> HashSet<u32> {
        let mut found: HashSet<u32> = pids.iter().copied().collect();
        loop {
            let before = found.len();
            for (&pid, &(parent, group)) in &self.processes {
                if found.contains(&parent) || pids.contains(&group) {
                    found.insert(pid);
                }
            }
            if found.len() == before {
                return found;
            }
        }
    }
}

/// Everything that is a child of this process now, zombies included; empty where the kernel does not tell.
pub(crate) fn children() -> Vec<u32> {
    children_of(std::process::id())
}

/// The same, but for those that these threads of it have started.
pub(crate) fn children_but_of(threads: &[u32]) -> Vec<u32> {
    listed(std::process::id(), threads)
}

/// The same of any process.
pub(super) fn children_of(pid: u32) -> Vec<u32> {
    listed(pid, &[])
}

fn listed(pid: u32, but_of: &[u32]) -> Vec<u32> {
    let mut found = Vec::new();
    for task in fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten() {
        let tid = task.file_name().to_str().and_then(|name| name.parse().ok());
        if tid.is_some_and(|tid: u32| but_of.contains(&tid)) {
            continue;
        }
        // By one call where they fit: between two the kernel counts anew, and leaves one out if another has ended (`children`
        // in proc_pid_children(5)).
        let mut text = String::with_capacity(PAGE);
        let _ =
            fs::File::open(task.path().join("children")).and_then(|mut file| file.read_to_string(&mut text));
        found.extend(text.split_ascii_whitespace().filter_map(|pid| pid.parse::<u32>().ok()));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_family_is_a_tree_and_its_groups() {
        // Pid: parent, group. 9 was forked in the group of 5 and lost its parent.
        let processes =
            HashMap::from([(5, (1, 5)), (6, (5, 5)), (7, (6, 7)), (9, (1, 5)), (8, (1, 8)), (1, (0, 1))]);
        let table = ProcessTree { processes, is_complete: true };
        assert_eq!(table.family(&[5]), HashSet::from([5, 6, 7, 9]));
        assert_eq!(table.family(&[7]), HashSet::from([7]));
        assert_eq!(table.family(&[]), HashSet::new());
    }
}
