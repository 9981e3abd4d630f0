//! The calls that read and write. On a lane they are answered as on a listening socket, which neither gives nor takes
//! data: a read there would take a connection that waits, and a write would reach the supervisor. On anything else they
//! are the kernel's, after one look at the hint.

use crate::kernel::abi::*;
use crate::kernel::sys;
use crate::lanes::lane;
use crate::real;
use core::ffi::{c_int, c_uint, c_void};

/// Which error a listening socket gives if no socket can be made to answer for it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    In,
    Out,
}

/// The socket that answers in place of a lane: one that was never connected gives the errors of one that listens. So
/// mistakes in the arguments are the kernel's to find, and SIGPIPE is the kernel's.
struct Substitute {
    /// The socket, or -1 if there is none.
    fd: c_int,
    is_tcp: bool,
}

impl Substitute {
    /// `None` if the fd is no lane. Async-signal-safe: it calls the kernel only.
    fn of(fd: c_int) -> Option<Self> {
        let family = i32::from(lane::recognise(fd)?.address.family());
        let fd = sys::socket(family, SOCK_STREAM | SOCK_CLOEXEC).unwrap_or(-1);
        Some(Self { fd, is_tcp: family != AF_UNIX })
    }

    /// What has to be otherwise for it to answer as a TCP socket that listens: that one would not look for urgent data, and
    /// is asked to connect by MSG_FASTOPEN in vain, without SIGPIPE.
    fn flags(&self, flags: c_int) -> c_int {
        match flags & MSG_FASTOPEN {
            _ if !self.is_tcp => flags,
            0 => flags & !MSG_OOB,
            _ => flags & !(MSG_OOB | MSG_FASTOPEN) | MSG_NOSIGNAL,
        }
    }

    /// The answer to a call that was made on it, and the end of it.
    fn end(self, answer: isize, way: Way, flags: c_int) -> isize {
        if self.fd < 0 {
            return self.without_socket(way, flags);
        }
        sys::close(self.fd);
        if self.is_tcp && flags & MSG_FASTOPEN != 0 && answer < 0 && real::errno() == EPIPE {
            real::set_errno(EISCONN);
        }
        answer
    }

    /// No descriptor is left, or the program has forbidden itself to make a socket.
    fn without_socket(&self, way: Way, flags: c_int) -> isize {
        let error = match way {
            Way::In if self.is_tcp => ENOTCONN,
            Way::In => EINVAL,
            Way::Out if !self.is_tcp => ENOTCONN,
            Way::Out if flags & MSG_FASTOPEN != 0 => EISCONN,
            Way::Out => {
                if flags & MSG_NOSIGNAL == 0 {
                    sys::kill(sys::getpid(), SIGPIPE);
                }
                EPIPE
            }
        };
        real::fail(error) as isize
    }
}

/// Declares hooks: `fd` is the descriptor that may be a lane, `flags` what may hold MSG_ flags. What is done on a lane is in
/// a function of its own, so that the way of all others is a look and a jump.
macro_rules! data {
    ($( $way:ident $fd:ident $flags:tt $name:ident as $real:path, ($($argument:ident: $type:ty),*) -> $out:ty; )*) => {
        $(
            #[unsafe(no_mangle)]
            pub(crate) unsafe extern "C-unwind" fn $name($($argument: $type),*) -> $out {
                #[cold]
                #[inline(never)]
                unsafe extern "C-unwind" fn on_lane($($argument: $type),*) -> $out {
                    let Some(substitute) = Substitute::of($fd) else {
                        // SAFETY: the program's own arguments.
                        return unsafe { $real($($argument),*) };
                    };
                    let $fd = substitute.fd;
                    let given = data!(@given $flags);
                    data!(@adapt $flags substitute);
                    let answer = if $fd < 0 {
                        -1
                    } else {
                        // SAFETY: the program's own arguments, and a socket of ours.
                        unsafe { $real($($argument),*) }
                    };
                    substitute.end(answer as isize, Way::$way, given) as $out
                }

                if lane::hinted($fd) {
                    // SAFETY: the program's own arguments.
                    return unsafe { on_lane($($argument),*) };
                }
                // SAFETY: the program's own arguments.
                unsafe { $real($($argument),*) }
            }
        )*
    };
    (@given none) => { 0 };
    (@given $flags:ident) => { $flags };
    (@adapt none $substitute:ident) => {};
    (@adapt $flags:ident $substitute:ident) => { let $flags = $substitute.flags($flags); };
}

