//! The way in which programs under s6 say that they are ready: a newline on a descriptor that they have inherited. A pipe
//! whose end is put there in the child, and the end that is read here; it decides nothing.

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, FdFlag, OFlag, fcntl};
use nix::unistd::{pipe2, read};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

/// Pieces of what is no newline that are read before others have their turn.
const BUDGET: usize = 16;

/// The end that is read, of one incarnation.
#[derive(Debug)]
pub(crate) struct S6Ready(OwnedFd);

/// What was found there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    Newline,
    /// Every copy of the other end is closed: it will never come.
    End,
    Nothing,
    /// There may be more.
    More,
}

/// The end for a child, on its way to the number that it is to have there.
#[derive(Debug)]
pub(crate) struct Told {
    end: OwnedFd,
    number: RawFd,
}

/// A pipe, and the number that its writing end gets in the child.
pub(crate) fn pipe(number: u16) -> io::Result<(S6Ready, Told)> {
    let number = RawFd::from(number);
    let (reader, writer) = pipe2(OFlag::O_CLOEXEC)?;
    fcntl(&reader, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
    // At the number itself, or because that is taken: so nothing that is opened for the spawn can have it.
    let end = fcntl(&writer, FcntlArg::F_DUPFD_CLOEXEC(number))?;
    // SAFETY: the kernel has just made it for us.
    let end = unsafe { OwnedFd::from_raw_fd(end) };
    Ok((S6Ready(reader), Told { end, number }))
}

impl Told {
    /// Puts the end where it is to be, open across exec. Only makes system calls: for between fork and exec.
    pub(crate) fn put(&self) -> io::Result<()> {
        if self.end.as_raw_fd() == self.number {
            fcntl(&self.end, FcntlArg::F_SETFD(FdFlag::empty()))?;
            return Ok(());
        }
        // SAFETY: no memory is involved; what has the number in this child is closed by exec anyway, as all of ours is.
        Errno::result(unsafe { libc::dup2(self.end.as_raw_fd(), self.number) })?;
        Ok(())
    }
}

impl S6Ready {
    /// Reads on to the first newline.
    pub(crate) fn look(&self) -> Found {
        let mut bytes = [0; 512];
        for _ in 0..BUDGET {
            match read(&self.0, &mut bytes) {
                Ok(0) => return Found::End,
                Ok(len) if bytes[..len].contains(&b'\n') => return Found::Newline,
                Ok(_) | Err(Errno::EINTR) => {}
                Err(Errno::EAGAIN) => return Found::Nothing,
                Err(_) => return Found::End,
            }
        }
        Found::More
    }
}

impl AsFd for S6Ready {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::unistd::write;

    #[test]
    fn what_comes_before_the_newline_is_read_over() {
        let (newline, told) = pipe(900).unwrap();
        assert_eq!(newline.look(), Found::Nothing);
        write(&told.end, &[b'x'; 512 * BUDGET + 1]).unwrap();
        assert_eq!(newline.look(), Found::More);
        assert_eq!(newline.look(), Found::Nothing);
        write(&told.end, b"ready\nand more").unwrap();
        assert_eq!(newline.look(), Found::Newline);
        drop(told);
        assert_eq!(newline.look(), Found::End);
    }

    #[test]
    fn the_end_does_not_outlive_an_exec_unless_it_is_put() {
        let (_newline, told) = pipe(901).unwrap();
        let flags = || fcntl(&told.end, FcntlArg::F_GETFD);
        assert_eq!((told.end.as_raw_fd(), flags()), (901, Ok(FdFlag::FD_CLOEXEC.bits())));
        told.put().unwrap();
        assert_eq!(flags(), Ok(0));
        // The number is taken: the end waits elsewhere.
        let (_other, second) = pipe(901).unwrap();
        assert!(second.end.as_raw_fd() > 901);
    }

    #[test]
    fn a_number_beyond_the_limit_is_an_error() {
        let limit = nix::sys::resource::getrlimit(nix::sys::resource::Resource::RLIMIT_NOFILE).unwrap().0;
        if let Ok(number) = u16::try_from(limit) {
            assert!(pipe(number).is_err());
        }
    }
}
