//! Messages on unix sockets with what comes beside them: descriptors, each of which is owned and closed on exec as soon as it is
//! here, and who sent it. It allocates nothing, and chooses nothing of what is received.

use clustermon_protocol::scm::Control;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

/// As many descriptors as one message can hold.
const MOST_FDS: usize = 253;

/// Room for the sender's credentials and all descriptors, in words, so that it is aligned as `cmsghdr`.
const ROOM: usize = {
    // SAFETY: pure computations on their arguments.
    let bytes = unsafe { libc::CMSG_SPACE(12) + libc::CMSG_SPACE(4 * MOST_FDS as u32) };
    bytes as usize / 8 + 1
};

/// What a receive brought, beside the descriptors.
#[derive(Debug)]
pub(super) struct Received {
    /// How many bytes of the buffer it fills; 0 is the end.
    pub(super) len: usize,
    /// A descriptor could not be taken.
    pub(super) truncated: bool,
    /// Process and user that sent it, as the kernel attests; only from a socket with SO_PASSCRED.
    pub(super) sender: Option<(u32, u32)>,
}

/// Sends `bytes` and perhaps an fd.
pub(super) fn send(
    to: BorrowedFd<'_>,
    bytes: &[u8],
    fd: Option<BorrowedFd<'_>>,
    flags: i32,
) -> io::Result<()> {
    let flags = flags | libc::MSG_NOSIGNAL;
    let Some(fd) = fd else {
        // SAFETY: the pointer and the length are those of `bytes`.
        let sent = unsafe { libc::send(to.as_raw_fd(), bytes.as_ptr().cast(), bytes.len(), flags) };
        return if sent < 0 { Err(io::Error::last_os_error()) } else { Ok(()) };
    };
    let mut control = Control::send(fd.as_raw_fd());
    let mut iov = libc::iovec { iov_base: bytes.as_ptr().cast_mut().cast(), iov_len: bytes.len() };
    // SAFETY: msghdr is plain data for which all zeroes is a valid value.
    let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
    message.msg_iov = &raw mut iov;
    message.msg_iovlen = 1;
    message.msg_control = control.0.as_mut_ptr().cast();
    message.msg_controllen = control.0.len();
    // SAFETY: the message points to `bytes` and `control`, which outlive the call and are only read.
    let sent = unsafe { libc::sendmsg(to.as_raw_fd(), &raw const message, flags) };
    if sent < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Receives one message. Each descriptor that comes beside it is given to `take`, in order.
pub(super) fn receive(
    from: BorrowedFd<'_>,
    buffer: &mut [u8],
    flags: i32,
    mut take: impl FnMut(OwnedFd),
) -> io::Result<Received> {
    let mut control = MaybeUninit::<[u64; ROOM]>::uninit();
    let mut iov = libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() };
    // SAFETY: msghdr is plain data for which all zeroes is a valid value.
    let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
    message.msg_iov = &raw mut iov;
    message.msg_iovlen = 1;
    message.msg_control = control.as_mut_ptr().cast();
    message.msg_controllen = size_of_val(&control);
    let flags = flags | libc::MSG_CMSG_CLOEXEC;
    // SAFETY: the message points to `buffer` and `control` with their lengths; both are ours to write.
    let len = unsafe { libc::recvmsg(from.as_raw_fd(), &raw mut message, flags) };
    let len = usize::try_from(len).map_err(|_| io::Error::last_os_error())?;
    let truncated = message.msg_flags & libc::MSG_CTRUNC != 0;
    let mut received = Received { len, truncated, sender: None };
    // SAFETY: the kernel has set control and its length; the macros stay within these.
    let mut header = unsafe { libc::CMSG_FIRSTHDR(&raw const message) };
    while !header.is_null() {
        // SAFETY: not null, so a whole header within the control buffer that the kernel has written.
        let (level, kind, len) = unsafe { ((*header).cmsg_level, (*header).cmsg_type, (*header).cmsg_len) };
        // SAFETY: pure arithmetic, and a pointer to just behind the header.
        let (data, size) = unsafe { (libc::CMSG_DATA(header), len - libc::CMSG_LEN(0) as usize) };
        if (level, kind) == (libc::SOL_SOCKET, libc::SCM_RIGHTS) {
            for at in 0..size / 4 {
                // SAFETY: the kernel has written so many numbers, of descriptors that it has just installed for us and that
                // nothing else knows.
                take(unsafe { OwnedFd::from_raw_fd(data.cast::<i32>().add(at).read_unaligned()) });
            }
        } else if (level, kind) == (libc::SOL_SOCKET, libc::SCM_CREDENTIALS) && size >= 12 {
            // SAFETY: the kernel has written a whole `ucred`.
            let sender = unsafe { data.cast::<libc::ucred>().read_unaligned() };
            received.sender = Some((sender.pid.unsigned_abs(), sender.uid));
        }
        // SAFETY: `header` is one of this message.
        header = unsafe { libc::CMSG_NXTHDR(&raw const message, header) };
    }
    Ok(received)
}
