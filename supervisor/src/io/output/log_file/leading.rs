//! Both streams of this process lead to the file of the log, one after the other to each that has its place. It opens none.

use nix::sys::stat::{FileStat, Mode, fchmod};
use nix::unistd::{Gid, Uid, dup2_stderr, dup2_stdout, fchown};
use parking_lot::Mutex;
use std::fs::File;
use std::io;
use std::time::Duration;

/// Held by who lets the streams lead to another file: two at a time could leave them at one that was moved away.
static CHANGING: Mutex<()> = Mutex::new(());
/// So long is waited for who is at it, by who serves others meanwhile.
const PATIENCE: Duration = Duration::from_millis(100);

/// Nobody else lets the streams lead elsewhere as long as what is returned is kept.
pub(super) fn alone() -> impl Drop {
    CHANGING.lock()
}

/// The same, for who cannot wait for long.
pub(super) fn soon_alone() -> Option<impl Drop> {
    CHANGING.try_lock_for(PATIENCE)
}

/// Lets both streams lead there. Whoever writes meanwhile writes to the one or to the other.
pub(super) fn lead_to(file: &File) -> io::Result<()> {
    dup2_stdout(file)?;
    dup2_stderr(file)?;
    Ok(())
}

/// Gives a new file the owner and the rights of the one before it, as far as this process may.
pub(super) fn give_as(file: &File, before: &FileStat) {
    let (user, group) = (Uid::from_raw(before.st_uid), Gid::from_raw(before.st_gid));
    if fchown(file, Some(user), Some(group)).is_err() {
        let _ = fchown(file, None, Some(group));
    }
    let _ = fchmod(file, Mode::from_bits_truncate(before.st_mode & 0o666));
}
