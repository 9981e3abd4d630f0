//! How the waits of a process tell of a lane: for as long as something is in it, or once for each thing that comes. It is read from
//! /proc. What cannot be read, or is too much to read on the way, is not known to be the former.

use super::proc::epoll_set;
use std::fs;

/// Descriptors that are looked at; a process that has more has begun to serve long before.
const MOST: usize = 512;
/// EPOLLET and EPOLLONESHOT, as the kernel shows them.
const ONCE: u32 = 1 << 31 | 1 << 30;

/// Whether a wait on that epoll set tells of the socket for as long as it is readable: it is in the set without EPOLLET, and the
/// set is in no other, which might tell of it otherwise.
pub(crate) fn is_level(pid: u32, set: u32, inode: u64) -> bool {
    let Ok(entries) = fs::read_dir(format!("/proc/{pid}/fd")) else { return false };
    let mut is_level = false;
    for (count, entry) in entries.enumerate() {
        let Ok(entry) = entry else { return false };
        if count >= MOST {
            return false;
        }
        if fs::read_link(entry.path()).is_ok_and(|target| target.as_os_str() != "anon_inode:[eventpoll]") {
            continue;
        }
        let number = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok());
        let Some((number, text)) = number.and_then(|number| Some((number, epoll_set(pid, number)?))) else {
            return false;
        };
        if number == set {
            is_level = tells_of(&text, inode);
        } else if text.lines().any(|line| field(line, "tfd:", 10) == Some(u64::from(set))) {
            return false;
        }
    }
    is_level
}

/// The set holds the socket, and nowhere for one event only.
fn tells_of(text: &str, inode: u64) -> bool {
    let mut own = text.lines().filter(|line| field(line, "ino:", 16) == Some(inode)).peekable();
    let is_level = |line: &str| field(line, "events:", 16).is_some_and(|events| events as u32 & ONCE == 0);
    own.peek().is_some() && own.all(is_level)
}

/// The number behind a word of a line such as `tfd:  8 events:  1d data:  8  pos:0 ino:61 sdev:9`; the word may end at it.
fn field(line: &str, word: &str, radix: u32) -> Option<u64> {
    let (_, rest) = line.split_once(word)?;
    u64::from_str_radix(rest.split_whitespace().next()?, radix).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags};
    use nix::sys::stat::fstat;
    use std::net::TcpListener;
    use std::os::fd::AsRawFd;

    #[test]
    fn level_edge_and_nested_are_told_apart() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let inode = fstat(&listener).unwrap().st_ino;
        let set = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC).unwrap();
        let number = set.0.as_raw_fd() as u32;
        let look = || is_level(std::process::id(), number, inode);
        assert!(!look(), "it is not in it");
        let (level, edge) = (EpollFlags::EPOLLIN, EpollFlags::EPOLLIN | EpollFlags::EPOLLET);
        for (flags, expected) in [(level, true), (edge, false), (level | EpollFlags::EPOLLONESHOT, false)] {
            set.add(&listener, EpollEvent::new(flags, 1)).unwrap();
            assert_eq!(look(), expected, "{flags:?}");
            set.delete(&listener).unwrap();
        }
        set.add(&listener, EpollEvent::new(level, 1)).unwrap();
        let outer = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC).unwrap();
        outer.add(&set.0, EpollEvent::new(edge, 1)).unwrap();
        assert!(!look(), "the outer one may not tell again");
    }
}
