//! One message on a unix socket, sent or received without allocating for what is not there. Every descriptor that comes in
//! is owned at once, closed on exec, and closed elsewhere when it is dropped; none is dropped by the kernel in here, unless
//! the table is full.

use super::foreign::Foreign;
use super::scm;
use super::sockopt::set_option;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

/// Lets no descriptor be sent to the socket; since Linux 6.16.
const SO_PASSRIGHTS: i32 = 83;

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
    scm::send(to, bytes, fd, libc::MSG_DONTWAIT)
}

/// Receives one message. WouldBlock if there is none.
pub(crate) fn receive(from: BorrowedFd<'_>, buffer: &mut [u8]) -> io::Result<Incoming> {
    let (mut fd, mut more) = (None, false);
    let received = scm::receive(from, buffer, libc::MSG_DONTWAIT, |one| {
        // All but the first are dropped here, and so closed elsewhere.
        more |= fd.is_some();
        fd.get_or_insert(Foreign::from(one));
    })?;
    let scm::Received { len, truncated, sender } = received;
    Ok(Incoming { len, fd, truncated: truncated || more, sender })
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
    set_option(socket, libc::SOL_SOCKET, SO_PASSRIGHTS, &0i32.to_ne_bytes()).is_ok()
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
