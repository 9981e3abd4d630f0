//! In which epoll sets of this process a descriptor is registered, and how: read back from the kernel, as many as there are.
//! Where that cannot be found out it is an error: 'not known' is never 'none'.

use crate::kernel::abi::*;
use crate::kernel::descriptors::{self, Path};
use crate::kernel::memory::Memory;
use crate::kernel::sys;
use core::fmt::Write;

/// What /proc calls an epoll set.
pub(crate) const EPOLL: &[u8] = b"anon_inode:[eventpoll]";
/// How often it is looked again because another thread has added some meanwhile.
const LOOKS: u32 = 8;

/// One of them.
#[derive(Clone, Copy)]
pub(crate) struct Registration {
    pub epoll: i32,
    pub event: EpollEvent,
    /// It has been removed and is to be added again.
    pub moves: bool,
}

/// All of them, in memory of their own: a stack may be small, and there may be thousands.
pub(crate) struct Registrations {
    memory: Option<Memory>,
    room: usize,
    count: usize,
}

impl Registrations {
    /// Finds them. `unused` is a descriptor of another open file that is in no epoll set; it serves to tell what an epoll
    /// set is where /proc does not.
    pub(crate) fn of(fd: i32, unused: i32) -> sys::Result<Self> {
        let mut found = Self::none();
        for _ in 0..LOOKS {
            match found.read(fd) {
                // More than there was room for are counted and not kept.
                Ok(()) if found.count > found.room => found = Self::with_room(found.count + found.count / 4)?,
                Ok(()) => return Ok(found),
                Err(_) => return are_none(fd, unused).map(|()| Self::none()),
            }
        }
        Err(EAGAIN)
    }

    pub(crate) fn none() -> Self {
        Self { memory: None, room: 0, count: 0 }
    }

    fn with_room(room: usize) -> sys::Result<Self> {
        let memory = Memory::map(room * size_of::<Registration>())?;
        Ok(Self { memory: Some(memory), room, count: 0 })
    }

    pub(crate) fn entries(&mut self) -> &mut [Registration] {
        let Some(memory) = &self.memory else { return &mut [] };
        // SAFETY: the mapping is aligned to a page, holds `room` of them, and its first `count` were written by `push`.
        unsafe { core::slice::from_raw_parts_mut(memory.at().cast(), self.count.min(self.room)) }
    }

    fn push(&mut self, registration: Registration) {
        if let Some(memory) = self.memory.as_ref().filter(|_| self.count < self.room) {
            // SAFETY: there is room for it in the mapping, which is aligned to a page.
            unsafe { memory.at().cast::<Registration>().add(self.count).write(registration) };
        }
        self.count += 1;
    }

    fn read(&mut self, fd: i32) -> sys::Result<()> {
        descriptors::each(fd, &mut |number, target| {
            if target == EPOLL { self.read_set(number, fd) } else { Ok(()) }
        })
    }

    fn read_set(&mut self, epoll: i32, fd: i32) -> sys::Result<()> {
        let mut path = Path::empty();
        write!(path, "/proc/thread-self/fdinfo/{epoll}").map_err(|_| EINVAL)?;
        let info = match sys::open(path.as_c_str(), O_CLOEXEC) {
            Ok(info) => info,
            // Another thread has closed the set.
            Err(ENOENT) => return Ok(()),
            Err(error) => return Err(error),
        };
        let done = self.read_lines(info, epoll, fd);
        sys::close(info);
        done
    }

    fn read_lines(&mut self, info: i32, epoll: i32, fd: i32) -> sys::Result<()> {
        let mut buffer = [0; 512];
        let mut filled = 0;
        loop {
            let count = sys::read(info, &mut buffer[filled..])?;
            if count == 0 {
                return Ok(());
            }
            filled += count;
            let mut start = 0;
            while let Some(len) = buffer[start..filled].iter().position(|&b| b == b'\n') {
                if let Some(event) = parse(&buffer[start..start + len], fd) {
                    self.push(Registration { epoll, event, moves: false });
                }
                start += len + 1;
            }
            buffer.copy_within(start..filled, 0);
            filled -= start;
            if filled == buffer.len() {
                return Err(EINVAL);
            }
        }
    }
}

/// Whether a wait on that epoll set may tell of the open file of `fd`: by any of its descriptors, or by another set that is
/// in it. An error where that cannot be read.
#[inline(never)]
pub(crate) fn may_tell_of(set: i32, fd: i32) -> sys::Result<bool> {
    let mut own = [0; 32];
    let len = descriptors::target(fd, &mut own)?;
    let mut found = Registrations::none();
    descriptors::each(fd, &mut |number, target| {
        let may_tell = target == &own[..len] || target == EPOLL && number != set;
        if may_tell { found.read_set(set, number) } else { Ok(()) }
    })?;
    Ok(found.count > 0)
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

/// Without /proc: `Ok` if `fd` is in no epoll set, an error if it is in one, or if that is not known. What it is registered
/// for cannot be found out this way.
fn are_none(fd: i32, unused: i32) -> sys::Result<()> {
    descriptors::each_number(&mut |number| {
        // The kernel says ENOENT of an epoll set only. It says EPERM where `unused` cannot be polled.
        match sys::epoll_ctl(number, EPOLL_CTL_DEL, unused, &mut EpollEvent { events: 0, data: 0 }) {
            Err(ENOENT) if sys::is_in_epoll(number, fd)? => Err(EEXIST),
            Err(ENOENT | EBADF | EINVAL) => Ok(()),
            Ok(()) => Err(EEXIST),
            Err(error) => Err(error),
        }
    })
}

/// Removes `fd` from every epoll set of this process, without looking what it was registered for.
pub(crate) fn remove_all(fd: i32) {
    let _ = descriptors::each_number(&mut |number| {
        let _ = sys::epoll_ctl(number, EPOLL_CTL_DEL, fd, &mut EpollEvent { events: 0, data: 0 });
        Ok(())
    });
}
