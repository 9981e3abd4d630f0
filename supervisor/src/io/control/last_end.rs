//! How a cluster ended that did not end well: a small file beside its control socket, for who asks after it has gone. The next start
//! of the same name removes it. It is read only where nobody else can have written it.

use super::place::Place;
use super::runtime_dir::{self, Purpose};
use crate::api::Inspection;
use nix::errno::Errno;
use nix::fcntl::{OFlag, openat, renameat};
use nix::sys::stat::{Mode, fstat};
use nix::unistd::{Uid, UnlinkatFlags, unlinkat};
use serde::{Deserialize, Serialize};
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

/// How the name of such a file ends.
pub(crate) const ENDING: &str = "end";
/// More is in none: what workers wrote last is bounded.
const MOST: u64 = 16 << 20;

/// What is known of the end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LastEnd {
    pub(crate) name: String,
    /// Always `failed`, where a cluster that runs says how it is.
    pub(crate) state: String,
    /// In milliseconds since the Unix epoch.
    pub(crate) ended_at: u64,
    /// The supervisor's process.
    pub(crate) pid: u32,
    /// Its exit code; 2 where nothing was started.
    pub(crate) code: u8,
    /// One line for people.
    pub(crate) cause: String,
    /// The cluster as it was then, if it was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) inspection: Option<Inspection>,
}

impl LastEnd {
    /// Now, and of this process.
    pub(crate) fn now(name: &str, code: u8, cause: String, inspection: Option<Inspection>) -> Self {
        let ended_at = crate::io::machine::wall_clock::now();
        let (name, state, pid) = (name.to_owned(), "failed".to_owned(), std::process::id());
        Self { name, state, ended_at, pid, code, cause, inspection }
    }
}

impl LastEnd {
    /// Nothing was started, for the command itself is at fault: who gave it was told so.
    pub(crate) fn is_faulty_command(&self) -> bool {
        self.code == 2
    }
}

/// The file for the socket at this path.
pub(crate) fn beside(socket: &Path) -> PathBuf {
    socket.with_extension(ENDING)
}

/// Reads the file; `None` if there is none, or none of this user's.
pub(crate) fn read(path: &Path) -> Option<LastEnd> {
    let flags = OFlag::O_RDONLY | OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
    let (directory, file) = opened(path)?;
    let file = File::from(openat(&directory, file, flags, Mode::empty()).ok()?);
    let status = fstat(&file).ok().filter(|status| runtime_dir::is_ours(status, Uid::effective()))?;
    let mut text = String::new();
    let is_file = status.st_mode & libc::S_IFMT == libc::S_IFREG;
    file.take(MOST).read_to_string(&mut text).ok().filter(|_| is_file)?;
    serde_json::from_str(&text).ok()
}

/// Writes the file in the place of what is there, or does without where that cannot be: it changes nothing that the supervisor can do.
pub(crate) fn write(path: &Path, end: &LastEnd) {
    if let Some((directory, file)) = opened(path)
        && let Err(errno) = write_in(&directory, file, end)
    {
        log::debug!("how it ended cannot be kept in {path:?}: {}", errno.desc());
    }
}

/// The same where no socket was opened, of a cluster that was to have it there.
pub(crate) fn write_at(place: &Place, end: &LastEnd) {
    if let Some(path) = file_of(place) {
        write(&path, end);
    }
}

/// What was written of such a one.
pub(crate) fn read_at(place: &Place) -> Option<LastEnd> {
    read(&file_of(place)?)
}

/// In the directory that its socket would have been in, which is made if it is not there.
fn file_of(place: &Place) -> Option<PathBuf> {
    match place {
        Place::At(path) => Some(beside(&std::path::absolute(path).ok()?)),
        Place::Named { name, .. } => {
            let homes = runtime_dir::homes(Purpose::Control).into_iter();
            let mut homes = homes.chain(runtime_dir::spares(Purpose::Control));
            let usable = |home: &runtime_dir::Home| {
                runtime_dir::open_or_make(home, Purpose::Control, Uid::effective()).is_ok()
            };
            Some(homes.find(usable)?.path.join(format!("{name}.{ENDING}")))
        }
    }
}

/// Removes the file, if it is there. True if it was.
pub(crate) fn remove(path: &Path) -> bool {
    opened(path)
        .is_some_and(|(directory, file)| unlinkat(&directory, file, UnlinkatFlags::NoRemoveDir).is_ok())
}

/// The directory, which nobody else can write to, and the name in it.
fn opened(path: &Path) -> Option<(OwnedFd, &OsStr)> {
    let directory = runtime_dir::open_existing(path.parent()?, Uid::effective()).ok()?;
    Some((directory, path.file_name()?))
}

fn write_in(directory: &OwnedFd, file: &OsStr, end: &LastEnd) -> nix::Result<()> {
    let text = serde_json::to_vec(end).map_err(|_| Errno::EINVAL)?;
    let mut fresh = OsString::from(file);
    fresh.push(format!(".{}", std::process::id()));
    let flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    let mode = Mode::S_IRUSR | Mode::S_IWUSR;
    let mut written = File::from(openat(directory, fresh.as_os_str(), flags, mode)?);
    let done = written.write_all(&text).map_err(|error| Errno::from_raw(error.raw_os_error().unwrap_or(0)));
    let done = done.and_then(|()| renameat(directory, fresh.as_os_str(), directory, file));
    if done.is_err() {
        // Where there is no room it is to take none.
        let _ = unlinkat(directory, fresh.as_os_str(), UnlinkatFlags::NoRemoveDir);
    }
    done
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::scratch::Scratch;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn what_is_written_is_read_until_it_is_removed() {
        let scratch = Scratch::new();
        let path = beside(&scratch.dir("run", 0o700).join("a.b.sock"));
        assert!(path.ends_with("run/a.b.end") && read(&path).is_none());
        for cause in ["the first", "the second"] {
            let end = LastEnd::now("a.b", 1, cause.to_owned(), None);
            write(&path, &end);
            assert_eq!(read(&path), Some(end));
        }
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert!(remove(&path) && !remove(&path) && read(&path).is_none());
    }

    #[test]
    fn only_what_nobody_else_can_have_written_is_read() {
        let scratch = Scratch::new();
        let run = scratch.dir("run", 0o700);
        let path = run.join("web.end");
        write(&path, &LastEnd::now("web", 1, "why".to_owned(), None));
        std::os::unix::fs::symlink(&path, run.join("link.end")).unwrap();
        assert!(read(&run.join("link.end")).is_none());
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o666)).unwrap();
        assert!(read(&path).is_none());
        std::fs::write(run.join("odd.end"), "{}").unwrap();
        assert!(read(&run.join("odd.end")).is_none());
    }
}
