//! The file that a supervisor in the background writes to, by its stdout and stderr, and that it opens anew when that was
//! moved away. It is never written to from here.

use super::folder::Folder;
use super::leading;
use super::rotation::{Rotation, Rules};
use nix::errno::Errno;
use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// One for the whole process, as the two streams are.
static LOG: OnceLock<Log> = OnceLock::new();

/// Names for streams of this process, which are links on every machine and nobody else's.
const STREAMS: [&str; 3] = ["/dev/stdout", "/dev/stderr", "/dev/fd"];

#[derive(Debug)]
struct Log {
    path: PathBuf,
    /// When a new file is begun, if ever.
    rules: Option<Rules>,
}

/// Remembers which file it is, and when another takes its place. Only the first time counts.
pub(crate) fn remember(path: &Path, rules: Option<Rules>) {
    // Where the working directory cannot be told it stays relative: nobody here changes that directory.
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let _ = LOG.set(Log { path, rules });
}

/// Whether there is one.
pub(crate) fn is_remembered() -> bool {
    LOG.get().is_some()
}

/// Whether both streams lead to it, and it is an ordinary file.
pub(in crate::io::output) fn is_written() -> bool {
    is_remembered() && is_file(io::stderr()) && is_file(io::stdout())
}

/// What looks after its size and age, if somebody is to.
pub(super) fn rotation() -> io::Result<Option<Rotation>> {
    let rotating = LOG.get().and_then(|log| Some((log.path.clone(), log.rules?)));
    rotating.map(|(path, rules)| Rotation::new(path, rules)).transpose()
}

/// Opens the file, for what is added at its end. The same way for the first time and for all others: never through a link.
pub(crate) fn open(path: &Path) -> io::Result<File> {
    if STREAMS.iter().any(|stream| path.starts_with(stream)) {
        return File::options().append(true).open(path);
    }
    if let Some(fault) = fault_of_folder(path) {
        return Err(io::Error::other(fault));
    }
    let (folder, name) = Folder::of(path)?;
    folder.append(&name).map_err(|error| match error.raw_os_error().map(Errno::from_raw) {
        Some(Errno::ELOOP) => io::Error::other(
            "it is a link, and a log is not written through one: give the path of the file itself",
        ),
        Some(Errno::ENXIO) => io::Error::other("it is a pipe that nobody reads"),
        _ => error,
    })
}

/// Why nothing can be opened at this path, if that is because of its folder, which is never made here: nobody has said whose it is to be.
pub(crate) fn fault_of_folder(path: &Path) -> Option<String> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    match std::fs::metadata(folder) {
        Ok(found) if found.is_dir() => None,
        Ok(_) => Some(format!("{folder:?} is no folder")),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Some(format!("there is no folder {folder:?}: make it first"))
        }
        Err(error) => Some(format!("{folder:?}: {error}")),
    }
}

/// Lets both streams lead to the file that has the path now; returns the path, if there is one.
pub(crate) fn reopen() -> io::Result<Option<&'static Path>> {
    let Some(Log { path, .. }) = LOG.get() else { return Ok(None) };
    let named = |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", path.display()));
    let _alone = leading::soon_alone().ok_or_else(|| named(io::Error::other("it is being rotated")))?;
    leading::lead_to(&open(path).map_err(named)?)?;
    Ok(Some(path))
}

/// Where the log is: the file that was asked for, else the one to which stderr leads, if that is a file.
pub(crate) fn place() -> Option<PathBuf> {
    let lead = || is_file(io::stderr()).then(|| std::fs::read_link("/proc/self/fd/2").ok()).flatten();
    LOG.get().map(|log| log.path.clone()).or_else(lead)
}

/// The files to which this process writes what it has to say: that of the log, and those that its streams lead to.
pub(crate) fn all() -> Vec<PathBuf> {
    let lead = |fd: &str| std::fs::read_link(fd).ok();
    let stdout = is_file(io::stdout()).then(|| lead("/proc/self/fd/1")).flatten();
    let stderr = is_file(io::stderr()).then(|| lead("/proc/self/fd/2")).flatten();
    let logged = LOG.get().map(|log| std::fs::canonicalize(&log.path).unwrap_or_else(|_| log.path.clone()));
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
    fn a_folder_that_is_not_there_is_named() {
        let scratch = Scratch::new();
        let told = |path: &str| fault_of_folder(&scratch.path().join(path));
        assert_eq!(told("log"), None);
        assert_eq!(fault_of_folder(Path::new("log")), None);
        let missing = told("logs/log").unwrap();
        assert!(missing.starts_with("there is no folder \"") && missing.ends_with("logs\": make it first"));
        assert_eq!(open(&scratch.path().join("logs/log")).unwrap_err().to_string(), missing);
        scratch.file("file", "", 0o600);
        assert!(told("file/log").unwrap().ends_with("file\" is no folder"));
    }

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
        std::os::unix::fs::symlink(&path, scratch.path().join("link")).unwrap();
        let refused = open(&scratch.path().join("link")).unwrap_err().to_string();
        assert!(refused.starts_with("it is a link"), "{refused}");
    }
}
