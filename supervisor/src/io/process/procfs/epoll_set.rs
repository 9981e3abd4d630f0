//! What /proc shows of one epoll set of a process. It says nothing of who else has the set.

use std::fs;
use std::io::Read;

/// Bytes of the description of an epoll set: some ten thousand entries.
const LARGEST_SET: u64 = 1 << 20;

/// Whether the epoll set with this number in the process has one of these inodes in it. Of a very large set only the first
/// part is read.
pub(crate) fn epoll_holds(pid: u32, set: u32, inodes: &[u64]) -> bool {
    set_holds(&epoll_set(pid, set).unwrap_or_default(), inodes)
}

/// Whether what the kernel shows of a set names one of these inodes.
pub(crate) fn set_holds(text: &str, inodes: &[u64]) -> bool {
    text.lines().filter(|line| line.starts_with("tfd:")).any(|line| {
        let inode = line.split_whitespace().find_map(|word| word.strip_prefix("ino:"));
        inode
            .and_then(|inode| u64::from_str_radix(inode, 16).ok())
            .is_some_and(|inode| inodes.contains(&inode))
    })
}

/// What the kernel tells of an epoll set: a line for each descriptor in it, that begins with `tfd:`. Of a large one only the first.
pub(crate) fn epoll_set(pid: u32, set: u32) -> Option<String> {
    let file = fs::File::open(format!("/proc/{pid}/fdinfo/{set}")).ok()?;
    let mut text = String::new();
    file.take(LARGEST_SET).read_to_string(&mut text).ok()?;
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::AsRawFd;

    #[test]
    fn finds_a_socket_in_an_epoll_set() {
        let (inside, outside) = std::os::unix::net::UnixStream::pair().unwrap();
        let epoll = mio::Poll::new().unwrap();
        let mut source = mio::unix::SourceFd(&inside.as_raw_fd());
        epoll.registry().register(&mut source, mio::Token(0), mio::Interest::READABLE).unwrap();
        let inode = |socket: &std::os::unix::net::UnixStream| nix::sys::stat::fstat(socket).unwrap().st_ino;
        let set = epoll.as_raw_fd() as u32;
        assert!(epoll_holds(std::process::id(), set, &[1, inode(&inside)]));
        assert!(!epoll_holds(std::process::id(), set, &[1, inode(&outside)]));
        assert!(!epoll_holds(std::process::id(), u32::MAX, &[inode(&inside)]));
    }
}
