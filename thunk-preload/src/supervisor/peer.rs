//! Who is at the other end of a connection: the supervisor that started this worker, or somebody who has taken its name
//! since. It sends nothing.

use crate::kernel::abi::{AT_FDCWD, O_CLOEXEC, SO_PEERCRED, SOL_SOCKET};
use crate::kernel::sys;
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

    /// The same of one that is gone or on its way out: its sockets are closed, and their names free, before its number is.
    pub(crate) fn is_ending(&self) -> bool {
        (!sys::is_there(self.pid) || is_exiting(self.pid)) && is_in(c"/proc/self/ns/pid", self.pid_namespace)
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

/// Whether /proc says that the process exits, or has. Stacks are small: what is read ends with the flags.
#[cold]
#[inline(never)]
fn is_exiting(pid: u32) -> bool {
    /// PF_EXITING of `linux/sched.h`.
    const EXITING: u64 = 4;
    let Some(file) = open_stat(pid) else { return false };
    let mut text = [0; 112];
    let len = sys::read(file, &mut text).unwrap_or(0);
    sys::close(file);
    // The name, in parentheses, may hold anything; what follows is: state, parent, group, session, terminal, its group, flags.
    let mut at = len;
    while at > 0 && text[at - 1] != b')' {
        at -= 1;
    }
    let (mut field, mut flags) = (0, 0);
    for byte in &text[at..len] {
        match byte {
            b' ' => field += 1,
            b'Z' | b'X' if field == 1 => return true,
            digit @ b'0'..=b'9' if field == 7 => flags = flags * 10 + u64::from(digit - b'0'),
            _ => {}
        }
    }
    // The last field that was read may not be whole.
    at > 0 && field > 7 && flags & EXITING != 0
}

#[inline(never)]
fn open_stat(pid: u32) -> Option<i32> {
    let mut path = *b"/proc/0000000000/stat\0";
    // Leading zeroes are no name of a process.
    let (mut at, mut rest) = (16, pid);
    while rest > 0 {
        at -= 1;
        path[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
    path.copy_within(at..22, 6);
    sys::open(CStr::from_bytes_until_nul(&path).ok()?, O_CLOEXEC).ok()
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
