//! Puts a lane where the listening socket stood: same number, same flags, same timeouts, same epoll registrations. The
//! registrations are read back from the kernel, because a dup2 over a registered fd leaves a ghost behind that fires for
//! ever and can no longer be removed.

use crate::abi::*;
use crate::log::{Errno, tell};
use crate::{adopt, sys};
use core::ffi::CStr;
use core::fmt::Write;

/// Most registrations of one listener that are carried over.
const MAX_REGISTRATIONS: usize = 16;
/// What /proc calls an epoll set.
const EPOLL: &[u8] = b"anon_inode:[eventpoll]";

/// Most further descriptors of the same socket that the lane is put under.
const MAX_COPIES: usize = 16;

struct Registration {
    epoll: i32,
    event: EpollEvent,
    moves: bool,
}

struct Registrations {
    entries: [Registration; MAX_REGISTRATIONS],
    count: usize,
}

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
    let copies = copies(fd);
    let done = put(fd, lane, flags);
    if done.is_ok() {
        for copy in &copies.numbers[..copies.count] {
            let _ = put(*copy, lane, 0);
            adopt::own(*copy);
        }
    }
    sys::close(lane);
    done
}

/// Puts `lane` under the number of `fd`, with its FD_CLOEXEC and its registrations.
#[inline(never)]
fn put(fd: i32, lane: i32, flags: i32) -> sys::Result<()> {
    let cloexec = sys::fcntl(fd, F_GETFD, 0)? & FD_CLOEXEC != 0;
    let mut moved = registrations(fd);
    for registration in &mut moved.entries[..moved.count] {
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
    for registration in moved.entries[..moved.count].iter_mut().filter(|registration| registration.moves) {
        let _ = sys::epoll_ctl(registration.epoll, EPOLL_CTL_ADD, fd, &mut registration.event);
    }
    match done {
        Ok(()) => tell!("descriptor {fd}: replaced, with {} registrations in epoll sets", moved.count),
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
}

impl Watched {
    fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::WithParent, _) | (_, Self::WithParent) => Self::WithParent,
            (Self::Unknown, _) | (_, Self::Unknown) => Self::Unknown,
            (Self::Alone, Self::Alone) => Self::Alone,
        }
    }
}

/// The same of all the sets in which `fd` or a copy of it is registered.
#[inline(never)]
pub(crate) fn is_watched_with_parent(fd: i32) -> Watched {
    let copies = copies(fd);
    let watched = |fd: i32| {
        let found = registrations(fd);
        let sets = found.entries[..found.count].iter().map(|registration| is_parents(registration.epoll));
        sets.fold(Watched::Alone, Watched::and)
    };
    copies.numbers[..copies.count].iter().fold(watched(fd), |known, copy| known.and(watched(*copy)))
}

/// Whether the parent has the same set under the same number.
fn is_parents(epoll: i32) -> Watched {
    let parent = sys::getppid();
    match sys::same_file(parent, epoll) {
        Ok(true) => Watched::WithParent,
        Ok(false) | Err(EBADF) => Watched::Alone,
        // Not allowed, or not built into the kernel: then it is none if it is not even of the kind.
        Err(_) => {
            let mut path = Path::default();
            let mut target = [0; 32];
            let written = write!(path, "/proc/{parent}/fd/{epoll}");
            match written.map(|()| sys::readlinkat(AT_FDCWD, path.as_c_str(), &mut target)) {
                Ok(Ok(len)) if &target[..len] != EPOLL => Watched::Alone,
                Ok(Err(ENOENT)) => Watched::Alone,
                Ok(Ok(_) | Err(_)) | Err(_) => Watched::Unknown,
            }
        }
    }
}

struct Copies {
    numbers: [i32; MAX_COPIES],
    count: usize,
}

