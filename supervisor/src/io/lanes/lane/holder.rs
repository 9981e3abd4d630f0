//! Where the worker end of a lane is: the process, and the number of its descriptor. It reads /proc and holds nothing.

use super::Lane;
use crate::io::process::descriptor_table;
use std::io;

/// Where the worker end was put.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Holder {
    pub(crate) pid: u32,
    pub(crate) fd: i32,
}

/// False if the process is known not to have the socket under this number. What cannot be read is not taken for nothing.
pub(crate) fn is_at(place: Holder, inode: u64) -> bool {
    let found = descriptor_table::is_socket_at(place.pid, place.fd, inode);
    found.unwrap_or_else(|error| error.kind() != io::ErrorKind::NotFound)
}

impl Lane {
    /// Whether another process has it under the same number: it was forked from the one that listened. `None` if that cannot
    /// be seen.
    pub(crate) fn is_inherited_by(&self, pid: u32) -> Option<bool> {
        match descriptor_table::is_socket_at(pid, self.holder.fd, self.inode) {
            Ok(found) => Some(found),
            Err(error) => (error.kind() == io::ErrorKind::NotFound).then_some(false),
        }
    }
}
