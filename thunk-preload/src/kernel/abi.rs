//! Constants and structures of the Linux ABI that the thunk needs, alike on x86_64 and aarch64. Declarations, and the least to fill them in.

use core::ffi::c_void;

pub(crate) const EPERM: i32 = 1;
pub(crate) const ESRCH: i32 = 3;
pub(crate) const EINTR: i32 = 4;
pub(crate) const ENOENT: i32 = 2;
pub(crate) const EBADF: i32 = 9;
pub(crate) const EAGAIN: i32 = 11;
pub(crate) const ENOMEM: i32 = 12;
pub(crate) const EACCES: i32 = 13;
pub(crate) const EFAULT: i32 = 14;
pub(crate) const EEXIST: i32 = 17;
pub(crate) const EINVAL: i32 = 22;
pub(crate) const ENFILE: i32 = 23;
pub(crate) const EMFILE: i32 = 24;
pub(crate) const EPIPE: i32 = 32;
pub(crate) const ENOSYS: i32 = 38;
pub(crate) const ENOTSOCK: i32 = 88;
pub(crate) const ENOPROTOOPT: i32 = 92;
pub(crate) const EOPNOTSUPP: i32 = 95;
pub(crate) const EADDRINUSE: i32 = 98;
pub(crate) const ECONNABORTED: i32 = 103;
pub(crate) const ECONNRESET: i32 = 104;
pub(crate) const ENOBUFS: i32 = 105;
pub(crate) const EISCONN: i32 = 106;
pub(crate) const ECONNREFUSED: i32 = 111;
pub(crate) const EINPROGRESS: i32 = 115;
pub(crate) const ENOTCONN: i32 = 107;

pub(crate) const AF_UNIX: i32 = 1;
pub(crate) const AF_INET: i32 = 2;
pub(crate) const AF_INET6: i32 = 10;
pub(crate) const SOCK_STREAM: i32 = 1;
pub(crate) const SOCK_DGRAM: i32 = 2;
pub(crate) const SOCK_SEQPACKET: i32 = 5;
pub(crate) const SOCK_NONBLOCK: i32 = 0o4000;
pub(crate) const SOCK_CLOEXEC: i32 = 0o2000000;

pub(crate) const SOL_SOCKET: i32 = 1;
pub(crate) const SO_REUSEADDR: i32 = 2;
pub(crate) const SO_TYPE: i32 = 3;
pub(crate) const SO_ERROR: i32 = 4;
pub(crate) const SO_REUSEPORT: i32 = 15;
pub(crate) const SO_PEERCRED: i32 = 17;
pub(crate) const SO_RCVTIMEO: i32 = 20;
pub(crate) const SO_SNDTIMEO: i32 = 21;
pub(crate) const SO_ATTACH_FILTER: i32 = 26;
pub(crate) const SO_ACCEPTCONN: i32 = 30;
pub(crate) const SO_PROTOCOL: i32 = 38;
pub(crate) const SO_DOMAIN: i32 = 39;
pub(crate) const SO_ATTACH_BPF: i32 = 50;
pub(crate) const SO_ATTACH_REUSEPORT_CBPF: i32 = 51;
pub(crate) const SO_ATTACH_REUSEPORT_EBPF: i32 = 52;
pub(crate) const SO_COOKIE: i32 = 57;
pub(crate) const SO_RCVTIMEO_NEW: i32 = 66;
pub(crate) const SO_SNDTIMEO_NEW: i32 = 67;
pub(crate) const IPPROTO_IP: i32 = 0;
pub(crate) const IPPROTO_TCP: i32 = 6;
pub(crate) const IPPROTO_MPTCP: i32 = 262;
pub(crate) const IPPROTO_UDP: i32 = 17;
pub(crate) const IPPROTO_IPV6: i32 = 41;
pub(crate) const IPV6_V6ONLY: i32 = 26;
/// Its first byte is the state.
pub(crate) const TCP_INFO: i32 = 11;
pub(crate) const TCP_STATE_CLOSE: u8 = 7;
pub(crate) const TCP_STATE_LISTEN: u8 = 10;
/// A bind to port 0 reserves no port until connect() or listen(); since Linux 4.2.
pub(crate) const IP_BIND_ADDRESS_NO_PORT: i32 = 24;

pub(crate) const SHUT_RD: i32 = 0;
pub(crate) const SHUT_WR: i32 = 1;
pub(crate) const SHUT_RDWR: i32 = 2;