data! {
    In fd none read as real::data::read, (fd: c_int, buffer: *mut c_void, len: usize) -> isize;
    In fd none __read_chk as real::data::read_chk, (fd: c_int, buffer: *mut c_void, len: usize, room: usize) -> isize;
    In fd none readv as real::data::readv, (fd: c_int, parts: *const IoVec, count: c_int) -> isize;
    In fd none preadv2 as real::data::preadv2,
        (fd: c_int, parts: *const IoVec, count: c_int, offset: i64, how: c_int) -> isize;
    In fd none preadv64v2 as real::data::preadv64v2,
        (fd: c_int, parts: *const IoVec, count: c_int, offset: i64, how: c_int) -> isize;
    In fd flags recv as real::data::recv, (fd: c_int, buffer: *mut c_void, len: usize, flags: c_int) -> isize;
    In fd flags __recv_chk as real::data::recv_chk,
        (fd: c_int, buffer: *mut c_void, len: usize, room: usize, flags: c_int) -> isize;
    In fd flags recvfrom as real::data::recvfrom,
        (fd: c_int, buffer: *mut c_void, len: usize, flags: c_int, from: *mut c_void, size: *mut u32) -> isize;
    In fd flags __recvfrom_chk as real::data::recvfrom_chk,
        (fd: c_int, buffer: *mut c_void, len: usize, room: usize, flags: c_int, from: *mut c_void, size: *mut u32) -> isize;
    In fd flags recvmsg as real::data::recvmsg, (fd: c_int, message: *mut Message, flags: c_int) -> isize;
    In fd flags recvmmsg as real::data::recvmmsg,
        (fd: c_int, messages: *mut c_void, count: c_uint, flags: c_int, limit: *mut Time) -> c_int;
    Out fd none write as real::data::write, (fd: c_int, buffer: *const c_void, len: usize) -> isize;
    Out fd none writev as real::data::writev, (fd: c_int, parts: *const IoVec, count: c_int) -> isize;
    Out fd none pwritev2 as real::data::pwritev2,
        (fd: c_int, parts: *const IoVec, count: c_int, offset: i64, how: c_int) -> isize;
    Out fd none pwritev64v2 as real::data::pwritev64v2,
        (fd: c_int, parts: *const IoVec, count: c_int, offset: i64, how: c_int) -> isize;
    Out fd flags send as real::data::send, (fd: c_int, buffer: *const c_void, len: usize, flags: c_int) -> isize;
    Out fd flags sendto as real::data::sendto,
        (fd: c_int, buffer: *const c_void, len: usize, flags: c_int, to: *const c_void, size: u32) -> isize;
    Out fd flags sendmsg as real::data::sendmsg, (fd: c_int, message: *const Message, flags: c_int) -> isize;
    Out fd flags sendmmsg as real::data::sendmmsg, (fd: c_int, messages: *mut c_void, count: c_uint, flags: c_int) -> c_int;
}

/// A call from one descriptor to another, of which either may be a lane.
#[cold]
#[inline(never)]
fn between(from: c_int, to: c_int, call: impl Fn(c_int, c_int) -> isize) -> isize {
    let (substitute, way) = match Substitute::of(from) {
        Some(substitute) => (substitute, Way::In),
        None => match Substitute::of(to) {
            Some(substitute) => (substitute, Way::Out),
            None => return call(from, to),
        },
    };
    let answer = match way {
        _ if substitute.fd < 0 => -1,
        Way::In => call(substitute.fd, to),
        Way::Out => call(from, substitute.fd),
    };
    substitute.end(answer, way, 0)
}

/// Declares hooks of calls from one descriptor to another.
macro_rules! between {
    ($( $from:ident $to:ident $name:ident as $real:path, ($($argument:ident: $type:ty),*); )*) => {
        $(
            #[unsafe(no_mangle)]
            pub(crate) unsafe extern "C-unwind" fn $name($($argument: $type),*) -> isize {
                if lane::hinted($from) || lane::hinted($to) {
                    // SAFETY: the program's own arguments, one of the descriptors perhaps a socket of ours.
                    return between($from, $to, |$from, $to| unsafe { $real($($argument),*) });
                }
                // SAFETY: the program's own arguments.
                unsafe { $real($($argument),*) }
            }
        )*
    };
}

between! {
    from to sendfile as real::data::sendfile, (to: c_int, from: c_int, offset: *mut i64, count: usize);
    from to sendfile64 as real::data::sendfile64, (to: c_int, from: c_int, offset: *mut i64, count: usize);
    from to splice as real::data::splice,
        (from: c_int, from_offset: *mut i64, to: c_int, to_offset: *mut i64, len: usize, flags: c_uint);
}
