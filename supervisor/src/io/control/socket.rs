//! The listening socket of a cluster and its file: opened in place of one that a dead supervisor left, never in place of
//! a live one's, and removed at the end if it is still the same, with its directory where that is empty and was made for
//! such sockets. Accepts nobody.

use super::address;
use super::place::{ControlError, Holder, Place, Tried};
use crate::io::control::runtime_dir::{self, Home, Purpose};
use nix::errno::Errno;
use nix::fcntl::{AtFlags, Flock, FlockArg, OFlag, open};
use nix::poll::{PollTimeout, poll};
use nix::sys::socket::sockopt::PeerCredentials;
use nix::sys::socket::{
    AddressFamily, Backlog, SockFlag, SockType, bind, connect, getsockopt, listen, socket,
};
use nix::sys::stat::{FileStat, Mode, SFlag, fchmod, fstatat};
use nix::unistd::{Uid, UnlinkatFlags, unlinkat};
use std::ffi::{OsStr, OsString};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

/// Connections that wait to be accepted.
const BACKLOG: i32 = 64;
/// Names that are tried before giving up: NAME, NAME-2 and so on.
const NAMES: u32 = 1000;
/// A lock is held for as long as it takes to open a socket; who holds it longer is ill.
const LOCK_ATTEMPTS: u32 = 200;
const LOCK_PAUSE_MS: u16 = 10;
const REMOVED: &str = "it is removed again and again";

/// The socket. Its file is removed on drop.
#[derive(Debug)]
pub(super) struct Socket {
    fd: OwnedFd,
    directory: OwnedFd,
    file: OsString,
    /// Device and inode.
    identity: (u64, u64),
    /// Absolute.
    pub(super) path: PathBuf,
    /// The name that was free, where it was opened by name.
    pub(super) name: Option<String>,
    /// The directory's path, where it is ours to remove.
    home: Option<PathBuf>,
}

/// Why it cannot be opened there.
enum Refusal {
    /// A live process, if the kernel tells which, has it.
    Taken(Option<u32>),
    /// The directory was removed after it was opened.
    Removed,
    Other(String),
}

impl Socket {
    pub(super) fn open(place: &Place) -> Result<Self, ControlError> {
        match place {
            Place::At(path) => Self::open_at(path),
            Place::Named { name, exact } => Self::open_named(name, *exact),
        }
    }

    pub(super) fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }

    fn open_at(path: &Path) -> Result<Self, ControlError> {
        let fault = |why: String| ControlError::Path { path: path.to_owned(), why };
        let path = std::path::absolute(path).map_err(|error| fault(error.to_string()))?;
        let (Some(parent), Some(file)) = (path.parent(), path.file_name()) else {
            return Err(fault("this is a directory".to_owned()));
        };
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        let directory = open(parent, flags, Mode::empty())
            .map_err(|errno| fault(format!("{parent:?}: {}", errno.desc())))?;
        open_in(directory, parent, file).map_err(|refusal| match refusal {
            Refusal::Taken(pid) => ControlError::PathTaken { path: path.clone(), pid },
            Refusal::Removed => fault(format!("{parent:?}: {REMOVED}")),
            Refusal::Other(why) => fault(why),
        })
    }

    fn open_named(name: &str, exact: bool) -> Result<Self, ControlError> {
        let uid = Uid::effective();
        let mut tried = Vec::new();
        let spares = std::iter::once_with(|| runtime_dir::spares(Purpose::Control)).flatten();
        for home in runtime_dir::homes(Purpose::Control).into_iter().chain(spares) {
            match Self::open_in_home(&home, name, exact, uid) {
                Ok(socket) => {
                    runtime_dir::tell_passed_over("control sockets", &tried, &home.path);
                    return Ok(socket);
                }
                Err(Refusal::Removed) => tried.push((home.path, REMOVED.to_owned())),
                Err(Refusal::Taken(pid)) => {
                    let path = home.path.join(format!("{name}.sock"));
                    return Err(ControlError::NameTaken { name: name.to_owned(), path, pid });
                }
                Err(Refusal::Other(why)) => tried.push((home.path, why)),
            }
        }
        Err(ControlError::Unusable(Tried(tried)))
    }

    /// A supervisor that ends at this moment may remove the directory after it is opened here: then it is made anew.
    fn open_in_home(home: &Home, name: &str, exact: bool, uid: Uid) -> Result<Self, Refusal> {
        for _ in 0..runtime_dir::ATTEMPTS {
            let directory = runtime_dir::open_or_make(home, Purpose::Control, uid).map_err(Refusal::Other)?;
            match Self::open_numbered(&directory, &home.path, name, exact) {
                Err(Refusal::Removed) => {}
                Ok(mut socket) => {
                    // Who runs the machine may have made one that was given, and expect it to stay.
                    socket.home = (!home.given).then(|| home.path.clone());
                    return Ok(socket);
                }
                Err(refusal) => return Err(refusal),
            }
        }
        Err(Refusal::Removed)
    }

    /// Under the name, or the first free one of NAME-2, NAME-3 and so on.
    fn open_numbered(directory: &OwnedFd, path: &Path, name: &str, exact: bool) -> Result<Self, Refusal> {
        let mut held_by = None;
        for number in 1..NAMES {
            let candidate = if number == 1 { name.to_owned() } else { format!("{name}-{number}") };
            let directory = directory.try_clone().map_err(|error| Refusal::Other(error.to_string()))?;
            // What is logged from here on has the name already.
            crate::io::output::log::set_name(&candidate);
            match open_in(directory, path, OsStr::new(&format!("{candidate}.sock"))) {
                Ok(mut socket) => {
                    if number > 1 {
                        let holder = Holder(held_by);
                        log::warn!(
                            "the name {name} is taken by {holder}: this cluster is called {candidate}"
                        );
                    }
                    socket.name = Some(candidate);
                    return Ok(socket);
                }
                Err(Refusal::Taken(pid)) if exact => return Err(Refusal::Taken(pid)),
                Err(Refusal::Taken(pid)) if number == 1 => held_by = pid,
                Err(Refusal::Taken(_)) => {}
                Err(other) => return Err(other),
            }
        }
        Err(Refusal::Taken(held_by))
    }
}

