//! The descriptor by which calls that wait at the filter are read and answered. It waits for nothing: a call that is not there
//! any more, because its process has ended or a signal came, is passed over.

use super::address::Place;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

/// A call that waits for its answer. Its arguments are numbers that the kernel has taken down: the program cannot change them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Call {
    /// The kernel's number for this very call.
    id: u64,
    /// The thread that waits.
    pub(crate) tid: u32,
    /// The descriptor that the call is about.
    pub(crate) fd: i32,
    pub(crate) kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// To an address that lies in memory, which the program can change while it is looked at.
    Bind(Place),
    Listen {
        backlog: i32,
    },
}

/// What there is to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    Call(Call),
    Nothing,
    /// No process has the filter any more.
    Over,
}

/// Reads and answers.
#[derive(Debug)]
pub(crate) struct Notifier(OwnedFd);

/// Newer kernels may write more than we know of.
#[repr(C)]
struct Room {
    notif: libc::seccomp_notif,
    spare: [u64; 16],
}

impl Notifier {
    pub(crate) fn new(fd: OwnedFd) -> Self {
        Self(fd)
    }

    /// The next call that waits.
    pub(crate) fn next(&self) -> Next {
        loop {
            // Reading would wait where there is nothing.
            let mut fds = [PollFd::new(self.0.as_fd(), PollFlags::POLLIN)];
            let _ = poll(&mut fds, PollTimeout::ZERO);
            let found = fds[0].revents().unwrap_or(PollFlags::empty());
            if !found.contains(PollFlags::POLLIN) {
                return if found.contains(PollFlags::POLLHUP) { Next::Over } else { Next::Nothing };
            }
            match self.read() {
                // It has gone meanwhile.
                Err(error) if matches!(error.raw_os_error(), Some(libc::ENOENT | libc::EINTR)) => {}
                Err(error) => {
                    log::error!("a call that waits at the seccomp filter cannot be read: {error}");
                    return Next::Nothing;
                }
                Ok(notif) => match call(&notif) {
                    Some(call) => return Next::Call(call),
                    // The filter lets nothing else come here.
                    None => self.answer(notif.id, 0, libc::SECCOMP_USER_NOTIF_FLAG_CONTINUE as u32),
                },
            }
        }
    }

    fn read(&self) -> io::Result<libc::seccomp_notif> {
        // SAFETY: plain numbers, for which all zeroes is a valid value; the kernel demands zeroes.
        let mut room: Room = unsafe { std::mem::zeroed() };
        // SAFETY: the kernel writes one notification, for which there is more room than any kernel needs.
        let done = unsafe {
            libc::ioctl(
                self.0.as_raw_fd(),
                libc::SECCOMP_IOCTL_NOTIF_RECV,
                (&raw mut room).cast::<libc::c_void>(),
            )
        };
        if done < 0 { Err(io::Error::last_os_error()) } else { Ok(room.notif) }
    }

    /// The call still waits: so its thread is the one that made it, and what was looked up by that thread's number was its own.
    pub(crate) fn is_waiting(&self, call: &Call) -> bool {
        // SAFETY: the kernel reads one number.
        let done = unsafe {
            libc::ioctl(self.0.as_raw_fd(), libc::SECCOMP_IOCTL_NOTIF_ID_VALID, &raw const call.id)
        };
        done == 0
    }

    /// The kernel does what the program asked for.
    pub(crate) fn proceed(&self, call: &Call) {
        self.answer(call.id, 0, libc::SECCOMP_USER_NOTIF_FLAG_CONTINUE as u32);
    }

    /// The call returns 0, and the kernel does nothing.
    pub(crate) fn succeed(&self, call: &Call) {
        self.answer(call.id, 0, 0);
    }

    /// The call fails with this error.
    pub(crate) fn fail(&self, call: &Call, errno: i32) {
        self.answer(call.id, errno, 0);
    }

    /// Puts a socket in the place of the descriptor that the call is about. The call waits on: the form that also answers it would
    /// have it return the descriptor's number.
    pub(crate) fn put(&self, call: &Call, socket: BorrowedFd<'_>, close_on_exec: bool) -> io::Result<()> {
        let wanted = libc::seccomp_notif_addfd {
            id: call.id,
            flags: libc::SECCOMP_ADDFD_FLAG_SETFD as u32,
            srcfd: socket.as_raw_fd() as u32,
            newfd: call.fd as u32,
            newfd_flags: if close_on_exec { libc::O_CLOEXEC as u32 } else { 0 },
        };
        // SAFETY: the kernel reads what it is given and writes nothing.
        let done =
            unsafe { libc::ioctl(self.0.as_raw_fd(), libc::SECCOMP_IOCTL_NOTIF_ADDFD, &raw const wanted) };
        if done < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
    }

    fn answer(&self, id: u64, errno: i32, flags: u32) {
        let mut answer = libc::seccomp_notif_resp { id, val: 0, error: -errno, flags };
        // SAFETY: the kernel reads the answer. One whose call has gone is for nobody.
        unsafe { libc::ioctl(self.0.as_raw_fd(), libc::SECCOMP_IOCTL_NOTIF_SEND, &raw mut answer) };
    }
}

impl AsFd for Notifier {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

fn call(notif: &libc::seccomp_notif) -> Option<Call> {
    let [fd, second, third, ..] = notif.data.args;
    // As the kernel takes them: the lower half of each.
    let (fd, backlog) = (fd as i32, second as i32);
    let kind = match libc::c_long::from(notif.data.nr) {
        // A length below zero is none that fits.
        libc::SYS_bind => Kind::Bind(Place { start: second, len: third as u32 as usize }),
        libc::SYS_listen => Kind::Listen { backlog },
        _ => return None,
    };
    Some(Call { id: notif.id, tid: notif.pid, fd, kind })
}
