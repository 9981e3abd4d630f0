//! Where execvp would find a program, and why it would not.

use super::ProgramError;
use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, AtFlags};
use nix::unistd::{AccessFlags, faccessat};
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// Searched where PATH is not set at all.
pub(super) const DEFAULT_PATH: &str = "/bin:/usr/bin";

/// The file that executing `name` would execute. A name with a slash is a path; else each entry of `search_path` is
/// tried, an empty one being the current directory, and one that cannot be executed does not end the search.
pub(super) fn find(name: &OsStr, search_path: &OsStr) -> Result<PathBuf, ProgramError> {
    if name.as_bytes().contains(&b'/') {
        return executable(Path::new(name));
    }
    let mut denied = None;
    if !name.is_empty() {
        for entry in search_path.as_bytes().split(|&byte| byte == b':') {
            let directory =
                if entry.is_empty() { Path::new(".") } else { Path::new(OsStr::from_bytes(entry)) };
            match executable(&directory.join(name)) {
                Ok(path) => return Ok(path),
                Err(ProgramError::NoSuchFile(_)) => {}
                Err(error) => denied = denied.or(Some(error)),
            }
        }
    }
    Err(denied
        .unwrap_or_else(|| ProgramError::NotInPath { name: name.to_owned(), path: search_path.to_owned() }))
}

/// The path itself, if the kernel would take it for a program to start.
pub(super) fn executable(path: &Path) -> Result<PathBuf, ProgramError> {
    let status = fs::metadata(path).map_err(|source| match source.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => ProgramError::NoSuchFile(path.to_owned()),
        _ => ProgramError::Io { path: path.to_owned(), source },
    })?;
    if status.is_dir() {
        return Err(ProgramError::IsDirectory(path.to_owned()));
    }
    let allowed = faccessat(AT_FDCWD, path, AccessFlags::X_OK, AtFlags::AT_EACCESS);
    match allowed {
        Ok(()) if status.is_file() => Ok(path.to_owned()),
        Ok(()) | Err(Errno::EACCES) => Err(ProgramError::NotExecutable(path.to_owned())),
        Err(errno) => Err(ProgramError::Io { path: path.to_owned(), source: errno.into() }),
    }
}
