//! Finds a file of the thunk that workers can load: the one that was named, one that lies beside this program, or
//! the copy inside it, written to a runtime directory. It never loads the thunk.

mod extract;
mod kept;

pub(crate) use kept::Thunk;

use super::elf::{self, Found, Kind};
use crate::io::control::runtime_dir::{self, Purpose};
use nix::sys::mman::{MapFlags, ProtFlags, mmap, munmap};
use nix::unistd::Uid;
use std::ffi::OsString;
use std::fmt;
use std::fs::{self, File};
use std::num::NonZeroUsize;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// The file's name wherever it lies as a file of its own.
const FILE_NAME: &str = "libclustermon_thunk.so";
/// Names the thunk where no option does.
const VARIABLE: &str = "CLUSTERMON_THUNK";

/// No file of the thunk that workers could load.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ThunkError {
    /// The one that was asked for cannot be used; no other is tried.
    #[error("the thunk {path:?}, given by {by}, cannot be used: {why}")]
    Named {
        /// The option or variable.
        by: &'static str,
        /// What it says.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// None was found, and none could be written.
    #[error("no thunk can be used: {}; give the path of one by --thunk", Tried(.0))]
    Unusable(Vec<(PathBuf, String)>),
}

impl ThunkError {
    /// Whether it is the caller's input that is at fault.
    pub(crate) fn is_input(&self) -> bool {
        matches!(self, Self::Named { .. })
    }
}

/// What was tried, with why it failed, on one line.
struct Tried<'a>(&'a [(PathBuf, String)]);

impl fmt::Display for Tried<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (path, why)) in self.0.iter().enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            write!(f, "{comma}{path:?} ({why})")?;
        }
        Ok(())
    }
}

/// The absolute path of a thunk, checked: a shared object of this machine that may be mapped executable, under a
/// path that the dynamic linker takes as one word.
pub(crate) fn locate(explicit: Option<&Path>) -> Result<PathBuf, ThunkError> {
    Search::current().locate(explicit)
}

/// Where to look.
#[derive(Clone, Debug)]
struct Search {
    by_variable: Option<OsString>,
    /// The directory of this program, if the system tells.
    beside: Option<PathBuf>,
    /// Directories that the embedded copy may be written to, the best first.
    homes: Vec<PathBuf>,
    /// Where to write it if none of these will do, because others were there first.
    spares: fn() -> Vec<PathBuf>,
    uid: Uid,
}

impl Search {
    fn current() -> Self {
        let variable = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
        let uid = Uid::effective();
        let homes = runtime_dir::homes(Purpose::Thunk).into_iter().map(|home| home.path).collect();
        let program = std::env::current_exe().and_then(fs::canonicalize).ok();
        let beside = program.and_then(|program| program.parent().map(Path::to_owned));
        let spares = || runtime_dir::spares(Purpose::Thunk).into_iter().map(|home| home.path).collect();
        Self { by_variable: variable(VARIABLE), beside, homes, spares, uid }
    }

    fn locate(&self, explicit: Option<&Path>) -> Result<PathBuf, ThunkError> {
        let named = match (explicit, &self.by_variable) {
            (Some(path), _) => Some(("--thunk", path)),
            (None, Some(path)) => Some((VARIABLE, Path::new(path))),
            (None, None) => None,
        };
        if let Some((by, path)) = named {
            let fault = |why: String| ThunkError::Named { by, path: path.to_owned(), why };
            let path = std::path::absolute(path).map_err(|error| fault(error.to_string()))?;
            return check(&path).map(|()| path).map_err(fault);
        }
        let mut tried = Vec::new();
        for directory in
            self.beside.iter().flat_map(|beside| [beside.clone(), beside.join("../lib/clustermon")])
        {
            let path = directory.join(FILE_NAME);
            let usable = fs::canonicalize(&path)
                .map_err(|error| error.to_string())
                .and_then(|path| check(&path).and_then(|()| self.check_reach(&path)).map(|()| path));
            match usable {
                Ok(path) => return Ok(path),
                Err(why) => tried.push((path, why)),
            }
        }
        self.write(tried)
    }