fn open_in(directory: OwnedFd, parent: &Path, file: &OsStr) -> Result<Socket, Refusal> {
    let path = parent.join(file);
    let other = |what: &str, errno: Errno| Refusal::Other(format!("{what}: {}", errno.desc()));
    // Between looking at what is there, removing it and listening in its place, nobody else may do the same.
    let _lock = lock(&directory)?;
    // Whoever removes it holds the lock meanwhile: from here on it stays.
    if runtime_dir::is_removed(parent, &directory) {
        return Err(Refusal::Removed);
    }
    let fd = loop {
        let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
        let fd = socket(AddressFamily::Unix, SockType::Stream, flags, None)
            .map_err(|errno| other("cannot make a socket", errno))?;
        // The file gets the socket's mode: it is never open to others, whatever the umask.
        fchmod(&fd, Mode::from_bits_truncate(0o600)).map_err(|errno| other("cannot close it", errno))?;
        let address =
            address::of(directory.as_fd(), &path).map_err(|errno| other("this is no path", errno))?;
        match bind(fd.as_raw_fd(), &address) {
            Ok(()) => break fd,
            Err(Errno::EADDRINUSE) => make_way(&directory, file, &path)?,
            Err(errno) => return Err(other("cannot open it", errno)),
        }
    };
    let backlog = Backlog::new(BACKLOG).unwrap_or(Backlog::MAXCONN);
    let status = listen(&fd, backlog).and_then(|()| look(&directory, file));
    let status = status.map_err(|errno| other("cannot listen", errno))?;
    Ok(Socket {
        fd,
        directory,
        file: file.to_owned(),
        identity: identity(&status),
        path,
        name: None,
        home: None,
    })
}

/// Whether a dead supervisor has left the socket at this path, in a directory that nobody else can write to.
pub(crate) fn is_left(path: &Path) -> bool {
    of_left(path, |_, _| true)
}

/// Removes it. True if it was there.
pub(crate) fn remove_left(path: &Path) -> bool {
    of_left(path, |directory, file| unlinkat(directory, file, UnlinkatFlags::NoRemoveDir).is_ok())
}

