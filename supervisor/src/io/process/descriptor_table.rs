//! The descriptor table of a process, as /proc shows it. A table that cannot be read is never taken for an empty one: not
//! that of a process which hides it, nor that of one which is about to end. It changes nothing.

use super::procfs::{Fields, tasks};
use crate::io::kernel::pidfd;
use std::ffi::CString;
use std::fs::{self, File};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStringExt;

/// What a table that was read is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reading {
    /// Everything was seen, or the visitor had seen enough.
    Complete,
    /// The process is about to end. The kernel takes its table away before anybody can see that it has ended, so what was
    /// not seen may have been open until now.
    Ending,
    /// The process has ended: it has nothing open.
    Ended,
}

/// How far a thread is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Life {
    Lives,
    Ending,
    Ended,
}

/// Calls `visit` with number and inode of each socket that the process has open, until that answers false. An error means
/// that the table cannot be read: the process hides it, or the system has no descriptor for us.
pub(crate) fn each_socket(pid: u32, mut visit: impl FnMut(i32, u64) -> bool) -> io::Result<Reading> {
    let mut enough = false;
    let mut ending = false;
    for tid in Threads::of(pid) {
        let read = each_socket_in(&format!("/proc/{pid}/task/{tid}/fd"), |fd, inode| {
            enough = !visit(fd, inode);
            !enough
        });
        if enough {
            return Ok(Reading::Complete);
        }
        match read {
            Ok(()) => {}
            Err(error) if is_gone(&error) => {}
            Err(error) => return Err(error),
        }
        // Looked at after the table was read: a thread loses it only when it has begun to end.
        match life(pid, tid)? {
            Life::Lives => return Ok(Reading::Complete),
            Life::Ending => ending = true,
            Life::Ended => {}
        }
    }
    if ending {
        return Ok(Reading::Ending);
    }
    // Where /proc shows only one's own processes, others are not in it at all.
    let hidden = !fs::exists(format!("/proc/{pid}"))? && pidfd::is_there(pid);
    if hidden { Err(io::ErrorKind::PermissionDenied.into()) } else { Ok(Reading::Ended) }
}

/// Whether the process has this socket open under this number. NotFound if it has nothing there, or is about to end.
pub(crate) fn is_socket_at(pid: u32, fd: i32, inode: u64) -> io::Result<bool> {
    let mut threads = Threads::of(pid);
    loop {
        let Some(tid) = threads.next() else { return Err(io::ErrorKind::NotFound.into()) };
        match fs::read_link(format!("/proc/{pid}/task/{tid}/fd/{fd}")) {
            Ok(target) => return Ok(socket_inode(target.into_os_string().as_encoded_bytes()) == Some(inode)),
            Err(error) if !is_gone(&error) => return Err(error),
            Err(_) if life(pid, tid)? == Life::Lives => return Err(io::ErrorKind::NotFound.into()),
            Err(_) => {}
        }
    }
}

/// The threads of a process: first the main thread, and the others only if they are asked for. A main thread that has ended
/// before the others shows an empty table, while theirs is still the process's.
struct Threads {
    pid: u32,
    others: Option<std::vec::IntoIter<u32>>,
    begun: bool,
}

impl Threads {
    fn of(pid: u32) -> Self {
        Self { pid, others: None, begun: false }
    }
}

impl Iterator for Threads {
    type Item = u32;

    fn next(&mut self) -> Option<u32> {
        if !std::mem::replace(&mut self.begun, true) {
            return Some(self.pid);
        }
        let pid = self.pid;
        let others = self
            .others
            .get_or_insert_with(|| tasks(pid).filter(|tid| *tid != pid).collect::<Vec<u32>>().into_iter());
        others.next()
    }
}

/// There is no such process, thread or entry any more.
fn is_gone(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::ENOENT | libc::ESRCH))
}

