//! Random bytes from the kernel, for tokens, names and the seed of the jitter. Nothing is generated here.

use std::io;

/// Fills an array.
pub(crate) fn bytes<const N: usize>() -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    // SAFETY: the buffer is ours for its length; so few bytes are never cut short once the pool is ready.
    let filled = unsafe { libc::getrandom(bytes.as_mut_ptr().cast(), N, 0) };
    if filled == N as isize { Ok(bytes) } else { Err(io::Error::last_os_error()) }
}

/// A 64-bit number.
pub(crate) fn number() -> io::Result<u64> {
    Ok(u64::from_ne_bytes(bytes()?))
}