/// With the lock: a supervisor that is about to listen there is not dead.
fn of_left(path: &Path, then: impl FnOnce(&OwnedFd, &OsStr) -> bool) -> bool {
    let (Some(parent), Some(file)) = (path.parent(), path.file_name()) else { return false };
    let Ok(directory) = runtime_dir::open_existing(parent, Uid::effective()) else { return false };
    let Ok(_lock) = lock(&directory) else { return false };
    matches!(is_left_in(&directory, file, path), Ok(true)) && then(&directory, file)
}

/// Removes what a dead supervisor left; an error if it is anything else.
fn make_way(directory: &OwnedFd, file: &OsStr, path: &Path) -> Result<(), Refusal> {
    if !is_left_in(directory, file, path)? {
        return Ok(());
    }
    match unlinkat(directory, file, UnlinkatFlags::NoRemoveDir) {
        Ok(()) | Err(Errno::ENOENT) => {
            log::info!("replaced {path:?}, left by a supervisor that is gone");
            Ok(())
        }
        Err(errno) => {
            Err(Refusal::Other(format!("cannot remove what a dead supervisor left there: {}", errno.desc())))
        }
    }
}

/// A dead supervisor's socket is there; false if nothing is, and an error if it is anything else.
fn is_left_in(directory: &OwnedFd, file: &OsStr, path: &Path) -> Result<bool, Refusal> {
    let other = |what: &str, errno: Errno| Refusal::Other(format!("{what}: {}", errno.desc()));
    let status = match look(directory, file) {
        Ok(status) => status,
        Err(Errno::ENOENT) => return Ok(false),
        Err(errno) => return Err(other("cannot look at it", errno)),
    };
    if SFlag::from_bits_truncate(status.st_mode & SFlag::S_IFMT.bits()) != SFlag::S_IFSOCK {
        return Err(Refusal::Other("there is a file of that name, which is no socket".to_owned()));
    }
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let probe = socket(AddressFamily::Unix, SockType::Stream, flags, None)
        .map_err(|errno| other("cannot make a socket", errno))?;
    let address = address::of(directory.as_fd(), path).map_err(|errno| other("this is no path", errno))?;
    match connect(probe.as_raw_fd(), &address) {
        Err(Errno::ECONNREFUSED) => Ok(true),
        Err(Errno::ENOENT) => Ok(false),
        Ok(()) => {
            let pid = getsockopt(&probe, PeerCredentials).ok().map(|peer| peer.pid().unsigned_abs());
            Err(Refusal::Taken(pid))
        }
        // Its queue is full, or it is a socket of another kind.
        Err(Errno::EAGAIN | Errno::EPROTOTYPE) => Err(Refusal::Taken(None)),
        Err(errno) => Err(other("cannot look who has it", errno)),
    }
}

/// The directory's lock, which dies with its holder.
fn lock(directory: &OwnedFd) -> Result<Flock<OwnedFd>, Refusal> {
    let mut copy = directory.try_clone().map_err(|error| Refusal::Other(error.to_string()))?;
    for _ in 0..LOCK_ATTEMPTS {
        match Flock::lock(copy, FlockArg::LockExclusiveNonblock) {
            Ok(lock) => return Ok(lock),
            Err((back, Errno::EAGAIN | Errno::EINTR)) => copy = back,
            Err((_, errno)) => return Err(Refusal::Other(format!("cannot lock the directory: {errno}"))),
        }
        // Only waits.
        let _ = poll(&mut [], PollTimeout::from(LOCK_PAUSE_MS));
    }
    Err(Refusal::Other("another process holds a lock on the directory".to_owned()))
}

fn look(directory: &OwnedFd, file: &OsStr) -> nix::Result<FileStat> {
    fstatat(directory, file, AtFlags::AT_SYMLINK_NOFOLLOW)
}

fn identity(status: &FileStat) -> (u64, u64) {
    (status.st_dev, status.st_ino)
}

impl Drop for Socket {
    fn drop(&mut self) {
        // Without the lock somebody might put another in its place in between; late is better than never.
        let lock = lock(&self.directory);
        if look(&self.directory, &self.file).is_ok_and(|status| identity(&status) == self.identity) {
            // The next supervisor of that name replaces what is left.
            let _ = unlinkat(&self.directory, self.file.as_os_str(), UnlinkatFlags::NoRemoveDir);
        }
        if let (Ok(_), Some(home)) = (&lock, &self.home) {
            runtime_dir::remove_if_empty(home, &self.directory);
        }
    }
}

#[cfg(test)]
mod tests;