fn each_socket_in(path: &str, mut visit: impl FnMut(i32, u64) -> bool) -> io::Result<()> {
    let directory = File::open(path)?;
    for entry in fs::read_dir(path)? {
        let name = entry?.file_name();
        let Some(fd) = name.to_str().and_then(|name| name.parse().ok()) else { continue };
        let Ok(name) = CString::new(name.into_vec()) else { continue };
        let mut link = [0u8; 40];
        // SAFETY: the name ends in NUL, and the kernel writes at most as much as the buffer holds.
        let len = unsafe {
            libc::readlinkat(directory.as_raw_fd(), name.as_ptr(), link.as_mut_ptr().cast(), link.len())
        };
        let Ok(len) = usize::try_from(len) else {
            let error = io::Error::last_os_error();
            if is_gone(&error) {
                continue;
            }
            return Err(error);
        };
        if let Some(inode) = link.get(..len).and_then(socket_inode)
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

fn life(pid: u32, tid: u32) -> io::Result<Life> {
    match fs::read_to_string(format!("/proc/{pid}/task/{tid}/stat")) {
        // Whatever this is, it is not known to have ended.
        Ok(stat) => Ok(life_in(&stat).unwrap_or(Life::Ending)),
        Err(error) if is_gone(&error) => Ok(Life::Ended),
        Err(error) => Err(error),
    }
}

/// From `stat` of a thread.
fn life_in(stat: &str) -> Option<Life> {
    let fields = Fields::of(stat)?;
    let (state, is_ending) = (fields.state()?, fields.is_ending()?);
    Some(match state {
        'Z' | 'X' | 'x' => Life::Ended,
        _ if is_ending => Life::Ending,
        _ => Life::Lives,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::AsFd;
    use std::os::unix::net::UnixDatagram;
    use std::process::{Command, Stdio};

    fn inode_of(socket: &UnixDatagram) -> u64 {
        nix::sys::stat::fstat(socket.as_fd()).unwrap().st_ino
    }

    #[test]
    fn finds_a_socket_of_this_process() {
        let (a, _b) = UnixDatagram::pair().unwrap();
        let (inode, me) = (inode_of(&a), std::process::id());
        let mut found = Vec::new();
        let read = each_socket(me, |fd, its| {
            found.extend((its == inode).then_some(fd));
            true
        });
        assert_eq!((read.unwrap(), found.as_slice()), (Reading::Complete, [a.as_raw_fd()].as_slice()));
        let mut count = 0;
        let read = each_socket(me, |_, _| {
            count += 1;
            false
        });
        assert_eq!((read.unwrap(), count), (Reading::Complete, 1));
        assert!(is_socket_at(me, a.as_raw_fd(), inode).unwrap());
        assert!(!is_socket_at(me, a.as_raw_fd(), inode + 1).unwrap());
        let closed = a.as_raw_fd();
        drop(a);
        // Another test may have taken the number meanwhile, for another socket or something else.
        let at = is_socket_at(me, closed, inode);
        assert!(at.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::NotFound) || !at.unwrap());
    }

    #[test]
    fn a_process_that_is_gone_or_a_zombie_has_nothing() {
        assert_eq!(each_socket(u32::MAX, |_, _| panic!("a socket")).unwrap(), Reading::Ended);
        assert!(is_socket_at(u32::MAX, 0, 1).is_err_and(|error| error.kind() == io::ErrorKind::NotFound));
        #[expect(clippy::disallowed_methods, reason = "a process that ends at once")]
        let mut child =
            Command::new("/bin/sh").args(["-c", "exec cat"]).stdin(Stdio::piped()).spawn().unwrap();
        let pid = child.id();
        drop(child.stdin.take());
        // It is a zombie until it is waited for.
        let ended = nix::sys::wait::Id::Pid(nix::unistd::Pid::from_raw(pid as i32));
        let flags = nix::sys::wait::WaitPidFlag::WEXITED | nix::sys::wait::WaitPidFlag::WNOWAIT;
        nix::sys::wait::waitid(ended, flags).unwrap();
        assert_eq!(each_socket(pid, |_, _| panic!("a socket")).unwrap(), Reading::Ended);
        child.wait().unwrap();
    }

    #[test]
    fn a_thread_that_ends_is_told_from_one_that_lives() {
        let stat = |state, flags| format!("7 (a) b) {state} 1 7 7 0 -1 {flags} 117 0");
        assert_eq!(life_in(&stat("S", 0x0040_0000)), Some(Life::Lives));
        // As the kernel showed a killed process while it closed what it had open.
        assert_eq!(life_in(&stat("R", 4_195_404)), Some(Life::Ending));
        assert_eq!(life_in(&stat("D", 4_195_404)), Some(Life::Ending));
        assert_eq!(life_in(&stat("Z", 4_227_084)), Some(Life::Ended));
        for broken in ["", "7 (a", "7 (a) S 1", "7 (a) S 1 7 7 0 -1 flags"] {
            assert_eq!(life_in(broken), None, "{broken:?}");
        }
    }
}
