//! Writes the copy of the thunk that this program carries to a directory that only its owner can write to.
//! Whatever it finds there is trusted only if it is our own, closed to others, and the same byte for byte.

use crate::io::control::runtime_dir::{self, Home, Purpose, is_ours};
use nix::errno::Errno;
use nix::fcntl::{OFlag, openat, renameat};
use nix::sys::stat::{Mode, SFlag, fchmod, fstat};
use nix::unistd::{Uid, UnlinkatFlags, unlinkat};
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

/// The thunk as it was when this program was built.
pub(super) const EMBEDDED: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/libclustermon_thunk.so"));

const ATTEMPTS: u32 = 16;

/// The path of a file in `home` that holds `content`; written if it is not there. The reason if that cannot be.
pub(super) fn write(home: &Path, content: &[u8], uid: Uid) -> Result<PathBuf, String> {
    let place = Home { path: home.to_owned(), given: false };
    let directory = runtime_dir::open_or_make(&place, Purpose::Thunk, uid)?;
    // The content is compared, so that the hash need only tell versions apart.
    let name = format!("libclustermon_thunk-{:016x}.so", hash(content));
    if !is_written(&directory, &name, content, uid) {
        replace(&directory, &name, content)
            .map_err(|errno| format!("cannot write {name}: {}", errno.desc()))?;
    }
    Ok(home.join(name))
}

/// Whether the file is there as this function's caller would write it.
fn is_written(directory: impl AsFd, name: &str, content: &[u8], uid: Uid) -> bool {
    // Without O_NONBLOCK a FIFO of that name would hold the open for ever.
    let flags = OFlag::O_RDONLY | OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
    let Ok(file) = openat(directory, name, flags, Mode::empty()) else { return false };
    let Ok(status) = fstat(&file) else { return false };
    let regular = SFlag::from_bits_truncate(status.st_mode & SFlag::S_IFMT.bits()) == SFlag::S_IFREG;
    if !regular || !is_ours(&status, uid) || status.st_mode & 0o444 != 0o444 {
        return false;
    }
    let mut found = Vec::with_capacity(content.len() + 1);
    let read = File::from(file).take(content.len() as u64 + 1).read_to_end(&mut found);
    read.is_ok() && found == content
}

/// Writes the whole file under another name and renames it, so that nobody ever sees a part, and a worker that has
/// the old one mapped keeps it.
fn replace(directory: impl AsFd, name: &str, content: &[u8]) -> nix::Result<()> {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let mut last = Errno::EEXIST;
    for _ in 0..ATTEMPTS {
        let draft = format!(".{name}.{}.{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        match openat(&directory, draft.as_str(), flags, Mode::from_bits_truncate(0o600)) {
            Ok(file) => {
                let written = fill(File::from(file), content)
                    .and_then(|()| renameat(&directory, draft.as_str(), &directory, name));
                if written.is_err() {
                    // What went wrong before is what is told.
                    let _ = unlinkat(&directory, draft.as_str(), UnlinkatFlags::NoRemoveDir);
                }
                return written;
            }
            // Left by a process of the same number that died here.
            Err(Errno::EEXIST) => {}
            Err(errno) => {
                last = errno;
                break;
            }
        }
    }
    Err(last)
}

fn fill(mut file: File, content: &[u8]) -> nix::Result<()> {
    file.write_all(content).map_err(|error| error.raw_os_error().map_or(Errno::EIO, Errno::from_raw))?;
    fchmod(&file, Mode::from_bits_truncate(0o555))
}

/// FNV-1a.
fn hash(content: &[u8]) -> u64 {
    content
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash, &byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}
