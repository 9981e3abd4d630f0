//! When the file of the log is full, and how another takes its place: the full one gets a name with the time, and both streams of this
//! process lead to a new one. What becomes of full files is for others.

use super::folder::Folder;
use super::leading;
use super::older::{self, Keeper, Keeping};
use nix::errno::Errno;
use nix::sys::stat::{FileStat, fstat};
use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// When to try again what failed.
const AGAIN: Duration = Duration::from_secs(60);
/// So many names are tried, each a millisecond later.
const NAMES: u64 = 1000;

/// When a new file is begun, and what becomes of older ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rules {
    pub(crate) max_size: Option<u64>,
    pub(crate) max_age: Option<Duration>,
    pub(crate) keeping: Keeping,
}

/// Looks after one file.
#[derive(Debug)]
pub(super) struct Rotation {
    path: PathBuf,
    rules: Rules,
    keeper: Keeper,
    /// The file by its device and inode, and when it was made.
    known: Option<((u64, u64), SystemTime)>,
    /// After a failure: not before.
    not_before: Option<SystemTime>,
}

impl Rotation {
    pub(super) fn new(path: PathBuf, rules: Rules) -> io::Result<Self> {
        let keeper = Keeper::start(path.clone(), rules.keeping)?;
        Ok(Self { path, rules, keeper, known: None, not_before: None })
    }

    /// How much of this an empty file may hold: whole lines, and one at least.
    pub(super) fn fitting(&self, lines: &[u8]) -> usize {
        let most = self.rules.max_size.and_then(|most| usize::try_from(most).ok()).unwrap_or(usize::MAX);
        fitting(lines, most)
    }

    /// To be called before so many bytes are written.
    pub(super) fn before(&mut self, len: usize) {
        let now = now();
        if !self.is_due(len, now) || self.not_before.is_some_and(|then| now < then) {
            return;
        }
        match self.rotate(now) {
            Ok(()) => {
                self.not_before = None;
                self.keeper.tell();
            }
            Err(error) => {
                let path = self.path.display();
                if self.not_before.is_none() {
                    log::error!("the log {path} cannot be rotated and goes on growing: {error}");
                }
                self.not_before = now.checked_add(AGAIN);
            }
        }
    }

    fn is_due(&mut self, len: usize, now: SystemTime) -> bool {
        let Ok(status) = fstat(io::stderr()) else { return false };
        let size = u64::try_from(status.st_size).unwrap_or(0);
        // An empty file is never full, however long the line.
        if size == 0 || status.st_mode & nix::libc::S_IFMT != nix::libc::S_IFREG {
            return false;
        }
        let max_age = self.rules.max_age;
        let is_old = |born: SystemTime| {
            max_age.is_some_and(|most| now.duration_since(born).is_ok_and(|age| age >= most))
        };
        let is_large = self.rules.max_size.is_some_and(|most| size.saturating_add(len as u64) > most);
        is_large || is_old(self.born(&status, now))
    }

    /// When the file was made; where the file system does not know, when it was first seen.
    fn born(&mut self, status: &FileStat, now: SystemTime) -> SystemTime {
        let id = id(status);
        if let Some((known, born)) = self.known
            && known == id
        {
            return born;
        }
        let file = io::stderr().as_fd().try_clone_to_owned().map(File::from);
        let born = file.and_then(|file| file.metadata()?.created()).unwrap_or(now);
        self.known = Some((id, born));
        born
    }

    fn rotate(&self, now: SystemTime) -> io::Result<()> {
        let _alone = leading::alone();
        let (folder, log) = Folder::of(&self.path)?;
        let current = fstat(io::stderr())?;
        match folder.status(&log) {
            Ok(status) if id(&status) == id(&current) => {}
            // Somebody else has moved it away already, or laid another in its place.
            Ok(_) | Err(Errno::ENOENT) => return leading::lead_to(&folder.append(&log)?),
            Err(errno) => return Err(errno.into()),
        }
        let first = now.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64);
        let name = (first..first + NAMES).find_map(|ms| {
            let name = older::name(&log, ms);
            match folder.rename(&log, &name) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => None,
                done => Some(done.map(|()| name)),
            }
        });
        let name = name.unwrap_or_else(|| Err(io::ErrorKind::AlreadyExists.into()))?;
        let begun = folder.append(&log).and_then(|file| {
            // As the administrator has made the first one.
            leading::give_as(&file, &current);
            leading::lead_to(&file)
        });
        begun.inspect_err(|_| {
            // There is no other; if that fails too, it goes on under its new name.
            let _ = folder.rename(&name, &log);
        })
    }
}

fn fitting(lines: &[u8], most: usize) -> usize {
    let Some(head) = lines.get(..most) else { return lines.len() };
    let end = |bytes: &[u8]| bytes.iter().position(|byte| *byte == b'\n').map(|at| at + 1);
    let last = head.iter().rposition(|byte| *byte == b'\n').map(|at| at + 1);
    last.or_else(|| end(lines)).unwrap_or(lines.len())
}

fn id(status: &FileStat) -> (u64, u64) {
    (status.st_dev, status.st_ino)
}

#[expect(
    clippy::disallowed_methods,
    reason = "the age of a file is counted by the time of day, as its name is"
)]
fn now() -> SystemTime {
    SystemTime::now()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_lines_fit_and_one_always() {
        for (most, len) in [(100, 9), (9, 9), (8, 6), (6, 6), (5, 3), (2, 3), (0, 3)] {
            assert_eq!(fitting(b"ab\ncd\nef\n", most), len, "{most}");
        }
        assert_eq!(fitting(b"no end", 2), 6);
    }
}
