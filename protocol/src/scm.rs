//! Control-message buffers that carry one fd: built and parsed as bytes, on 64-bit Linux. It owns no fd; the caller
//! wraps what comes out and must ask for MSG_CMSG_CLOEXEC.

const SOL_SOCKET: i32 = 1;
const SCM_RIGHTS: i32 = 1;
/// The kernel tells by it that fds were dropped.
pub const MSG_CTRUNC: i32 = 8;

/// `CMSG_LEN(sizeof(int))`: header of 16 bytes and the fd. Given to recvmsg as the buffer's size it leaves room for
/// exactly one fd, so that a sender cannot install more.
pub const LEN: usize = 20;

/// A buffer for one fd, aligned as the kernel wants `cmsghdr`.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(8))]
pub struct Control(pub [u8; 24]);

/// What came beside a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Received {
    /// No fd.
    Nothing,
    /// This fd, now the caller's to close.
    Fd(i32),
    /// An fd was sent and could not be installed: the table is full, or more than one came. It is lost unless the
    /// message was only peeked at. If one fd was installed all the same it is named and the caller's to close.
    Truncated(Option<i32>),
}

impl Control {
    /// An empty buffer to receive into.
    pub const fn empty() -> Self {
        Self([0; 24])
    }

    /// A buffer that sends this fd.
    pub fn send(fd: i32) -> Self {
        let mut bytes = [0; 24];
        bytes[..8].copy_from_slice(&(LEN as u64).to_ne_bytes());
        bytes[8..12].copy_from_slice(&SOL_SOCKET.to_ne_bytes());
        bytes[12..16].copy_from_slice(&SCM_RIGHTS.to_ne_bytes());
        bytes[16..20].copy_from_slice(&fd.to_ne_bytes());
        Self(bytes)
    }

    /// Reads what recvmsg left: `len` is `msg_controllen`, `flags` is `msg_flags`.
    pub fn received(&self, len: usize, flags: i32) -> Received {
        let fd = (len >= LEN && self.number(8) == SOL_SOCKET && self.number(12) == SCM_RIGHTS)
            .then(|| self.number(16));
        match (fd, flags & MSG_CTRUNC != 0) {
            (fd, true) => Received::Truncated(fd),
            (Some(fd), false) => Received::Fd(fd),
            (None, false) => Received::Nothing,
        }
    }

    fn number(&self, at: usize) -> i32 {
        i32::from_ne_bytes([self.0[at], self.0[at + 1], self.0[at + 2], self.0[at + 3]])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn has_the_layout_of_the_c_library() {
        // SAFETY: both are pure computations on their arguments.
        let (len, space) = unsafe { (libc::CMSG_LEN(4), libc::CMSG_SPACE(4)) };
        assert_eq!((len as usize, space as usize), (LEN, 24));
        assert_eq!(
            (libc::SOL_SOCKET, libc::SCM_RIGHTS, libc::MSG_CTRUNC),
            (SOL_SOCKET, SCM_RIGHTS, MSG_CTRUNC)
        );
    }

    #[test]
    fn parses_what_it_builds() {
        assert_eq!(Control::send(7).received(LEN, 0), Received::Fd(7));
        assert_eq!(Control::send(7).received(LEN, MSG_CTRUNC), Received::Truncated(Some(7)));
        assert_eq!(Control::empty().received(0, MSG_CTRUNC), Received::Truncated(None));
        assert_eq!(Control::empty().received(0, 0), Received::Nothing);
    }
}
