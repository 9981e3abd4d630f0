//! The heap of this process. It allocates nothing.

/// Gives pages that are free back to the kernel, where the C library can: after the start much is, of which nothing is needed again.
pub(crate) fn give_back_what_is_free() {
    #[cfg(target_env = "gnu")]
    // SAFETY: any thread may call it at any time; nothing that is allocated is touched.
    unsafe {
        libc::malloc_trim(0);
    }
}
