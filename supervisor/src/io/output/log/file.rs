//! The file that a supervisor in the background writes to, by its stdout and stderr, and that it opens anew when that was
//! moved away. It is never written to from here.

use nix::unistd::{dup2_stderr, dup2_stdout};
use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// One for the whole process, as the two streams are.
static PATH: OnceLock<PathBuf> = OnceLock::new();

/// Remembers which file it is. Only the first time counts.
pub(crate) fn remember(path: &Path) {
    // Where the working directory cannot be told it stays relative: nobody here changes that directory.
    let _ = PATH.set(std::path::absolute(path).unwrap_or_else(|_| path.to_owned()));
}

/// Whether there is one.
pub(crate) fn is_remembered() -> bool {
    PATH.get().is_some()
}

/// Opens the file, for what is added at its end. The same way for the first time and for all others.
pub(crate) fn open(path: &Path) -> io::Result<File> {
    File::options().append(true).create(true).open(path)
}

/// Lets both streams lead to the file that has the path now; returns the path, if there is one.
pub(crate) fn reopen() -> io::Result<Option<&'static Path>> {
    let Some(path) = PATH.get() else { return Ok(None) };
    let file = open(path).map_err(|error| io::Error::new(error.kind(), format!("{path:?}: {error}")))?;
    // Whoever writes meanwhile writes to the one or to the other.
    dup2_stdout(&file)?;
    dup2_stderr(&file)?;
    Ok(Some(path))
}

/// Where the log is: the file that was asked for, else the one to which stderr leads, if that is a file.
pub(crate) fn place() -> Option<PathBuf> {
    let lead = || is_file(io::stderr()).then(|| std::fs::read_link("/proc/self/fd/2").ok()).flatten();
    PATH.get().cloned().or_else(lead)
}

/// The files to which this process writes what it has to say: that of the log, and those that its streams lead to.
pub(crate) fn all() -> Vec<PathBuf> {
    let lead = |fd: &str| std::fs::read_link(fd).ok();
    let stdout = is_file(io::stdout()).then(|| lead("/proc/self/fd/1")).flatten();
    let stderr = is_file(io::stderr()).then(|| lead("/proc/self/fd/2")).flatten();
    let logged = PATH.get().map(|path| std::fs::canonicalize(path).unwrap_or_else(|_| path.clone()));
    [logged, stdout, stderr].into_iter().flatten().collect()
}

/// Whether this leads to an ordinary file.
pub(crate) fn is_file(fd: impl AsFd) -> bool {
    let kind = nix::sys::stat::fstat(fd).map(|status| status.st_mode & nix::libc::S_IFMT);
    kind == Ok(nix::libc::S_IFREG)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::scratch::Scratch;
    use std::io::Write;

    #[test]
    fn what_is_there_stays() {
        let scratch = Scratch::new();
        let path = scratch.path().join("log");
        for line in ["one\n", "two\n"] {
            open(&path).unwrap().write_all(line.as_bytes()).unwrap();
        }
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "one\ntwo\n");
        assert!(is_file(File::open(&path).unwrap()));
        assert!(!is_file(File::open("/dev/null").unwrap()) && !is_file(File::open(scratch.path()).unwrap()));
        assert!(open(&scratch.path().join("missing/log")).is_err());
    }
}
