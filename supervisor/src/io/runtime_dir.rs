//! Directories for what lives as long as supervisors do: which there are, and how one is made or opened so that nobody
//! else can put anything into it. Never follows a link at the end of a path.

use super::random;
use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, OFlag, open};
use nix::sys::stat::{FileStat, Mode, fchmod, fstat, mkdirat, stat};
use nix::unistd::Uid;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// Write permission for anybody but the owner.
const SHUT_TO_OTHERS: u32 = 0o022;
const ALL: u32 = 0o777;

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
    let made = match mkdirat(AT_FDCWD, &home.path, mode) {
        Ok(()) => true,
        Err(Errno::EEXIST) => false,
        Err(errno) => return Err(format!("cannot make the directory: {}", errno.desc())),
    };
    let (directory, status) = open_checked(&home.path, uid)?;
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
    open_checked(path, uid).map(|(directory, _)| directory)
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

fn open_checked(path: &Path, uid: Uid) -> Result<(OwnedFd, FileStat), String> {
    let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    let directory = open(path, flags, Mode::empty()).map_err(|errno| match errno {
        Errno::ENOTDIR | Errno::ELOOP => "it is not a directory".to_owned(),
        errno => errno.desc().to_owned(),
    })?;
    let status = fstat(&directory).map_err(|errno| errno.desc().to_owned())?;
    if !is_ours(&status, uid) {
        return Err("it belongs to another user, or others may write to it".to_owned());
    }
    Ok((directory, status))
}

/// Whether it belongs to the user, and nobody else may write to it.
pub(crate) fn is_ours(status: &FileStat, uid: Uid) -> bool {
    status.st_uid == uid.as_raw() && status.st_mode & SHUT_TO_OTHERS == 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::scratch::Scratch;
    use std::os::unix::fs::MetadataExt;

    fn paths(purpose: Purpose, variables: &[(&str, &str)], uid: u32) -> Vec<String> {
        let variable = |name: &str| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| OsString::from(value))
        };
        let homes = homes_for(purpose, variable, Uid::from_raw(uid));
        homes.into_iter().map(|home| home.path.display().to_string()).collect()
    }

    #[test]
    fn the_order() {
        let both = [("RUNTIME_DIRECTORY", "/run/web:/run/more"), ("XDG_RUNTIME_DIR", "/run/user/7")];
        assert_eq!(paths(Purpose::Control, &both, 0), ["/run/web", "/run/clustermon", "/tmp/clustermon-0"]);
        assert_eq!(
            paths(Purpose::Control, &both, 7),
            ["/run/web", "/run/user/7/clustermon", "/tmp/clustermon-7"]
        );
        assert_eq!(paths(Purpose::Control, &[], 7), ["/tmp/clustermon-7"]);
        assert_eq!(
            paths(Purpose::Thunk, &both, 0),
            ["/run/web/thunk", "/run/clustermon-thunk", "/tmp/clustermon-0-thunk"]
        );
        assert_eq!(
            paths(Purpose::Thunk, &both[1..], 7),
            ["/run/user/7/clustermon-thunk", "/tmp/clustermon-7-thunk"]
        );
    }

    #[test]
    fn modes() {
        let scratch = Scratch::new();
        let uid = Uid::effective();
        let mode = |path: &Path| fs::metadata(path).unwrap().mode() & 0o7777;
        let home = |name: &str, given| Home { path: scratch.path().join(name), given };
        let make = |home: &Home, purpose| open_or_make(home, purpose, uid).map(drop);
        for (purpose, wanted) in [(Purpose::Control, 0o700), (Purpose::Thunk, 0o755)] {
            let home = home(&format!("{purpose:?}"), false);
            make(&home, purpose).unwrap();
            assert_eq!(mode(&home.path), wanted);
        }
        scratch.dir("wide", 0o755);
        make(&home("wide", true), Purpose::Control).unwrap();
        assert_eq!(mode(&scratch.path().join("wide")), 0o755, "it was given to us so");
        make(&home("wide", false), Purpose::Control).unwrap();
        assert_eq!(mode(&scratch.path().join("wide")), 0o700);
        scratch.dir("shut", 0o700);
        make(&home("shut", false), Purpose::Thunk).unwrap();
        assert_eq!(mode(&scratch.path().join("shut")), 0o700, "its owner has closed it");
        scratch.dir("open", 0o777);
        for given in [false, true] {
            assert!(make(&home("open", given), Purpose::Control).unwrap_err().contains("others may write"));
        }
    }

    #[test]
    fn who_makes_it_first_keeps_nobody_from_another() {
        let scratch = Scratch::new();
        let place = scratch.dir("tmp", 0o1777);
        let uid = Uid::effective();
        for (purpose, name) in [
            (Purpose::Control, format!("clustermon-{uid}")),
            (Purpose::Thunk, format!("clustermon-{uid}-thunk")),
        ] {
            let spares = || spares_in(&place, purpose, uid);
            assert_eq!(spares(), [], "nobody has taken it");
            // A directory that others may write to stands for one that is another user's.
            let taken = scratch.dir(&format!("tmp/{name}"), 0o777);
            let (first, second) = (spares(), spares());
            assert_eq!((first.len(), second.len()), (1, 1));
            assert_ne!(first, second, "nobody can foresee it");
            assert!(open_or_make(&first[0], purpose, uid).is_ok());
            scratch.dir(&format!("tmp/{name}.0000000000000000"), 0o777);
            assert_eq!(spares(), first, "it is found again, and nobody else's is");
            fs::remove_dir(taken).unwrap();
            assert_eq!(spares(), first, "by who looks for what runs there, too");
        }
    }

    #[test]
    fn what_is_not_there_is_not_made() {
        let scratch = Scratch::new();
        let uid = Uid::effective();
        let path = scratch.path().join("missing");
        assert!(open_existing(&path, uid).unwrap_err().contains("No such file"));
        assert!(!path.exists());
        std::os::unix::fs::symlink(scratch.dir("good", 0o700), scratch.path().join("link")).unwrap();
        assert!(open_existing(&scratch.path().join("good"), uid).is_ok());
        assert!(open_existing(&scratch.path().join("link"), uid).unwrap_err().contains("not a directory"));
    }
}
