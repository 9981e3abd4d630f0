//! Puts a lane where the listening socket stood: same number, same flags, same timeouts, same epoll registrations. These are
//! read back from the kernel, because a dup2 over a registered fd leaves a ghost behind that fires for ever and can no
//! longer be removed. Where they cannot be known nothing is replaced.

use crate::kernel::abi::*;
use crate::kernel::descriptors::{self, Path};
use crate::kernel::registrations::{self, EPOLL, Registrations};
use crate::kernel::sys;
use crate::lanes::settled;
use crate::log::{Errno, tell};
use crate::sockets::owned::cookie;
use core::fmt::Write;

/// The file status flags of `fd`. To be read before the supervisor gets the socket: it shares them, and its own end
/// must not block.
pub(crate) fn flags(fd: i32) -> i32 {
    sys::fcntl(fd, F_GETFL, 0).unwrap_or(0)
}

/// Replaces `fd` by `lane`, which gets these status flags and is closed. On an error `fd` is as it was. Every copy of `fd`
/// in this process is replaced too: a program may listen by one and accept by another.
#[inline(never)]
pub(crate) fn replace(fd: i32, lane: i32, flags: i32) -> sys::Result<()> {
    copy(fd, lane, flags);
    let done = replace_all(fd, lane, flags, Unknown::Keeps);
    sys::close(lane);
    done
}

/// Replaces a lane whose other end is gone by a socket on which nothing happens, also where its registrations cannot be
/// known: a registration of the lane would fire for ever.
#[inline(never)]
pub(crate) fn replace_dead(fd: i32, inert: i32) {
    let flags = flags(fd);
    copy(fd, inert, flags);
    let _ = replace_all(fd, inert, flags, Unknown::Removes);
    sys::close(inert);
}

/// As [`replace_dead`], by a socket that other processes have too: it stays as it is, and open.
#[inline(never)]
pub(crate) fn replace_dead_by_shared(fd: i32, socket: i32) -> sys::Result<()> {
    replace_all(fd, socket, 0, Unknown::Removes)
}

/// What becomes of registrations that cannot be known.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Unknown {
    /// They stay, and so does what they are for.
    Keeps,
    Removes,
}

fn replace_all(fd: i32, lane: i32, flags: i32, unknown: Unknown) -> sys::Result<()> {
    let own = Socket::of(fd);
    let done = put(fd, lane, flags, unknown);
    if done.is_ok() {
        own.each_copy(lane, &mut |copy| {
            let _ = put(copy, lane, 0, unknown);
            settled::own(copy);
        });
    }
    done
}

/// False where it cannot be known in which epoll sets `fd` is registered: then it cannot be replaced.
#[inline(never)]
pub(crate) fn is_replaceable(fd: i32) -> bool {
    let Ok(unused) = sys::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC) else { return false };
    let known = Registrations::of(fd, unused).is_ok();
    sys::close(unused);
    known
}

/// Puts `lane` under the number of `fd`, with its FD_CLOEXEC and its registrations.
#[inline(never)]
fn put(fd: i32, lane: i32, flags: i32, unknown: Unknown) -> sys::Result<()> {
    let cloexec = sys::fcntl(fd, F_GETFD, 0)? & FD_CLOEXEC != 0;
    let mut moved = match Registrations::of(fd, lane) {
        Ok(moved) => moved,
        Err(_) if unknown == Unknown::Removes => {
            registrations::remove_all(fd);
            Registrations::none()
        }
        Err(error) => {
            tell!("descriptor {fd}: not replaced, its epoll registrations are not known: {}", Errno(error));
            return Err(error);
        }
    };
    for registration in moved.entries() {
        // One that cannot be removed is the ghost of an earlier owner of this number.
        let removed = sys::epoll_ctl(registration.epoll, EPOLL_CTL_DEL, fd, &mut registration.event);
        registration.moves = removed.is_ok();
    }
    let done = sys::dup3(lane, fd, if cloexec { O_CLOEXEC } else { 0 });
    // A signal tells the number by which it was asked for.
    if done.is_ok()
        && flags & O_ASYNC != 0
        && let Ok(now) = sys::fcntl(fd, F_GETFL, 0)
    {
        let _ = sys::fcntl(fd, F_SETFL, (now | O_ASYNC) as usize);
    }
    for registration in moved.entries().iter_mut().filter(|registration| registration.moves) {
        let _ = sys::epoll_ctl(registration.epoll, EPOLL_CTL_ADD, fd, &mut registration.event);
    }
    match done {
        Ok(()) => {
            tell!("descriptor {fd}: replaced, with {} registrations in epoll sets", moved.entries().len())
        }
        Err(error) => tell!("descriptor {fd}: cannot be replaced: {}", Errno(error)),
    }
    done
}

/// Whether an epoll set in which a descriptor is registered is the parent's as well.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Watched {
    /// There is none, or it is this process's alone.
    Alone,
    WithParent,
    /// The parent may not be looked at: it is another user's.
    Unknown,
    /// In which sets it is registered cannot be read: nothing can be put in its place.
    Unreadable,
}

