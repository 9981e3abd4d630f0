//! The C library's functions that read and write. It only finds them; what they answer on a lane is the hooks' to say.
//!
//! pthread_cancel may unwind from them, and yet their type says that they do not unwind: only then does the compiler make a
//! hook's call a jump, which costs a nanosecond where a call costs ten. A jump leaves no frame of ours to unwind, and where it
//! is a call after all, as in a debug build, nothing in the frame has to be cleaned up.

use crate::kernel::abi::{IoVec, Message, Time};
use core::ffi::{c_int, c_uint, c_void};

#[cfg(target_arch = "x86_64")]
mod nr {
    //! Numbers of the system calls that stand in for functions that are missing.
    pub(super) const READ: usize = 0;
    pub(super) const WRITE: usize = 1;
    pub(super) const READV: usize = 19;
    pub(super) const WRITEV: usize = 20;
    pub(super) const SENDFILE: usize = 40;
    pub(super) const SENDTO: usize = 44;
    pub(super) const RECVFROM: usize = 45;
    pub(super) const SENDMSG: usize = 46;
    pub(super) const RECVMSG: usize = 47;
    pub(super) const SPLICE: usize = 275;
    pub(super) const RECVMMSG: usize = 299;
    pub(super) const SENDMMSG: usize = 307;
    pub(super) const PREADV2: usize = 327;
    pub(super) const PWRITEV2: usize = 328;
}

#[cfg(target_arch = "aarch64")]
mod nr {
    //! Numbers of the system calls that stand in for functions that are missing.
    pub(super) const READ: usize = 63;
    pub(super) const WRITE: usize = 64;
    pub(super) const READV: usize = 65;
    pub(super) const WRITEV: usize = 66;
    pub(super) const SENDFILE: usize = 71;
    pub(super) const SPLICE: usize = 76;
    pub(super) const SENDTO: usize = 206;
    pub(super) const RECVFROM: usize = 207;
    pub(super) const SENDMSG: usize = 211;
    pub(super) const RECVMSG: usize = 212;
    pub(super) const RECVMMSG: usize = 243;
    pub(super) const SENDMMSG: usize = 269;
    pub(super) const PREADV2: usize = 286;
    pub(super) const PWRITEV2: usize = 287;
}

/// Looks all of them up. False if one is missing.
pub(super) fn resolve() -> bool {
    resolve_sizes() & resolve_counts()
}

table! { resolve_counts: extern "C" -> c_int;
    RECVMMSG c"recvmmsg" fn recvmmsg(fd: c_int, messages: *mut c_void, count: c_uint, flags: c_int, limit: *mut Time)
        = raw!(nr::RECVMMSG, fd, messages, count, flags, limit);
    SENDMMSG c"sendmmsg" fn sendmmsg(fd: c_int, messages: *mut c_void, count: c_uint, flags: c_int)
        = raw!(nr::SENDMMSG, fd, messages, count, flags);
}

table! { resolve_sizes: extern "C" -> isize;
    READ c"read" fn read(fd: c_int, buffer: *mut c_void, len: usize) = sized!(nr::READ, fd, buffer, len);
    READ_CHK c"__read_chk" fn read_chk(fd: c_int, buffer: *mut c_void, len: usize, room: usize)
        = { let _ = room; sized!(nr::READ, fd, buffer, len) };
    READV c"readv" fn readv(fd: c_int, parts: *const IoVec, count: c_int) = sized!(nr::READV, fd, parts, count);
    PREADV2 c"preadv2" fn preadv2(fd: c_int, parts: *const IoVec, count: c_int, offset: i64, flags: c_int)
        = sized!(nr::PREADV2, fd, parts, count, offset, 0, flags);
    PREADV64V2 c"preadv64v2" fn preadv64v2(fd: c_int, parts: *const IoVec, count: c_int, offset: i64, flags: c_int)
        = sized!(nr::PREADV2, fd, parts, count, offset, 0, flags);
    RECV c"recv" fn recv(fd: c_int, buffer: *mut c_void, len: usize, flags: c_int)
        = sized!(nr::RECVFROM, fd, buffer, len, flags, 0, 0);
    RECV_CHK c"__recv_chk" fn recv_chk(fd: c_int, buffer: *mut c_void, len: usize, room: usize, flags: c_int)
        = { let _ = room; sized!(nr::RECVFROM, fd, buffer, len, flags, 0, 0) };
    RECVFROM c"recvfrom"
        fn recvfrom(fd: c_int, buffer: *mut c_void, len: usize, flags: c_int, from: *mut c_void, size: *mut u32)
        = sized!(nr::RECVFROM, fd, buffer, len, flags, from, size);
    RECVFROM_CHK c"__recvfrom_chk"
        fn recvfrom_chk(fd: c_int, buffer: *mut c_void, len: usize, room: usize, flags: c_int, from: *mut c_void,
                        size: *mut u32)
        = { let _ = room; sized!(nr::RECVFROM, fd, buffer, len, flags, from, size) };
    RECVMSG c"recvmsg" fn recvmsg(fd: c_int, message: *mut Message, flags: c_int)
        = sized!(nr::RECVMSG, fd, message, flags);
    WRITE c"write" fn write(fd: c_int, buffer: *const c_void, len: usize) = sized!(nr::WRITE, fd, buffer, len);
    WRITEV c"writev" fn writev(fd: c_int, parts: *const IoVec, count: c_int) = sized!(nr::WRITEV, fd, parts, count);
    PWRITEV2 c"pwritev2" fn pwritev2(fd: c_int, parts: *const IoVec, count: c_int, offset: i64, flags: c_int)
        = sized!(nr::PWRITEV2, fd, parts, count, offset, 0, flags);
    PWRITEV64V2 c"pwritev64v2" fn pwritev64v2(fd: c_int, parts: *const IoVec, count: c_int, offset: i64, flags: c_int)
        = sized!(nr::PWRITEV2, fd, parts, count, offset, 0, flags);
    SEND c"send" fn send(fd: c_int, buffer: *const c_void, len: usize, flags: c_int)
        = sized!(nr::SENDTO, fd, buffer, len, flags, 0, 0);
    SENDTO c"sendto"
        fn sendto(fd: c_int, buffer: *const c_void, len: usize, flags: c_int, to: *const c_void, size: u32)
        = sized!(nr::SENDTO, fd, buffer, len, flags, to, size);
    SENDMSG c"sendmsg" fn sendmsg(fd: c_int, message: *const Message, flags: c_int)
        = sized!(nr::SENDMSG, fd, message, flags);
    SENDFILE c"sendfile" fn sendfile(to: c_int, from: c_int, offset: *mut i64, count: usize)
        = sized!(nr::SENDFILE, to, from, offset, count);
    SENDFILE64 c"sendfile64" fn sendfile64(to: c_int, from: c_int, offset: *mut i64, count: usize)
        = sized!(nr::SENDFILE, to, from, offset, count);
    SPLICE c"splice"
        fn splice(from: c_int, from_offset: *mut i64, to: c_int, to_offset: *mut i64, len: usize, flags: c_uint)
        = sized!(nr::SPLICE, from, from_offset, to, to_offset, len, flags);
}
