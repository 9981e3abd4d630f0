//! Who is at the other end of a connection: the supervisor that started this worker, or somebody who has taken its name
//! since. It sends nothing.

use crate::abi::{AT_FDCWD, SO_PEERCRED, SOL_SOCKET};
use crate::sys;
use core::ffi::CStr;

/// What the supervisor told of itself: process and user, and the namespaces in which these numbers are its own.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Supervisor {
    pub(crate) pid: u32,
    pub(crate) uid: u32,
    pub(crate) pid_namespace: u64,
    pub(crate) user_namespace: u64,
}

impl Supervisor {
    /// `PID:UID:PID_NAMESPACE:USER_NAMESPACE`, as it stands in the environment.
    pub(crate) fn parse(text: &[u8]) -> Option<Self> {
        let mut fields = text.split(|byte| *byte == b':').map(number);
        let mut next = || fields.next().flatten();
        let pid = u32::try_from(next()?).ok()?;
        let uid = u32::try_from(next()?).ok()?;
        Some(Self { pid, uid, pid_namespace: next()?, user_namespace: next()? })
    }

    /// Whether it is known to be gone: then nobody who has its name is even connected to.
    pub(crate) fn is_gone(&self) -> bool {
        !sys::is_there(self.pid) && is_in(c"/proc/self/ns/pid", self.pid_namespace)
    }

    /// Whether the kernel says that it listens at the other end of this connection. In a namespace of one's own its numbers
    /// are others; what is no number there, or cannot be compared, tells nothing and is no reason to call it gone.
    pub(crate) fn is_behind(&self, link: i32) -> bool {
        let mut peer = [0; 12];
        if sys::getsockopt(link, SOL_SOCKET, SO_PEERCRED, &mut peer) != Ok(peer.len()) {
            return false;
        }
        let word = |at: usize| u32::from_ne_bytes([peer[at], peer[at + 1], peer[at + 2], peer[at + 3]]);
        let (pid, uid) = (word(0), word(4));
        // 0 is a process outside of this one's PID namespace.
        (pid == self.pid || pid == 0 && !is_in(c"/proc/self/ns/pid", self.pid_namespace))
            && (uid == self.uid || !is_in(c"/proc/self/ns/user", self.user_namespace))
    }
}

/// Whether this process is known to be in that namespace.
#[cold]
#[inline(never)]
fn is_in(link: &CStr, namespace: u64) -> bool {
    let mut target = [0; 40];
    let Ok(len) = sys::readlinkat(AT_FDCWD, link, &mut target) else { return false };
    // `pid:[4026531836]`
    let mut parts = target[..len.min(target.len())].split(|byte| matches!(byte, b'[' | b']'));
    parts.nth(1).and_then(number) == Some(namespace)
}

fn number(digits: &[u8]) -> Option<u64> {
    core::str::from_utf8(digits).ok()?.parse().ok()
}
