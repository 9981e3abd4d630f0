//! Requests of the thunk and the supervisor's replies, as plain data and as frames. Decoding never panics and accepts
//! every version from 1 on, by the rule in the crate's documentation.

mod reply;
mod request;
#[cfg(test)]
mod tests;

pub use self::reply::Reply;
pub use self::request::Request;

use crate::codec::{Reader, Writer};

const MAGIC: [u8; 4] = *b"clmR";

/// Longest frame, in bytes. Longer ones are refused by both sides.
pub const MAX_FRAME: usize = 2048;
/// Longest socket option value that is forwarded, in bytes.
pub const MAX_VALUE: usize = 512;
/// Longest place (absolute path) that is told, in bytes.
pub const MAX_PLACE: usize = 1024;

/// Names one incarnation of one worker.
pub type Token = [u8; 16];

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hello {
    /// The version of the asking side.
    pub version: u16,
    /// From [`crate::env::TOKEN`].
    pub token: Token,
    /// The process's own idea of its pid; the supervisor believes SO_PEERCRED only.
    pub pid: u32,
}

/// Where a unix socket lies in the file system.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Place<'a> {
    /// The absolute path; empty if it could not be told.
    pub path: &'a [u8],
    /// Device (major << 32 | minor) of the file; 0 with `inode` 0 if unknown.
    pub device: u64,
    /// Inode of the file.
    pub inode: u64,
}

fn write_place(out: &mut Writer<'_>, place: &Place<'_>) {
    out.u64(place.device);
    out.u64(place.inode);
    out.bytes(if place.path.len() <= MAX_PLACE { place.path } else { &[] });
}

/// Version 1 had no place: then it is the default.
fn read_place<'a>(input: &mut Reader<'a>) -> Option<Place<'a>> {
    if input.is_empty() {
        return Some(Place::default());
    }
    Some(Place { device: input.u64()?, inode: input.u64()?, path: input.bytes()? })
}
