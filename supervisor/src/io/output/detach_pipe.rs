//! Between a supervisor in the background and the command that started it: what is logged and passed on until the cluster
//! is ready, and that it is. Whoever is not there any more is no fault.

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, FdFlag, OFlag, fcntl};
use nix::sys::stat::{SFlag, fstat, stat};
use nix::unistd::{pipe2, write};
use parking_lot::{Mutex, MutexGuard};
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

/// Two descriptors, each with its device and inode: only who has inherited them takes them for meant.
pub(crate) const VARIABLE: &str = "CLUSTERMON_DETACHED";

/// The background's side.
#[derive(Debug, Default)]
pub(crate) struct DetachPipe(Option<OwnedFd>);

impl DetachPipe {
    /// Tells nobody, unless this process was started by `run --detach`.
    pub(crate) fn from_env() -> Self {
        Self(inherited(std::env::var_os(VARIABLE).as_deref(), 0))
    }

    /// Whether somebody waits for the cluster to be ready who could not read anywhere else what a worker writes until then,
    /// for this process's stderr is `/dev/null`.
    pub(crate) fn is_only_reader(&self) -> bool {
        self.0.is_some() && is_null(io::stderr())
    }

    /// Says under which name the cluster is ready. Only the first time counts.
    pub(crate) fn tell(&mut self, name: &str) {
        if let Some(pipe) = self.0.take() {
            // Less than a pipe holds, and nobody else writes to it.
            let _ = write(&pipe, format!("{name}\n").as_bytes());
        }
    }
}

/// Whether this is `/dev/null`.
fn is_null(fd: impl AsFd) -> bool {
    let (Ok(this), Ok(null)) = (fstat(fd), stat("/dev/null")) else { return false };
    let is_device = SFlag::from_bits_truncate(this.st_mode & SFlag::S_IFMT.bits()) == SFlag::S_IFCHR;
    is_device && this.st_rdev == null.st_rdev
}

/// A copy of what goes to stdout and stderr for as long as somebody waits.
#[derive(Debug, Default)]
pub(crate) struct Mirror(Option<OwnedFd>);

impl Mirror {
    /// Copies nothing, unless this process was started by `run --detach`.
    pub(crate) fn from_env() -> Self {
        Self(inherited(std::env::var_os(VARIABLE).as_deref(), 1))
    }

    /// Whether somebody waits.
    pub(crate) fn is_read(&self) -> bool {
        self.0.is_some()
    }

    /// Never waits: what does not fit is not copied.
    pub(crate) fn put(&mut self, lines: &[u8]) {
        if let Some(pipe) = &self.0
            && let Err(errno) = write(pipe, lines)
            && !matches!(errno, Errno::EAGAIN | Errno::EINTR)
        {
            self.0 = None;
        }
    }
}

/// A copy of the descriptor at that place of the variable's value, if it is what the value says. The original is kept
/// from processes that are started from now on.
fn inherited(value: Option<&OsStr>, place: usize) -> Option<OwnedFd> {
    let entry = value?.to_str()?.split(',').nth(place)?;
    let mut numbers = entry.split(':').map(str::parse::<u64>);
    let mut next = || numbers.next()?.ok();
    let (fd, device, inode) = (RawFd::try_from(next()?).ok()?, next()?, next()?);
    // SAFETY: whether it is open is the question; nothing in this process closes what it has inherited.
    let fd = unsafe { BorrowedFd::borrow_raw(fd) };
    let status = fstat(fd).ok()?;
    let is_pipe = SFlag::from_bits_truncate(status.st_mode & SFlag::S_IFMT.bits()) == SFlag::S_IFIFO;
    if !is_pipe || (status.st_dev, status.st_ino) != (device, inode) {
        return None;
    }
    fcntl(fd, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC)).ok()?;
    let copy = fcntl(fd, FcntlArg::F_DUPFD_CLOEXEC(3)).ok()?;
    // SAFETY: the kernel has just made it for us.
    Some(unsafe { OwnedFd::from_raw_fd(copy) })
}

/// The ends that the one who waits reads from.
#[derive(Debug)]
pub(crate) struct Waiting {
    /// The name, and the end of the line; or nothing, if it failed.
    pub(crate) ready: OwnedFd,
    pub(crate) log: OwnedFd,
}

