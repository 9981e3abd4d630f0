//! Addresses of socket files: paths that are too long for one are reached through an open directory.

use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::sys::socket::UnixAddr;
use nix::sys::socket::{
    AddressFamily, SockFlag, SockType, connect as connect_raw, getsockopt, setsockopt, socket, sockopt,
};
use nix::sys::stat::Mode;
use nix::sys::time::{TimeVal, TimeValLike};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The address of a file in that directory. It is good for as long as the directory is open.
pub(super) fn of(directory: BorrowedFd<'_>, path: &Path) -> nix::Result<UnixAddr> {
    match UnixAddr::new(path) {
        Err(Errno::ENAMETOOLONG) => {
            let file = path.file_name().ok_or(Errno::EINVAL)?;
            let through = PathBuf::from(format!("/proc/self/fd/{}", directory.as_raw_fd()));
            UnixAddr::new(&through.join(file))
        }
        other => other,
    }
}

/// Connects to the socket at this path. Waits no longer than this for room in its queue, and then says WouldBlock.
pub(crate) fn connect(path: &Path, limit: Duration) -> io::Result<UnixStream> {
    let path = std::path::absolute(path)?;
    let parent = path.parent().ok_or(Errno::EISDIR)?;
    let directory = open(parent, OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC, Mode::empty())?;
    let link = socket(AddressFamily::Unix, SockType::Stream, SockFlag::SOCK_CLOEXEC, None)?;
    setsockopt(&link, sockopt::SendTimeout, &TimeVal::milliseconds(limit.as_millis() as i64))?;
    connect_raw(link.as_raw_fd(), &of(directory.as_fd(), &path)?)?;
    Ok(UnixStream::from(link))
}

/// The process that listens at the other end; `None` if it cannot be known, as from within another PID namespace.
pub(crate) fn listens(link: &UnixStream) -> Option<u32> {
    let peer = getsockopt(link, sockopt::PeerCredentials).ok()?;
    u32::try_from(peer.pid()).ok().filter(|pid| *pid > 0)
}