impl Watched {
    fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::WithParent, _) | (_, Self::WithParent) => Self::WithParent,
            (Self::Unreadable, _) | (_, Self::Unreadable) => Self::Unreadable,
            (Self::Unknown, _) | (_, Self::Unknown) => Self::Unknown,
            (Self::Alone, Self::Alone) => Self::Alone,
        }
    }
}

/// The same of all the sets in which `fd` or a copy of it is registered.
#[inline(never)]
pub(crate) fn is_watched_with_parent(fd: i32) -> Watched {
    let Ok(unused) = sys::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC) else { return Watched::Unreadable };
    let watched = |fd: i32| match Registrations::of(fd, unused) {
        Ok(mut found) => {
            let sets = found.entries().iter().map(|registration| is_parents(registration.epoll));
            sets.fold(Watched::Alone, Watched::and)
        }
        Err(error) => {
            tell!("descriptor {fd}: its epoll registrations are not known: {}", Errno(error));
            Watched::Unreadable
        }
    };
    let mut known = watched(fd);
    Socket::of(fd).each_copy(unused, &mut |copy| known = known.and(watched(copy)));
    sys::close(unused);
    known
}

/// Whether the parent has the same set under the same number.
fn is_parents(epoll: i32) -> Watched {
    let parent = sys::getppid();
    match sys::same_file(parent, epoll) {
        Ok(true) => Watched::WithParent,
        Ok(false) => Watched::Alone,
        Err(EBADF) => unless_it_hides(parent),
        // Not allowed, or not built into the kernel: then it is none if it is not even of the kind.
        Err(_) => {
            let mut path = Path::empty();
            let mut target = [0; 32];
            let written = write!(path, "/proc/{parent}/fd/{epoll}");
            match written.map(|()| sys::readlinkat(AT_FDCWD, path.as_c_str(), &mut target)) {
                Ok(Ok(len)) if &target[..len] != EPOLL => Watched::Alone,
                Ok(Err(ENOENT)) => unless_it_hides(parent),
                Ok(Ok(_) | Err(_)) | Err(_) => Watched::Unknown,
            }
        }
    }
}

/// The parent has no such descriptor, unless it shows none at all.
fn unless_it_hides(parent: u32) -> Watched {
    if has_no_descriptors(parent) { Watched::Unknown } else { Watched::Alone }
}

/// True where the process seems to have no descriptor at all because its first thread has ended: what the other threads
/// have open is not seen by its number.
fn has_no_descriptors(pid: u32) -> bool {
    let mut path = Path::empty();
    let mut text = [0; 64];
    let opened = write!(path, "/proc/{pid}/stat").map_err(|_| EINVAL);
    let Ok(stat) = opened.and_then(|()| sys::open(path.as_c_str(), O_CLOEXEC)) else { return true };
    let read = sys::read(stat, &mut text);
    sys::close(stat);
    // The state follows the name, which is at most 15 bytes long, in parentheses, and may hold anything.
    let Some(text) = read.ok().and_then(|len| text.get(..len)) else { return true };
    let end = text.iter().rposition(|byte| *byte == b')');
    end.and_then(|end| text.get(end + 2)).is_none_or(|state| b"ZX".contains(state))
}

/// An open socket, by what tells its descriptors from others: what /proc calls it, or the kernel's number for it.
struct Socket {
    fd: i32,
    target: [u8; 32],
    len: usize,
    cookie: Option<u64>,
}

impl Socket {
    fn of(fd: i32) -> Self {
        let mut target = [0; 32];
        let len = descriptors::target(fd, &mut target).unwrap_or(0);
        Self { fd, target, len, cookie: cookie(fd) }
    }

    /// Calls `visit` with each other descriptor of this process for the same socket; `held` is one that is open.
    #[inline(never)]
    fn each_copy(&self, held: i32, visit: &mut dyn FnMut(i32)) {
        let own = &self.target[..self.len];
        let mut seen = |number: i32, target: &[u8]| {
            if target == own && number != self.fd {
                visit(number);
            }
            Ok(())
        };
        if self.len > 0 && descriptors::each(held, &mut seen).is_ok() {
            return;
        }
        let Some(own) = self.cookie else { return };
        let _ = descriptors::each_number(&mut |number| {
            if number != self.fd && cookie(number) == Some(own) {
                visit(number);
            }
            Ok(())
        });
    }
}

fn copy(from: i32, to: i32, flags: i32) {
    if let Ok(owner @ 1..) = sys::fcntl(from, F_GETOWN, 0) {
        let _ = sys::fcntl(to, F_SETOWN, owner as usize);
    }
    if let Ok(signal @ 1..) = sys::fcntl(from, F_GETSIG, 0) {
        let _ = sys::fcntl(to, F_SETSIG, signal as usize);
    }
    let _ = sys::fcntl(to, F_SETFL, (flags & O_NONBLOCK) as usize);
    for option in [SO_RCVTIMEO, SO_SNDTIMEO] {
        let mut time = [0; 16];
        if sys::getsockopt(from, SOL_SOCKET, option, &mut time) == Ok(time.len()) {
            let _ = sys::setsockopt(to, SOL_SOCKET, option, &time);
        }
    }
}
