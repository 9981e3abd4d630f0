//! Directories for what lives as long as supervisors do: which there are, and how one is made or opened so that nobody
//! else can put anything into it. Never follows a link at the end of a path.

use crate::io::kernel::random;
use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, OFlag, open};
use nix::sys::stat::{FileStat, Mode, fchmod, fstat, lstat, mkdirat, stat};
use nix::unistd::{Uid, UnlinkatFlags, unlinkat};
use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// Write permission for anybody but the owner.
const SHUT_TO_OTHERS: u32 = 0o022;
const ALL: u32 = 0o777;
/// How often a directory may be removed while it is opened.
pub(crate) const ATTEMPTS: u32 = 100;

/// What a directory is for: the mode it is made with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Control sockets: nobody else may even look, 0700.
    Control,
    /// The thunk: workers of other users must be able to read it, 0755.
    Thunk,
}

impl Purpose {
    /// The directory for the thunk is beside the one that is closed to others, not in it.
    fn end(self) -> &'static str {
        match self {
            Self::Control => "",
            Self::Thunk => "-thunk",
        }
    }
}

/// One directory that may serve, or may be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Home {
    pub(crate) path: PathBuf,
    /// Who runs the machine has chosen its mode; it stays as it is.
    pub(crate) given: bool,
}

/// The directories of this process's user for one purpose, the best first.
pub(crate) fn homes(purpose: Purpose) -> Vec<Home> {
    let variable = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    homes_for(purpose, variable, Uid::effective())
}

fn homes_for(purpose: Purpose, variable: impl Fn(&str) -> Option<OsString>, uid: Uid) -> Vec<Home> {
    let mut homes = Vec::new();
    if let Some(list) = variable("RUNTIME_DIRECTORY") {
        // The service manager gives a list when it was asked for several.
        let first = list.as_bytes().split(|&byte| byte == b':').next().unwrap_or_default();
        let path = PathBuf::from(OsStr::from_bytes(first));
        homes.push(match purpose {
            Purpose::Control => Home { path, given: true },
            Purpose::Thunk => Home { path: path.join("thunk"), given: false },
        });
    }
    let end = purpose.end();
    if uid.is_root() {
        // A service manager may have made it under this name for a cluster that it runs.
        homes.push(Home { path: format!("/run/clustermon{end}").into(), given: true });
    } else if let Some(directory) = variable("XDG_RUNTIME_DIR") {
        let path = PathBuf::from(directory).join(format!("clustermon{end}"));
        homes.push(Home { path, given: false });
    }
    homes.push(Home { path: format!("/tmp/clustermon-{uid}{end}").into(), given: false });
    homes
}

/// Directories to take where another user made the last of these first, so that nobody can keep one from starting: those
/// that this user has made for this before, and a new one that nobody can have foreseen if there is none.
pub(crate) fn spares(purpose: Purpose) -> Vec<Home> {
    spares_in(Path::new("/tmp"), purpose, Uid::effective())
}

fn spares_in(place: &Path, purpose: Purpose, uid: Uid) -> Vec<Home> {
    let taken = format!("clustermon-{uid}{}", purpose.end());
    let prefix = format!("{taken}.");
    let is_ours = |path: &PathBuf| open_existing(path, uid).is_ok();
    let entries = fs::read_dir(place).into_iter().flatten().flatten();
    let named = entries.filter(|entry| entry.file_name().as_bytes().starts_with(prefix.as_bytes()));
    let mut found: Vec<PathBuf> = named.map(|entry| entry.path()).filter(is_ours).collect();
    found.sort();
    let path = place.join(taken);
    if found.is_empty()
        && (path.symlink_metadata().is_ok() && !is_ours(&path))
        && let Ok(number) = random::number()
    {
        found.push(place.join(format!("{prefix}{number:016x}")));
    }
    found.into_iter().map(|path| Home { path, given: false }).collect()
}

