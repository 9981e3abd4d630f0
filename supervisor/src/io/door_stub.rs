//! Stub.
use std::os::fd::BorrowedFd;
pub(crate) fn close(_: BorrowedFd<'_>) -> std::io::Result<()> {
    Ok(())
}
pub(crate) fn is_empty(_: BorrowedFd<'_>) -> std::io::Result<bool> {
    Ok(true)
}