pub(crate) const MSG_OOB: i32 = 1;
pub(crate) const MSG_PEEK: i32 = 2;
pub(crate) const MSG_DONTWAIT: i32 = 0x40;
pub(crate) const MSG_NOSIGNAL: i32 = 0x4000;
pub(crate) const MSG_FASTOPEN: i32 = 0x2000_0000;
pub(crate) const MSG_CMSG_CLOEXEC: i32 = 0x4000_0000;

pub(crate) const O_NONBLOCK: i32 = 0o4000;
pub(crate) const O_ASYNC: i32 = 0o20000;
pub(crate) const O_CLOEXEC: i32 = 0o2000000;
pub(crate) const FD_CLOEXEC: i32 = 1;
pub(crate) const F_GETFD: i32 = 1;
pub(crate) const F_SETFD: i32 = 2;
pub(crate) const F_GETFL: i32 = 3;
pub(crate) const F_SETFL: i32 = 4;
pub(crate) const F_SETOWN: i32 = 8;
pub(crate) const F_GETOWN: i32 = 9;
pub(crate) const F_SETSIG: i32 = 10;
pub(crate) const F_GETSIG: i32 = 11;
pub(crate) const F_DUPFD_CLOEXEC: i32 = 1030;
pub(crate) const AT_FDCWD: i32 = -100;

pub(crate) const EPOLL_CTL_ADD: i32 = 1;
pub(crate) const EPOLL_CTL_DEL: i32 = 2;
pub(crate) const EPOLL_CTL_MOD: i32 = 3;
pub(crate) const EPOLLIN: u32 = 1;
pub(crate) const EPOLLRDNORM: u32 = 0x40;
pub(crate) const EPOLLEXCLUSIVE: u32 = 1 << 28;
pub(crate) const EPOLLONESHOT: u32 = 1 << 30;
pub(crate) const POLLIN: i16 = 1;
pub(crate) const POLLOUT: i16 = 4;
pub(crate) const POLLHUP: i16 = 0x10;
pub(crate) const POLLRDNORM: i16 = 0x40;
pub(crate) const POLLRDHUP: i16 = 0x2000;

pub(crate) const SIGABRT: i32 = 6;
pub(crate) const SIGPIPE: i32 = 13;
pub(crate) const SIGTERM: i32 = 15;

/// `struct iovec`.
#[repr(C)]
pub(crate) struct IoVec {
    pub base: *mut c_void,
    pub len: usize,
}

/// `struct msghdr`.
#[repr(C)]
pub(crate) struct Message {
    pub name: *mut c_void,
    pub name_len: u32,
    pub iov: *mut IoVec,
    pub iov_len: usize,
    pub control: *mut c_void,
    pub control_len: usize,
    pub flags: i32,
}

impl Message {
    /// A message of one buffer, with so many bytes of control room. Both must outlive it.
    pub(crate) fn new(iov: &mut IoVec, control: *mut c_void, control_len: usize) -> Self {
        let name = core::ptr::null_mut();
        Self { name, name_len: 0, iov, iov_len: 1, control, control_len, flags: 0 }
    }
}

/// `struct epoll_event`.
#[repr(C)]
#[cfg_attr(target_arch = "x86_64", repr(packed))]
#[derive(Clone, Copy)]
pub(crate) struct EpollEvent {
    pub events: u32,
    pub data: u64,
}

/// `struct pollfd`.
#[repr(C)]
pub(crate) struct PollFd {
    pub fd: i32,
    pub events: i16,
    pub revents: i16,
}

/// `struct timespec` and `struct timeval` on 64-bit machines.
#[repr(C)]
pub(crate) struct Time {
    pub seconds: i64,
    pub fraction: i64,
}

/// `struct statx`, as far as it is read.
#[repr(C)]
pub(crate) struct Statx {
    head: [u32; 7],
    pub mode: u16,
    pad: u16,
    pub inode: u64,
    sizes: [u64; 3],
    times: [u64; 4],
    pub ctime_seconds: i64,
    rest: [u64; 3],
    rdev: [u32; 2],
    dev_major: u32,
    dev_minor: u32,
    tail: [u64; 14],
}

impl Statx {
    pub(crate) const fn empty() -> Self {
        Self {
            head: [0; 7],
            mode: 0,
            pad: 0,
            inode: 0,
            sizes: [0; 3],
            times: [0; 4],
            ctime_seconds: 0,
            rest: [0; 3],
            rdev: [0; 2],
            dev_major: 0,
            dev_minor: 0,
            tail: [0; 14],
        }
    }

    pub(crate) fn is_socket(&self) -> bool {
        self.mode & 0o170000 == 0o140000
    }

    pub(crate) fn device(&self) -> u64 {
        u64::from(self.dev_major) << 32 | u64::from(self.dev_minor)
    }
}
