//! Epoll sets of other processes: which of them hold a socket, and whether a process has one together with its parent. It
//! reads /proc and compares; what may not be looked at is an error, never a no.

use super::procfs;
use std::fs;
use std::io;

/// What /proc calls an epoll set.
const EPOLL: &str = "anon_inode:[eventpoll]";
/// KCMP_FILE of <linux/kcmp.h>: whether two descriptors are of one open file.
const KCMP_FILE: libc::c_int = 0;

/// Whether a set in which the process has one of these sockets is its parent's as well.
pub(crate) fn is_with_parent(pid: u32, inodes: &[u64]) -> io::Result<bool> {
    let parent = procfs::parent(pid).ok_or(io::ErrorKind::NotFound)?;
    for set in holding(pid, inodes)? {
        if is_same((parent, set), (pid, set))? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The sets of a process that hold one of these sockets.
fn holding(pid: u32, inodes: &[u64]) -> io::Result<Vec<u32>> {
    let mut sets = all(pid, usize::MAX)?;
    sets.retain(|(_, text)| procfs::set_holds(text, inodes));
    Ok(sets.into_iter().map(|(number, _)| number).collect())
}

/// The epoll sets of a process that has at most so many descriptors: their numbers, and what the kernel shows of each. A descriptor that
/// is closed while this reads is none, for a busy server closes one after the other.
pub(in crate::io) fn all(pid: u32, most: usize) -> io::Result<Vec<(u32, String)>> {
    let mut sets = Vec::new();
    for (count, entry) in fs::read_dir(format!("/proc/{pid}/fd"))?.enumerate() {
        let entry = entry?;
        if count >= most {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        let is_set = || match fs::read_link(entry.path()) {
            Ok(target) => Ok(target.as_os_str() == EPOLL),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        };
        let number = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok());
        let Some(number) = number else { continue };
        if !is_set()? {
            continue;
        }
        match procfs::epoll_set(pid, number) {
            Some(text) => sets.push((number, text)),
            None if is_set()? => return Err(io::ErrorKind::PermissionDenied.into()),
            None => {}
        }
    }
    Ok(sets)
}

/// Whether these descriptors, each of a process, are of one open file.
pub(in crate::io) fn is_same((one, first): (u32, u32), (other, second): (u32, u32)) -> io::Result<bool> {
    let (first, second) = (libc::c_ulong::from(first), libc::c_ulong::from(second));
    // SAFETY: no memory is involved.
    match unsafe { libc::syscall(libc::SYS_kcmp, one, other, KCMP_FILE, first, second) } {
        0 => Ok(true),
        1.. => Ok(false),
        _ => match io::Error::last_os_error() {
            // The other has nothing there.
            error if error.raw_os_error() == Some(libc::EBADF) => Ok(false),
            error => Err(error),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::AsRawFd;

    #[test]
    fn a_set_of_ones_own_is_not_the_parents() {
        let (inside, outside) = std::os::unix::net::UnixStream::pair().unwrap();
        let epoll = mio::Poll::new().unwrap();
        let mut source = mio::unix::SourceFd(&inside.as_raw_fd());
        epoll.registry().register(&mut source, mio::Token(0), mio::Interest::READABLE).unwrap();
        let inode = |socket: &std::os::unix::net::UnixStream| nix::sys::stat::fstat(socket).unwrap().st_ino;
        let (me, set) = (std::process::id(), epoll.as_raw_fd() as u32);
        assert_eq!(holding(me, &[1, inode(&inside)]).unwrap(), [set]);
        assert!(holding(me, &[inode(&outside)]).unwrap().is_empty());
        // Some sandboxes have no kcmp; then it is not known.
        if let Ok(same) = is_same((me, set), (me, set)) {
            assert!(same);
            assert!(!is_with_parent(me, &[inode(&inside)]).unwrap_or(false));
        }
    }

    #[test]
    fn of_a_process_that_is_gone_nothing_is_known() {
        assert!(is_with_parent(u32::MAX, &[1]).is_err());
        assert!(holding(u32::MAX, &[1]).is_err());
    }
}
