//! This process's own descriptors: which numbers are open and what /proc calls them. It changes none of them. Where /proc
//! cannot be read (chroot, no descriptor left, another's mount), that is an error and never an empty list.

use crate::kernel::abi::*;
use crate::kernel::sys;
use core::ffi::CStr;
use core::fmt::Write;

/// No process has a descriptor beyond, unless it has more than a million of them open.
const NUMBERS: u64 = 1 << 20;

/// Calls `visit` with each open descriptor and the target of its link in /proc. An error if /proc does not show `fd`, which
/// the caller holds: then it is not this process that is shown there. Of a process whose first thread has ended only the
/// directory of another thread tells anything.
pub(crate) fn each(fd: i32, visit: &mut dyn FnMut(i32, &[u8]) -> sys::Result<()>) -> sys::Result<()> {
    const O_DIRECTORY: i32 = if cfg!(target_arch = "aarch64") { 0o40000 } else { 0o200000 };
    let dir = sys::open(c"/proc/thread-self/fd", O_CLOEXEC | O_DIRECTORY)?;
    let done = read(dir, fd, visit);
    sys::close(dir);
    done
}

fn read(dir: i32, fd: i32, visit: &mut dyn FnMut(i32, &[u8]) -> sys::Result<()>) -> sys::Result<()> {
    let mut buffer = Entries([0; 1024]);
    let mut is_ours = false;
    loop {
        let filled = sys::getdents(dir, &mut buffer.0)?;
        if filled == 0 {
            return if is_ours { Ok(()) } else { Err(ENOENT) };
        }
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
            {
                match sys::readlinkat(dir, name, &mut target) {
                    Ok(len) => visit(number, &target[..len])?,
                    // Another thread has closed it meanwhile.
                    Err(ENOENT) => {}
                    Err(error) => return Err(error),
                }
                is_ours |= number == fd;
            }
            rest = &rest[len..];
        }
    }
}

#[repr(align(8))]
struct Entries([u8; 1024]);

/// Calls `visit` with each number that may be an open descriptor: for where /proc cannot be read.
pub(crate) fn each_number(visit: &mut dyn FnMut(i32) -> sys::Result<()>) -> sys::Result<()> {
    // A number below the limit may have been given out before the limit was lowered; that is not known here.
    let end = sys::descriptor_limit().unwrap_or(NUMBERS).min(NUMBERS);
    (0..end as i32).try_for_each(visit)
}

/// What /proc calls the descriptor: how many bytes of `target` it fills.
pub(crate) fn target(fd: i32, target: &mut [u8; 32]) -> sys::Result<usize> {
    let mut path = Path::empty();
    write!(path, "/proc/thread-self/fd/{fd}").map_err(|_| EINVAL)?;
    sys::readlinkat(AT_FDCWD, path.as_c_str(), target)
}

/// A short path, put together by `write!`.
pub(crate) struct Path {
    text: [u8; 48],
    len: usize,
}

impl Path {
    pub(crate) const fn empty() -> Self {
        Self { text: [0; 48], len: 0 }
    }

    pub(crate) fn as_c_str(&self) -> &CStr {
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
