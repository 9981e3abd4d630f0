//! The filter itself, and how a process that is about to be a worker puts it on: `bind` and `listen` wait for whoever has the
//! notifier, everything else goes on. It cannot be taken off, and every process that the worker starts has it too.

use crate::io::kernel::foreign::Foreign;
use crate::io::kernel::message;
use crate::io::kernel::packet_filter::step;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, socketpair};
use std::io;
use std::os::fd::{AsFd, FromRawFd, OwnedFd};

const ARCH: u32 = if cfg!(target_arch = "x86_64") { 0xC000_003E } else { 0xC000_00B7 };
/// Where `struct seccomp_data` has the number of the call and the architecture.
const NUMBER_AT: u32 = 0;
const ARCH_AT: u32 = 4;

/// Calls by the numbers of another architecture (32-bit ones by `int 0x80`) go on: a program that makes them listens outside of the
/// cluster. So do those of x32, whose numbers have a bit of their own.
const FILTER: [libc::sock_filter; 7] = [
    step(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0, ARCH_AT),
    step(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, 0, 3, ARCH),
    step(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0, NUMBER_AT),
    step(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, 2, 0, libc::SYS_bind as u32),
    step(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, 1, 0, libc::SYS_listen as u32),
    step(libc::BPF_RET | libc::BPF_K, 0, 0, libc::SECCOMP_RET_ALLOW),
    step(libc::BPF_RET | libc::BPF_K, 0, 0, libc::SECCOMP_RET_USER_NOTIF),
];

/// What a filter that was put on came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Terms {
    /// Without CAP_SYS_ADMIN the kernel takes a filter only from a process that can gain no rights any more.
    pub(crate) no_new_privs: bool,
    /// A signal does not interrupt a call that is being answered (since Linux 5.19).
    pub(crate) is_steady: bool,
}

/// The way on which the notifier comes from the new process to this one.
#[derive(Debug)]
pub(crate) struct Way {
    ours: OwnedFd,
    theirs: OwnedFd,
}

/// The end of it that the new process has.
#[derive(Debug)]
pub(crate) struct TheirEnd(OwnedFd);

/// The filter is on: the notifier, and on which terms.
#[derive(Debug)]
pub(crate) struct Installed {
    pub(crate) notifier: OwnedFd,
    pub(crate) terms: Terms,
}

impl Way {
    pub(crate) fn open() -> io::Result<Self> {
        let (ours, theirs) =
            socketpair(AddressFamily::Unix, SockType::SeqPacket, None, SockFlag::SOCK_CLOEXEC)?;
        Ok(Self { ours, theirs })
    }

    pub(crate) fn split(self) -> (OurEnd, TheirEnd) {
        (OurEnd(self.ours), TheirEnd(self.theirs))
    }
}

/// The end of it that this process has.
#[derive(Debug)]
pub(crate) struct OurEnd(OwnedFd);

impl OurEnd {
    /// Takes the notifier once the new process executes its program.
    pub(crate) fn take(&self) -> io::Result<Installed> {
        let mut said = [0; 2];
        let incoming = message::receive(self.0.as_fd(), &mut said)?;
        let notifier = incoming.fd.map(Foreign::into_owned).ok_or(io::ErrorKind::UnexpectedEof)?;
        let [no_new_privs, is_steady] = said.map(|byte| byte != 0);
        Ok(Installed { notifier, terms: Terms { no_new_privs, is_steady } })
    }
}

impl TheirEnd {
    /// Puts the filter on in the calling process and sends the notifier. To be called between fork and exec: only makes system
    /// calls, and allocates nothing.
    pub(crate) fn install(&self) -> io::Result<()> {
        let mut terms = Terms { no_new_privs: false, is_steady: true };
        let notifier = loop {
            match put_on(terms.is_steady) {
                Ok(notifier) => break notifier,
                Err(error) => match error.raw_os_error() {
                    Some(libc::EINVAL) if terms.is_steady => terms.is_steady = false,
                    Some(libc::EACCES) if !terms.no_new_privs => {
                        nix::sys::prctl::set_no_new_privs()?;
                        terms.no_new_privs = true;
                    }
                    _ => return Err(error),
                },
            }
        };
        let said = [u8::from(terms.no_new_privs), u8::from(terms.is_steady)];
        message::send(self.0.as_fd(), &said, Some(notifier.as_fd()))
    }
}

/// Puts the filter on; the descriptor by which its calls are answered. EBUSY if a filter like it is on already.
fn put_on(is_steady: bool) -> io::Result<OwnedFd> {
    let program = libc::sock_fprog { len: FILTER.len() as u16, filter: FILTER.as_ptr().cast_mut() };
    let steady = if is_steady { libc::SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV } else { 0 };
    let flags = libc::SECCOMP_FILTER_FLAG_NEW_LISTENER | steady;
    // SAFETY: the program points to as many instructions as it says, which the kernel copies and does not write.
    let fd =
        unsafe { libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, flags, &raw const program) };
    let fd = i32::try_from(fd).ok().filter(|fd| *fd >= 0).ok_or_else(io::Error::last_os_error)?;
    // SAFETY: the kernel has just made it for us, close-on-exec.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Whether this kernel, and whatever filter is in force here, would let a filter ask a process. Changes nothing.
pub(crate) fn is_there() -> io::Result<()> {
    let action: u32 = libc::SECCOMP_RET_USER_NOTIF;
    // SAFETY: the kernel reads one number and writes nothing.
    let done =
        unsafe { libc::syscall(libc::SYS_seccomp, libc::SECCOMP_GET_ACTION_AVAIL, 0, &raw const action) };
    if done < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