/// Held while ends lie open for who is started: another process that is started meanwhile would inherit them too, and nobody would see
/// that the first one has ended.
static STARTING: Mutex<()> = Mutex::new(());

/// The ends that the background inherits; to be dropped once it is started. One process is started at a time.
#[derive(Debug)]
pub(crate) struct Inherited {
    ready: OwnedFd,
    log: OwnedFd,
    _alone: MutexGuard<'static, ()>,
}

impl Inherited {
    /// What the background must find in its environment under [`VARIABLE`].
    pub(crate) fn value(&self) -> io::Result<OsString> {
        let entry = |fd: &OwnedFd| {
            let status = fstat(fd)?;
            nix::Result::Ok(format!("{}:{}:{}", fd.as_raw_fd(), status.st_dev, status.st_ino))
        };
        Ok(format!("{},{}", entry(&self.ready)?, entry(&self.log)?).into())
    }
}

/// Both pipes. What is started while `Inherited` lives inherits its ends.
pub(crate) fn pipes() -> io::Result<(Waiting, Inherited)> {
    let alone = STARTING.lock();
    let (ready, tell) = pipe2(OFlag::O_CLOEXEC)?;
    let (log, copy) = pipe2(OFlag::O_CLOEXEC)?;
    for fd in [&tell, &copy] {
        fcntl(fd, FcntlArg::F_SETFD(FdFlag::empty()))?;
    }
    fcntl(&copy, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
    Ok((Waiting { ready, log }, Inherited { ready: tell, log: copy, _alone: alone }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;
    use std::io::Read;

    fn read(fd: OwnedFd) -> String {
        let mut text = String::new();
        File::from(fd).read_to_string(&mut text).unwrap();
        text
    }

    #[test]
    fn what_is_told_arrives_once() {
        let (waiting, ends) = pipes().unwrap();
        let value = ends.value().unwrap();
        let mut ready = DetachPipe(inherited(Some(&value), 0));
        let mut mirror = Mirror(inherited(Some(&value), 1));
        assert!(ready.0.is_some() && mirror.0.is_some());
        for fd in [&ends.ready, &ends.log] {
            assert_eq!(fcntl(fd, FcntlArg::F_GETFD), Ok(FdFlag::FD_CLOEXEC.bits()));
        }
        drop(ends);
        mirror.put(b"one\n");
        mirror.put(b"two\n");
        ready.tell("web-2");
        ready.tell("web-2");
        drop(mirror);
        assert_eq!(read(waiting.ready), "web-2\n");
        assert_eq!(read(waiting.log), "one\ntwo\n");
    }

    #[test]
    fn the_null_device_is_recognised() {
        assert!(is_null(File::open("/dev/null").unwrap()));
        assert!(!is_null(File::open("/dev/zero").unwrap()));
        assert!(!is_null(File::open("/dev").unwrap()));
        assert!(!DetachPipe::default().is_only_reader(), "nobody waits");
    }

    #[test]
    fn nobody_waits_for_a_reader() {
        let (waiting, ends) = pipes().unwrap();
        let value = ends.value().unwrap();
        let mut mirror = Mirror(inherited(Some(&value), 1));
        for _ in 0..10_000 {
            mirror.put(&[b'x'; 100]);
        }
        let mut ready = DetachPipe(inherited(Some(&value), 0));
        drop(waiting);
        mirror.put(b"gone");
        assert!(mirror.0.is_none());
        ready.tell("gone");
    }

    #[test]
    fn what_was_not_meant_is_not_taken() {
        let (_waiting, ends) = pipes().unwrap();
        let good = ends.value().unwrap().into_string().unwrap();
        let (first, _) = good.split_once(',').unwrap();
        let fd = first.split(':').next().unwrap();
        for bad in ["", "x", "1:2", "-1:0:0", "999999:1:1", &format!("{fd}:1:1"), &first.replace(fd, "0")] {
            assert!(inherited(Some(OsStr::new(bad)), 0).is_none(), "{bad}");
        }
        assert!(inherited(Some(OsStr::new(first)), 1).is_none());
        assert!(inherited(None, 0).is_none());
    }
}
