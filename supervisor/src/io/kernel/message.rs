//! One message on a unix socket, sent or received without allocating for what is not there. Every descriptor that comes in
//! is owned at once, closed on exec, and closed elsewhere when it is dropped; none is dropped by the kernel in here, unless
//! the table is full.

use super::foreign::Foreign;
use clustermon_protocol::scm::Control;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

/// As many descriptors as one message can hold.
const MOST_FDS: usize = 253;
/// Lets no descriptor be sent to the socket; since Linux 6.16.
const SO_PASSRIGHTS: i32 = 83;

/// Room for the sender's credentials and all descriptors, in words, so that it is aligned as `cmsghdr`.
const ROOM: usize = {
    // SAFETY: pure computations on their arguments.
    let bytes = unsafe { libc::CMSG_SPACE(12) + libc::CMSG_SPACE(4 * MOST_FDS as u32) };
    bytes as usize / 8 + 1
};

/// What a receive brought.
#[derive(Debug)]
pub(crate) struct Incoming {
    /// How many bytes of the buffer it fills; 0 is the end.
    pub(crate) len: usize,
    /// The fd that came beside it.
    pub(crate) fd: Option<Foreign>,
    /// More than one was sent, or one that could not be taken.
    pub(crate) truncated: bool,
    /// Process and user that sent it, as the kernel attests; only from a socket with SO_PASSCRED.
    pub(crate) sender: Option<(u32, u32)>,
}

/// Sends `bytes` and perhaps an fd. WouldBlock if there is no room.
pub(crate) fn send(to: BorrowedFd<'_>, bytes: &[u8], fd: Option<BorrowedFd<'_>>) -> io::Result<()> {
    send_with(to, bytes, fd, libc::MSG_DONTWAIT)
}

/// The same, but waits for room.
pub(super) fn send_waiting(to: BorrowedFd<'_>, bytes: &[u8], fd: Option<BorrowedFd<'_>>) -> io::Result<()> {
    loop {
        match send_with(to, bytes, fd, 0) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            done => return done,
        }
    }
}

fn send_with(to: BorrowedFd<'_>, bytes: &[u8], fd: Option<BorrowedFd<'_>>, flags: i32) -> io::Result<()> {
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

/// Receives one message. WouldBlock if there is none.
pub(crate) fn receive(from: BorrowedFd<'_>, buffer: &mut [u8]) -> io::Result<Incoming> {
    receive_with(from, buffer, libc::MSG_DONTWAIT)
}

/// Receives a descriptor; waits for one if that is wanted. An error at the end of the connection.
pub(super) fn receive_waiting(
    from: BorrowedFd<'_>,
    buffer: &mut [u8],
    wait: bool,
) -> io::Result<Option<OwnedFd>> {
    let incoming = receive_with(from, buffer, if wait { 0 } else { libc::MSG_DONTWAIT })?;
    if incoming.len == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(incoming.fd.map(Foreign::into_owned))
}

/// Reads a message and leaves it where it is, with its descriptors: the bytes that fill the buffer, and whether there is a
/// descriptor. Nothing of it is taken, so nothing can be closed. WouldBlock if there is none.
pub(crate) fn peek(from: BorrowedFd<'_>, buffer: &mut [u8]) -> io::Result<(usize, bool)> {
    let mut iov = libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() };
    // SAFETY: msghdr is plain data for which all zeroes is a valid value.
    let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
    message.msg_iov = &raw mut iov;
    message.msg_iovlen = 1;
    let flags = libc::MSG_DONTWAIT | libc::MSG_PEEK;
    // SAFETY: the message points to `buffer` with its length, which is ours to write.
    let len = unsafe { libc::recvmsg(from.as_raw_fd(), &raw mut message, flags) };
    let len = usize::try_from(len).map_err(|_| io::Error::last_os_error())?;
    Ok((len, message.msg_flags & libc::MSG_CTRUNC != 0))
}

/// From now on nobody can send a descriptor to this socket, where the kernel allows that to be said; false where not.
pub(crate) fn refuse_descriptors(socket: BorrowedFd<'_>) -> bool {
    crate::io::lanes::lane::set_option(socket, libc::SOL_SOCKET, SO_PASSRIGHTS, &0i32.to_ne_bytes()).is_ok()
}

fn receive_with(from: BorrowedFd<'_>, buffer: &mut [u8], flags: i32) -> io::Result<Incoming> {
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
    let mut incoming = Incoming { len, fd: None, truncated, sender: None };
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
                let fd = unsafe { OwnedFd::from_raw_fd(data.cast::<i32>().add(at).read_unaligned()) };
                // All but the first are dropped here, and so closed elsewhere.
                incoming.truncated |= incoming.fd.is_some();
                incoming.fd.get_or_insert(Foreign::from(fd));
            }
        } else if (level, kind) == (libc::SOL_SOCKET, libc::SCM_CREDENTIALS) && size >= 12 {
            // SAFETY: the kernel has written a whole `ucred`.
            let sender = unsafe { data.cast::<libc::ucred>().read_unaligned() };
            incoming.sender = Some((sender.pid.unsigned_abs(), sender.uid));
        }
        // SAFETY: `header` is one of this message.
        header = unsafe { libc::CMSG_NXTHDR(&raw const message, header) };
    }
    Ok(incoming)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::AsFd;
    use std::os::unix::net::UnixDatagram;

    #[test]
    fn an_fd_travels_and_is_closed_on_exec() {
        let (a, b) = UnixDatagram::pair().unwrap();
        send(a.as_fd(), b"x", Some(a.as_fd())).unwrap();
        let mut buffer = [0; 8];
        assert_eq!(peek(b.as_fd(), &mut buffer).unwrap(), (1, true));
        let got = receive(b.as_fd(), &mut buffer).unwrap();
        assert_eq!((got.len, got.truncated, got.sender), (1, false, None));
        // SAFETY: asks for flags only.
        let flags = unsafe { libc::fcntl(got.fd.unwrap().as_raw_fd(), libc::F_GETFD) };
        assert_eq!(flags & libc::FD_CLOEXEC, libc::FD_CLOEXEC);
        for error in [receive(b.as_fd(), &mut buffer).unwrap_err(), peek(b.as_fd(), &mut buffer).unwrap_err()]
        {
            assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
        }
    }

    #[test]
    fn where_the_kernel_can_it_refuses_descriptors() {
        let (a, b) = UnixDatagram::pair().unwrap();
        let refuses = refuse_descriptors(b.as_fd());
        assert_eq!(send(a.as_fd(), b"x", Some(a.as_fd())).is_err(), refuses);
        send(a.as_fd(), b"y", None).unwrap();
    }
}
