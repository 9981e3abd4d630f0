//! The processes of a worker: its first process and members, their process groups and descendants, and what sockets each
//! has open. It reads /proc only.

use std::collections::{HashMap, HashSet};
use std::ffi::CString;
use std::fs::{self, File};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStringExt;

/// The processes of the machine at one moment: parent and group of each.
#[derive(Debug)]
pub(crate) struct Table(HashMap<u32, (u32, u32)>);

impl Table {
    /// Takes the picture.
    pub(crate) fn read() -> Self {
        let mut table = HashMap::new();
        for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
            let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
            let Ok(stat) = fs::read_to_string(entry.path().join("stat")) else { continue };
            // The name, in parentheses, may hold anything; what follows is: state, parent, group.
            let mut fields = stat.rsplit(')').next().unwrap_or("").split_ascii_whitespace().skip(1);
            let mut number = || fields.next().and_then(|field| field.parse().ok());
            if let (Some(parent), Some(group)) = (number(), number()) {
                table.insert(pid, (parent, group));
            }
        }
        Self(table)
    }

    /// The processes, those of the groups that they lead, and all descendants.
    pub(crate) fn family(&self, pids: &[u32]) -> HashSet<u32> {
        let mut found: HashSet<u32> = pids.iter().copied().collect();
        loop {
            let before = found.len();
            for (&pid, &(parent, group)) in &self.0 {
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

/// Calls `visit` with number and inode of each socket that the process has open, until that answers false. A process
/// that is gone has none; PermissionDenied if it hides what it has.
pub(crate) fn each_socket(pid: u32, mut visit: impl FnMut(i32, u64) -> bool) -> io::Result<()> {
    let path = format!("/proc/{pid}/fd");
    let gone = |error: io::Error| match error.kind() {
        io::ErrorKind::PermissionDenied => Err(error),
        _ => Ok(()),
    };
    let directory = match File::open(&path) {
        Ok(directory) => directory,
        Err(error) => return gone(error),
    };
    let entries = match fs::read_dir(&path) {
        Ok(entries) => entries,
        Err(error) => return gone(error),
    };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let Some(fd) = name.to_str().and_then(|name| name.parse().ok()) else { continue };
        let Ok(name) = CString::new(name.into_vec()) else { continue };
        let mut link = [0u8; 40];
        // SAFETY: the name ends in NUL, and the kernel writes at most as much as the buffer holds.
        let len = unsafe {
            libc::readlinkat(directory.as_raw_fd(), name.as_ptr(), link.as_mut_ptr().cast(), link.len())
        };
        let link = usize::try_from(len).ok().and_then(|len| link.get(..len));
        if let Some(inode) = link.and_then(socket_inode)
            && !visit(fd, inode)
        {
            break;
        }
    }
    Ok(())
}

/// `socket:[7]` is 7.
fn socket_inode(link: &[u8]) -> Option<u64> {
    std::str::from_utf8(link).ok()?.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::AsFd;
    use std::os::unix::net::UnixDatagram;

    #[test]
    fn finds_a_socket_of_this_process() {
        let (a, _b) = UnixDatagram::pair().unwrap();
        let inode = nix::sys::stat::fstat(a.as_fd()).unwrap().st_ino;
        let mut found = Vec::new();
        each_socket(std::process::id(), |fd, its| {
            found.extend((its == inode).then_some(fd));
            true
        })
        .unwrap();
        assert_eq!(found, [a.as_raw_fd()]);
        let mut count = 0;
        each_socket(std::process::id(), |_, _| {
            count += 1;
            false
        })
        .unwrap();
        assert_eq!(count, 1);
    }

    #[test]
    fn a_process_that_is_gone_has_none() {
        each_socket(u32::MAX, |_, _| panic!("it has a socket")).unwrap();
    }

    #[test]
    fn a_family_is_a_tree_and_its_groups() {
        // Pid: parent, group. 9 was forked in the group of 5 and lost its parent.
        let table =
            HashMap::from([(5, (1, 5)), (6, (5, 5)), (7, (6, 7)), (9, (1, 5)), (8, (1, 8)), (1, (0, 1))]);
        let table = Table(table);
        assert_eq!(table.family(&[5]), HashSet::from([5, 6, 7, 9]));
        assert_eq!(table.family(&[7]), HashSet::from([7]));
        assert_eq!(table.family(&[]), HashSet::new());
    }
}
