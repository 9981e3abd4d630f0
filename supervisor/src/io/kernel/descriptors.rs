//! How many descriptors this process may still open. Some are kept for what must go on when the table is nearly full:
//! accepting, taking back, answering. It opens nothing that stays.

use nix::fcntl::{FcntlArg, fcntl};
use nix::sys::resource::{Resource, getrlimit};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, FromRawFd, OwnedFd};

/// Kept from what lasts: lanes, pages.
const RESERVE: u64 = 8;

/// What the supervisor opens for itself, and to start one worker: sockets, pipes, the control socket. With fewer nothing
/// can be started, which a test of the limits around it shows.
const NEEDED: u64 = 13;

/// How to get more.
const ADVICE: &str = "raise its limit (ulimit -n, LimitNOFILE=)";

/// The most that the table may hold.
pub(crate) fn limit() -> u64 {
    // It fails for no known resource.
    getrlimit(Resource::RLIMIT_NOFILE).map_or(u64::MAX, |(soft, _)| soft)
}

/// An error if there is no room for what a supervisor needs before its first worker runs. One that is a process of its own
/// raises the limit to what is allowed.
pub(crate) fn check(owns_process: bool) -> io::Result<()> {
    // It fails for no known resource.
    let allowed = getrlimit(Resource::RLIMIT_NOFILE).map_or(u64::MAX, |(_, hard)| hard);
    let most = if owns_process { allowed } else { limit() };
    // Where not even a copy can be made all are taken.
    let taken = lowest_free(io::stderr().as_fd()).unwrap_or_else(limit);
    if is_enough(taken, most) { Ok(()) } else { Err(io::Error::other(too_few(taken, most))) }
}

fn is_enough(taken: u64, most: u64) -> bool {
    taken.saturating_add(NEEDED) <= most
}

fn too_few(taken: u64, most: u64) -> String {
    let needed = taken.saturating_add(NEEDED);
    format!("this process may have {most} descriptors and needs {needed} or more; {ADVICE}")
}

/// What the system said, with what to do about it where the table of this process is full.
pub(crate) fn explain(error: &io::Error) -> String {
    match error.raw_os_error() {
        Some(libc::EMFILE) => format!("{error}: this process may have {} descriptors; {ADVICE}", limit()),
        _ => error.to_string(),
    }
}

/// True if one more descriptor that lasts would be taken from the reserve. `any` is any open descriptor.
pub(crate) fn are_scarce(any: BorrowedFd<'_>) -> bool {
    // The lowest free number is given out first: so many are taken, at least.
    lowest_free(any).is_none_or(|lowest| lowest + RESERVE >= limit())
}

/// True if there is room for one more.
pub(crate) fn is_there_one(any: BorrowedFd<'_>) -> bool {
    lowest_free(any).is_some()
}

fn lowest_free(any: BorrowedFd<'_>) -> Option<u64> {
    let copy = fcntl(any, FcntlArg::F_DUPFD_CLOEXEC(0)).ok()?;
    // SAFETY: the kernel has just made it for us.
    drop(unsafe { OwnedFd::from_raw_fd(copy) });
    u64::try_from(copy).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn too_few_are_told_with_the_limit() {
        assert!(is_enough(3, 3 + NEEDED) && !is_enough(3, 2 + NEEDED));
        assert_eq!(
            too_few(3, 10),
            "this process may have 10 descriptors and needs 16 or more; raise its limit (ulimit -n, LimitNOFILE=)"
        );
        assert!(check(true).is_ok() && check(false).is_ok(), "a limit of {}", limit());
    }

    #[test]
    fn only_a_full_table_is_explained() {
        let told = explain(&io::Error::from_raw_os_error(libc::EMFILE));
        assert!(
            told.starts_with("Too many open files") && told.contains("(ulimit -n, LimitNOFILE=)"),
            "{told}"
        );
        let other = io::Error::from_raw_os_error(libc::ENOENT);
        assert_eq!(explain(&other), other.to_string());
    }

    #[test]
    fn a_fresh_process_has_plenty() {
        let any = std::io::stderr();
        assert!(is_there_one(any.as_fd()));
        assert!(!are_scarce(any.as_fd()), "a limit of {}", limit());
    }
}
