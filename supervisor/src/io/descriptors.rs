//! How many descriptors this process may still open. Some are kept for what must go on when the table is nearly full:
//! accepting, taking back, answering. It opens nothing that stays.

use nix::fcntl::{FcntlArg, fcntl};
use nix::sys::resource::{Resource, getrlimit};
use std::os::fd::{BorrowedFd, FromRawFd, OwnedFd};

/// Kept from what lasts: lanes, pages.
const RESERVE: u64 = 8;

/// The most that the table may hold.
pub(crate) fn limit() -> u64 {
    // It fails for no known resource.
    getrlimit(Resource::RLIMIT_NOFILE).map_or(u64::MAX, |(soft, _)| soft)
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
    use std::os::fd::AsFd;

    #[test]
    fn a_fresh_process_has_plenty() {
        let any = std::io::stderr();
        assert!(is_there_one(any.as_fd()));
        assert!(!are_scarce(any.as_fd()), "a limit of {}", limit());
    }
}
