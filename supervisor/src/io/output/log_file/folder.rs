//! The folder in which the file of the log lies, held open: names are looked up in it and nowhere else, so that nobody can lead a file
//! elsewhere by a link. Here alone files of the log are made.

use nix::dir::Dir;
use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, open, openat};
use nix::libc;
use nix::sys::stat::{FileStat, Mode, fstat, fstatat};
use nix::unistd::{UnlinkatFlags, geteuid, unlinkat};
use std::ffi::{CString, OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

/// Read by its owner and group: log readers are put into the group.
const MODE: Mode = Mode::from_bits_truncate(0o640);

#[derive(Debug)]
pub(super) struct Folder(OwnedFd);

impl Folder {
    /// The folder of this file, and the file's name in it. Links among the folders are followed: they are the administrator's.
    pub(super) fn of(path: &Path) -> io::Result<(Self, OsString)> {
        let name = path.file_name().ok_or(Errno::EISDIR)?.to_owned();
        let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
        let parent = parent.map_or_else(|| PathBuf::from("."), Path::to_owned);
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        Ok((Self(open(&parent, flags, Mode::empty())?), name))
    }

    /// Opens a file for what is added at its end, and makes it if there is none. The one place for that, the first time and all others:
    /// who is to own the file instead of this process's user has to be told here. A pipe that nobody reads is an error.
    pub(super) fn append(&self, name: &OsStr) -> io::Result<File> {
        let flags = OFlag::O_WRONLY | OFlag::O_APPEND | OFlag::O_CREAT | OFlag::O_NONBLOCK;
        let file = self.open(name, flags, MODE)?;
        self.check(&file)?;
        // It had to be for the opening of a pipe alone.
        nix::fcntl::fcntl(&file, nix::fcntl::FcntlArg::F_SETFL(OFlag::O_APPEND))?;
        Ok(file)
    }

    /// Makes a file that is not there, for reading and writing by its owner until it is finished.
    pub(super) fn create(&self, name: &OsStr) -> io::Result<File> {
        self.open(name, OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL, Mode::from_bits_truncate(0o600))
    }

    /// Opens a file of ours for reading.
    pub(super) fn read(&self, name: &OsStr) -> io::Result<File> {
        let file = self.open(name, OFlag::O_RDONLY | OFlag::O_NONBLOCK, Mode::empty())?;
        if is_ours(&fstat(&file)?) { Ok(file) } else { Err(Errno::EPERM.into()) }
    }

    fn open(&self, name: &OsStr, flags: OFlag, mode: Mode) -> io::Result<File> {
        let always = OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC | OFlag::O_NOCTTY;
        Ok(openat(&self.0, name, flags | always, mode)?.into())
    }

    /// In a folder where everybody may write, as in /tmp, a file may be there that somebody else has laid there for us.
    fn check(&self, file: &File) -> io::Result<()> {
        let (folder, status) = (fstat(&self.0)?, fstat(file)?);
        let shared = folder.st_mode & libc::S_IWOTH != 0;
        let is_file = status.st_mode & libc::S_IFMT == libc::S_IFREG;
        if shared && is_file && !is_ours(&status) {
            return Err(io::Error::new(
                io::ErrorKind::PermissionDenied,
                "the file is another user's, or has another name too, in a folder where everybody may write",
            ));
        }
        Ok(())
    }

    /// What is called so, be it a link.
    pub(super) fn status(&self, name: &OsStr) -> nix::Result<FileStat> {
        fstatat(&self.0, name, AtFlags::AT_SYMLINK_NOFOLLOW)
    }

    /// Gives a file another name, unless that is taken already.
    pub(super) fn rename(&self, from: &OsStr, to: &OsStr) -> io::Result<()> {
        let (from, to) = (CString::new(from.as_bytes())?, CString::new(to.as_bytes())?);
        let fd = self.0.as_raw_fd();
        // SAFETY: two C strings and a descriptor that live until it returns.
        let done = unsafe {
            libc::syscall(libc::SYS_renameat2, fd, from.as_ptr(), fd, to.as_ptr(), libc::RENAME_NOREPLACE)
        };
        match Errno::result(done) {
            Ok(_) => Ok(()),
            // File systems that cannot, such as NFS.
            Err(Errno::EINVAL) => match fstatat(&self.0, to.as_c_str(), AtFlags::AT_SYMLINK_NOFOLLOW) {
                Ok(_) => Err(Errno::EEXIST.into()),
                Err(_) => Ok(nix::fcntl::renameat(&self.0, from.as_c_str(), &self.0, to.as_c_str())?),
            },
            Err(errno) => Err(errno.into()),
        }
    }

    pub(super) fn remove(&self, name: &OsStr) -> io::Result<()> {
        Ok(unlinkat(&self.0, name, UnlinkatFlags::NoRemoveDir)?)
    }

    /// Ordinary files of ours that have no other name, of those whose name is wanted.
    pub(super) fn files(&self, wanted: impl Fn(&OsStr) -> bool) -> io::Result<Vec<OsString>> {
        let copy =
            openat(&self.0, ".", OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC, Mode::empty())?;
        let mut found = Vec::new();
        for entry in Dir::from_fd(copy)?.iter() {
            let name = OsString::from_vec(entry?.file_name().to_bytes().to_vec());
            if wanted(&name) && self.status(&name).is_ok_and(|status| is_ours(&status)) {
                found.push(name);
            }
        }
        Ok(found)
    }
}

/// A file of this process's user, under one name only: what others lay beside it is none.
fn is_ours(status: &FileStat) -> bool {
    let is_file = status.st_mode & libc::S_IFMT == libc::S_IFREG;
    is_file && status.st_uid == geteuid().as_raw() && status.st_nlink == 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::scratch::Scratch;
    use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

    #[test]
    fn a_link_is_not_opened_and_a_new_file_is_not_for_everybody() {
        let scratch = Scratch::new();
        let target = scratch.file("target", "kept", 0o644);
        symlink(&target, scratch.path().join("log")).unwrap();
        let (folder, name) = Folder::of(&scratch.path().join("log")).unwrap();
        assert_eq!(folder.append(&name).unwrap_err().raw_os_error(), Some(libc::ELOOP));
        folder.append(OsStr::new("other")).unwrap();
        let mode = std::fs::metadata(scratch.path().join("other")).unwrap().mode() & 0o777;
        assert_eq!(mode & !0o640, 0, "{mode:o}");
        assert_eq!(std::fs::read(&target).unwrap(), b"kept");
        assert_eq!(folder.files(|_| true).unwrap().len(), 2, "the link is none of ours");
    }

    #[test]
    fn in_a_shared_folder_only_a_file_of_ours_is_taken() {
        let scratch = Scratch::new();
        let shared = scratch.dir("shared", 0o777);
        std::fs::set_permissions(&shared, std::fs::Permissions::from_mode(0o1777)).unwrap();
        let (folder, name) = Folder::of(&shared.join("log")).unwrap();
        folder.append(&name).unwrap();
        folder.append(&name).unwrap();
        // Another name is how somebody else's file would be laid there.
        std::fs::hard_link(shared.join("log"), shared.join("second")).unwrap();
        assert_eq!(folder.append(&name).unwrap_err().kind(), io::ErrorKind::PermissionDenied);
        assert_eq!(folder.files(|_| true).unwrap(), Vec::<OsString>::new());
    }

    #[test]
    fn nothing_is_replaced_and_no_pipe_is_waited_for() {
        let scratch = Scratch::new();
        let (folder, name) = Folder::of(&scratch.file("log", "1", 0o644)).unwrap();
        scratch.file("old", "2", 0o644);
        let taken = folder.rename(&name, OsStr::new("old")).unwrap_err();
        assert_eq!(taken.raw_os_error(), Some(libc::EEXIST));
        folder.rename(&name, OsStr::new("older")).unwrap();
        assert_eq!(std::fs::read(scratch.path().join("older")).unwrap(), b"1");
        nix::unistd::mkfifo(&scratch.path().join("pipe"), Mode::from_bits_truncate(0o600)).unwrap();
        assert_eq!(folder.append(OsStr::new("pipe")).unwrap_err().raw_os_error(), Some(libc::ENXIO));
    }
}
