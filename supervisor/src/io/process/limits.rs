//! What a process of this user may have at most, as the kernel tells. It changes no limit.

use std::mem::MaybeUninit;

/// How many descriptors the process may have; `None` if that is not told, or there is no end to it.
pub(crate) fn descriptors(pid: u32) -> Option<u64> {
    let pid = libc::pid_t::try_from(pid).ok()?;
    let mut found = MaybeUninit::<libc::rlimit>::uninit();
    // SAFETY: nothing is set, and the place for the answer is ours and as large as the kernel writes.
    let told = unsafe { libc::prlimit(pid, libc::RLIMIT_NOFILE, std::ptr::null(), found.as_mut_ptr()) };
    // SAFETY: it was written where the call did not fail.
    let limit = (told == 0).then(|| unsafe { found.assume_init() }.rlim_cur)?;
    (limit != libc::RLIM_INFINITY).then_some(limit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_this_process_and_of_none() {
        let own = nix::sys::resource::getrlimit(nix::sys::resource::Resource::RLIMIT_NOFILE).unwrap().0;
        assert_eq!(descriptors(std::process::id()), Some(own));
        assert_eq!(descriptors(u32::MAX), None);
    }
}