/// Opens the directory, or makes it, and refuses one in which anybody else could put or swap a file.
pub(crate) fn open_or_make(home: &Home, purpose: Purpose, uid: Uid) -> Result<OwnedFd, String> {
    let wanted = match purpose {
        Purpose::Control => 0o700,
        Purpose::Thunk => 0o755,
    };
    check_parent(&home.path, uid)?;
    let mode = Mode::from_bits_truncate(wanted);
    let mut attempts = ATTEMPTS;
    let (made, (directory, status)) = loop {
        let made = match mkdirat(AT_FDCWD, &home.path, mode) {
            Ok(()) => true,
            Err(Errno::EEXIST) => false,
            Err(errno) => return Err(format!("cannot make the directory: {}", errno.desc())),
        };
        match open_directory(&home.path) {
            // A supervisor that ends removes it where it is the last: then it is made anew.
            Err(Errno::ENOENT) if attempts > 0 => attempts -= 1,
            opened => break (made, checked(opened, uid)?),
        }
    };
    let too_open = purpose == Purpose::Control && !home.given && status.st_mode & ALL & !wanted != 0;
    // Whatever the umask, where it was made just now.
    if made || too_open {
        fchmod(&directory, mode).map_err(|errno| errno.desc().to_owned())?;
    }
    Ok(directory)
}

/// Says why another directory is used than the one that one would look in: somebody may have meant that to happen.
pub(crate) fn tell_passed_over(what: &str, tried: &[(PathBuf, String)], used: &Path) {
    for (path, why) in tried.iter().filter(|(path, _)| path.symlink_metadata().is_ok()) {
        log::warn!("the directory {path:?} is not used for {what}: {why}; {used:?} is used instead");
    }
}

/// Opens a directory that is there; the same is refused.
pub(crate) fn open_existing(path: &Path, uid: Uid) -> Result<OwnedFd, String> {
    check_parent(path, uid)?;
    checked(open_directory(path), uid).map(|(directory, _)| directory)
}

fn check_parent(path: &Path, uid: Uid) -> Result<(), String> {
    let parent = path.parent().ok_or("it has no parent directory")?;
    let above = stat(parent).map_err(|errno| format!("{parent:?}: {}", errno.desc()))?;
    let sticky = above.st_mode & libc::S_ISVTX != 0;
    let owner = Uid::from_raw(above.st_uid);
    if (above.st_mode & SHUT_TO_OTHERS != 0 && !sticky) || (owner != uid && !owner.is_root()) {
        return Err(format!("others may rename what is in {parent:?}"));
    }
    Ok(())
}

fn open_directory(path: &Path) -> nix::Result<OwnedFd> {
    let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    open(path, flags, Mode::empty())
}

fn checked(opened: nix::Result<OwnedFd>, uid: Uid) -> Result<(OwnedFd, FileStat), String> {
    let directory = opened.map_err(|errno| match errno {
        Errno::ENOTDIR | Errno::ELOOP => "it is not a directory".to_owned(),
        errno => errno.desc().to_owned(),
    })?;
    let status = fstat(&directory).map_err(|errno| errno.desc().to_owned())?;
    if !is_ours(&status, uid) {
        return Err("it belongs to another user, or others may write to it".to_owned());
    }
    Ok((directory, status))
}

/// Removes the directory of this path if it is the one that is open here, and empty. Whoever calls it holds the lock on the
/// directory, and whoever wants to put something into it takes the lock and looks whether it `is_removed`.
pub(crate) fn remove_if_empty(path: &Path, directory: &OwnedFd) {
    let (Ok(there), Ok(own)) = (lstat(path), fstat(directory)) else { return };
    if (there.st_dev, there.st_ino) == (own.st_dev, own.st_ino) {
        // The kernel refuses where something is in it, or it is a place where a file system is mounted: then it stays.
        let _ = unlinkat(AT_FDCWD, path, UnlinkatFlags::RemoveDir);
    }
}

/// True if the directory that was opened by this path has been removed since.
pub(crate) fn is_removed(path: &Path, directory: &OwnedFd) -> bool {
    // Of a directory that lies in two layers an overlay counts no links.
    fstat(directory).is_ok_and(|status| status.st_nlink == 0) || matches!(lstat(path), Err(Errno::ENOENT))
}

/// Whether it belongs to the user, and nobody else may write to it.
pub(crate) fn is_ours(status: &FileStat, uid: Uid) -> bool {
    status.st_uid == uid.as_raw() && status.st_mode & SHUT_TO_OTHERS == 0
}

#[cfg(test)]
mod tests;