/// The other descriptors of this process for the same socket.
#[inline(never)]
fn copies(fd: i32) -> Copies {
    let mut found = Copies { numbers: [-1; MAX_COPIES], count: 0 };
    let mut path = Path::default();
    let mut own = [0; 32];
    if write!(path, "/proc/self/fd/{fd}").is_err() {
        return found;
    }
    // Its target names the socket by its inode.
    let Ok(len @ 1..) = sys::readlinkat(AT_FDCWD, path.as_c_str(), &mut own) else { return found };
    each_descriptor(&mut |number, target| {
        if target == &own[..len] && number != fd && found.count < MAX_COPIES {
            found.numbers[found.count] = number;
            found.count += 1;
        }
    });
    found
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

/// Every epoll instance of this process in which `fd` is registered.
#[inline(never)]
fn registrations(fd: i32) -> Registrations {
    const NONE: Registration =
        Registration { epoll: -1, event: EpollEvent { events: 0, data: 0 }, moves: false };
    let mut found = Registrations { entries: [NONE; MAX_REGISTRATIONS], count: 0 };
    each_descriptor(&mut |number, target| {
        if target == EPOLL {
            look(number, fd, &mut found);
        }
    });
    found
}

/// Calls `visit` with each open descriptor of this process and the target of its link in /proc.
fn each_descriptor(visit: &mut dyn FnMut(i32, &[u8])) {
    const O_DIRECTORY: i32 = if cfg!(target_arch = "aarch64") { 0o40000 } else { 0o200000 };
    let Ok(dir) = sys::open(c"/proc/self/fd", O_CLOEXEC | O_DIRECTORY) else { return };
    let mut buffer = Entries([0; 1024]);
    while let Ok(filled @ 1..) = sys::getdents(dir, &mut buffer.0) {
        let mut rest = &buffer.0[..filled];
        // struct linux_dirent64: inode 8, offset 8, length 2, type 1, name.
        while rest.len() > 19 {
            let len = usize::from(u16::from_ne_bytes([rest[16], rest[17]]));
            if len < 20 || len > rest.len() {
                break;
            }
            let mut target = [0; 32];
            if let Ok(name) = CStr::from_bytes_until_nul(&rest[19..len])
                && let Some(number) = name.to_str().ok().and_then(|text| text.parse().ok())
                && let Ok(len) = sys::readlinkat(dir, name, &mut target)
            {
                visit(number, &target[..len]);
            }
            rest = &rest[len..];
        }
    }
    sys::close(dir);
}

#[repr(align(8))]
struct Entries([u8; 1024]);

fn look(epoll: i32, fd: i32, found: &mut Registrations) {
    let mut path = Path::default();
    if write!(path, "/proc/self/fdinfo/{epoll}").is_err() {
        return;
    }
    let Ok(info) = sys::open(path.as_c_str(), O_CLOEXEC) else { return };
    let mut buffer = [0; 512];
    let mut filled = 0;
    while let Ok(count @ 1..) = sys::read(info, &mut buffer[filled..]) {
        filled += count;
        let mut start = 0;
        while let Some(len) = buffer[start..filled].iter().position(|&b| b == b'\n') {
            if let Some(event) = parse(&buffer[start..start + len], fd)
                && found.count < MAX_REGISTRATIONS
            {
                found.entries[found.count] = Registration { epoll, event, moves: false };
                found.count += 1;
            }
            start += len + 1;
        }
        buffer.copy_within(start..filled, 0);
        filled -= start;
        if filled == buffer.len() {
            break;
        }
    }
    sys::close(info);
}

/// `tfd:        8 events:       1d data:  8  pos:0 ino:61 sdev:9`: number decimal, events and data hexadecimal.
fn parse(line: &[u8], fd: i32) -> Option<EpollEvent> {
    let mut words = core::str::from_utf8(line).ok()?.split_ascii_whitespace();
    let mut field = |name: &str| (words.next()? == name).then(|| words.next())?;
    if field("tfd:")?.parse() != Ok(fd) {
        return None;
    }
    let events = u32::from_str_radix(field("events:")?, 16).ok()?;
    let data = u64::from_str_radix(field("data:")?, 16).ok()?;
    Some(EpollEvent { events, data })
}

#[derive(Default)]
struct Path {
    text: [u8; 32],
    len: usize,
}

impl Path {
    fn as_c_str(&self) -> &CStr {
        CStr::from_bytes_until_nul(&self.text).unwrap_or(c"")
    }
}

impl Write for Path {
    fn write_str(&mut self, part: &str) -> core::fmt::Result {
        // One byte is kept for the NUL.
        let end = self.len + part.len();
        if end >= self.text.len() {
            return Err(core::fmt::Error);
        }
        self.text[self.len..end].copy_from_slice(part.as_bytes());
        self.len = end;
        Ok(())
    }
}