    /// The copy that this program carries, written where that is possible; `tried` is what was no good before.
    fn write(&self, mut tried: Vec<(PathBuf, String)>) -> Result<PathBuf, ThunkError> {
        let files = tried.len();
        let spares = std::iter::once_with(self.spares).flatten();
        for home in self.homes.iter().cloned().chain(spares) {
            let usable = check_word(&home)
                .and_then(|()| extract::write(&home, extract::EMBEDDED, self.uid))
                .and_then(|path| check(&path).and_then(|()| self.check_reach(&path)).map(|()| path));
            match usable {
                Ok(path) => {
                    runtime_dir::tell_passed_over("the thunk", &tried[files..], &home);
                    return Ok(path);
                }
                Err(why) => tried.push((home, why)),
            }
        }
        Err(ThunkError::Unusable(tried))
    }

    /// Root's workers may become another user and start further programs as such: those must be able to read it too.
    fn check_reach(&self, path: &Path) -> Result<(), String> {
        if !self.uid.is_root() {
            return Ok(());
        }
        for (index, part) in path.ancestors().enumerate() {
            let needed = if index == 0 { 0o004 } else { 0o001 };
            let mode = fs::metadata(part).map_err(|error| format!("{part:?}: {error}"))?.permissions().mode();
            if mode & needed == 0 {
                return Err(format!(
                    "workers that run as another user could not read it, for the mode of {part:?}"
                ));
            }
        }
        Ok(())
    }
}

/// Whether this is a file that the dynamic linker of a worker would load.
fn check(path: &Path) -> Result<(), String> {
    check_word(path)?;
    let file = File::open(path).map_err(|error| error.to_string())?;
    let status = file.metadata().map_err(|error| error.to_string())?;
    if !status.is_file() {
        return Err("it is not a regular file".to_owned());
    }
    match elf::read(&file).map_err(|error| error.to_string())? {
        Found::NotElf => return Err("it is not a shared object".to_owned()),
        Found::Foreign(which) => return Err(format!("it is for another architecture ({which})")),
        Found::Ours(elf) if elf.kind != Kind::SharedObject || elf.has_interpreter => {
            return Err("it is not a shared object".to_owned());
        }
        Found::Ours(_) => {}
    }
    check_mappable(&file, status.len()).map_err(|error| {
        format!("it cannot be mapped executable, as on a file system mounted noexec: {}", error.desc())
    })
}

/// The linker splits LD_PRELOAD at blanks and colons, knows no quotes, and expands `$ORIGIN` and its like.
fn check_word(path: &Path) -> Result<(), String> {
    let odd = |byte: &u8| byte.is_ascii_whitespace() || matches!(byte, b':' | b'$' | 0x0b);
    match path.as_os_str().as_bytes().iter().find(|byte| odd(byte)) {
        Some(&byte) => {
            Err(format!("the dynamic linker does not take a path with {:?} in it", char::from(byte)))
        }
        None => Ok(()),
    }
}

/// Tries what the linker will do.
fn check_mappable(file: &File, len: u64) -> nix::Result<()> {
    let len = usize::try_from(len).ok().and_then(NonZeroUsize::new).ok_or(nix::errno::Errno::EINVAL)?;
    // SAFETY: the kernel chooses a free range for a private mapping, which nothing refers to or reads.
    let mapped = unsafe {
        mmap(None, len, ProtFlags::PROT_READ | ProtFlags::PROT_EXEC, MapFlags::MAP_PRIVATE, file, 0)
    }?;
    // SAFETY: exactly the range that was mapped above, to which no reference exists.
    unsafe { munmap(mapped, len.get()) }
}

#[cfg(test)]
mod tests;
