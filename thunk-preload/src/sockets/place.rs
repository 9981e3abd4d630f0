//! Where a unix socket lies: absolute path, device and inode. It reads the file system and changes nothing in it.

use crate::kernel::abi::{AT_FDCWD, Statx};
use crate::kernel::sys;
use crate::supervisor::settings::Settings;
use clustermon_protocol::address::Address;
use clustermon_protocol::message::{MAX_PLACE, Place};
use core::ffi::{CStr, c_char};

/// A place with room for its path.
pub(crate) struct Found {
    path: [u8; MAX_PLACE],
    len: usize,
    device: u64,
    inode: u64,
    /// When the file was made or last changed hands, in seconds since the epoch; 0 if there is none.
    pub changed: i64,
}

impl Found {
    /// Looks for the file of a unix address; empty for an abstract name or an internet address.
    pub(crate) fn of(address: &Address) -> Self {
        let mut found = Self { path: [0; MAX_PLACE], len: 0, device: 0, inode: 0, changed: 0 };
        let Some(path) = address.path() else { return found };
        let mut text = [0; 112];
        text[..path.len()].copy_from_slice(path);
        let Ok(text) = CStr::from_bytes_until_nul(&text) else { return found };
        if let Some(status) = status(AT_FDCWD, text.as_ptr()) {
            found.device = status.device();
            found.inode = status.inode;
            found.changed = status.ctime_seconds;
        }
        found.len = found.join(path).unwrap_or(0);
        found
    }

    /// As it travels.
    pub(crate) fn place(&self) -> Place<'_> {
        Place { path: &self.path[..self.len], device: self.device, inode: self.inode }
    }

    fn join(&mut self, path: &[u8]) -> Option<usize> {
        let mut at = 0;
        if path.first() != Some(&b'/') {
            at = sys::getcwd(&mut self.path).ok()?;
            *self.path.get_mut(at)? = b'/';
            at += 1;
        }
        self.path.get_mut(at..at + path.len())?.copy_from_slice(path);
        Some(at + path.len())
    }
}

/// The status of a file if it is a socket; a last symbolic link is not followed.
pub(crate) fn status(dir: i32, path: *const c_char) -> Option<Statx> {
    let mut status = Statx::empty();
    // SAFETY: a C string of ours, or the program's own pointer, which the kernel checks.
    unsafe { sys::statx(dir, path, &mut status) }.ok()?;
    status.is_socket().then_some(status)
}

/// Whether the rules share the address, by the place where its file lies if it has one.
#[inline(never)]
pub(crate) fn is_shared(settings: &Settings, address: &Address) -> bool {
    settings.shares(address, Found::of(address).place().path)
}
