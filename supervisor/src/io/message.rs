//! One message with at most one fd, sent or received without waiting or allocating. Every fd that comes in is owned at
//! once and closed on exec; what was cut off is told.

use clustermon_protocol::scm::{self, Control, Received};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

/// What a receive brought.
#[derive(Debug)]
pub(crate) struct Incoming {
    /// How many bytes of the buffer it fills; 0 is the end.
    pub(crate) len: usize,
    /// The fd that came beside it.
    pub(crate) fd: Option<OwnedFd>,
    /// An fd was sent that could not be taken.
    pub(crate) truncated: bool,
}

/// Sends `bytes` and perhaps an fd. WouldBlock if there is no room.
pub(crate) fn send(to: BorrowedFd<'_>, bytes: &[u8], fd: Option<BorrowedFd<'_>>) -> io::Result<()> {
    let mut control = Control::send(fd.map_or(-1, |fd| fd.as_raw_fd()));
    let mut iov = libc::iovec { iov_base: bytes.as_ptr().cast_mut().cast(), iov_len: bytes.len() };
    // SAFETY: msghdr is plain data for which all zeroes is a valid value.
    let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
    message.msg_iov = &raw mut iov;
    message.msg_iovlen = 1;
    if fd.is_some() {
        message.msg_control = control.0.as_mut_ptr().cast();
        message.msg_controllen = control.0.len();
    }
    let flags = libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;
    // SAFETY: the message points to `bytes` and `control`, which outlive the call and are only read.
    let sent = unsafe { libc::sendmsg(to.as_raw_fd(), &raw const message, flags) };
    if sent < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Receives one message. WouldBlock if there is none.
pub(crate) fn receive(from: BorrowedFd<'_>, buffer: &mut [u8]) -> io::Result<Incoming> {
    let mut control = Control::empty();
    let mut iov = libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() };
    // SAFETY: msghdr is plain data for which all zeroes is a valid value.
    let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
    message.msg_iov = &raw mut iov;
    message.msg_iovlen = 1;
    message.msg_control = control.0.as_mut_ptr().cast();
    message.msg_controllen = scm::LEN;
    let flags = libc::MSG_DONTWAIT | libc::MSG_CMSG_CLOEXEC;
    // SAFETY: the message points to `buffer` and `control` with their lengths; both are ours to write.
    let len = unsafe { libc::recvmsg(from.as_raw_fd(), &raw mut message, flags) };
    let len = usize::try_from(len).map_err(|_| io::Error::last_os_error())?;
    let (fd, truncated) = match control.received(message.msg_controllen, message.msg_flags) {
        Received::Nothing => (None, false),
        Received::Fd(fd) => (Some(fd), false),
        Received::Truncated(fd) => (fd, true),
    };
    // SAFETY: the kernel has just installed it for us, and nothing else knows it.
    let fd = fd.map(|fd| unsafe { OwnedFd::from_raw_fd(fd) });
    Ok(Incoming { len, fd, truncated })
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
        let got = receive(b.as_fd(), &mut buffer).unwrap();
        assert_eq!((got.len, got.truncated), (1, false));
        // SAFETY: asks for flags only.
        let flags = unsafe { libc::fcntl(got.fd.unwrap().as_raw_fd(), libc::F_GETFD) };
        assert_eq!(flags & libc::FD_CLOEXEC, libc::FD_CLOEXEC);
        assert_eq!(receive(b.as_fd(), &mut buffer).unwrap_err().kind(), io::ErrorKind::WouldBlock);
    }
}
