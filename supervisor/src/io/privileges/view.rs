//! Looks at files, and makes and removes them, as a worker would: below its root and with its rights to files, on a thread of its own that
//! ends with that. A worker cannot have the supervisor touch what it could not touch itself.

use super::accounts::Credentials;
use crate::io::process::file_user;
use nix::sched::{CloneFlags, unshare};
use nix::unistd::{Gid, Uid, chdir, chroot};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// How files look to a worker.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct View {
    /// `None`: as to this process.
    other: Option<Arc<Other>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Other {
    root: Option<PathBuf>,
    credentials: Option<Credentials>,
}

impl View {
    pub(super) fn new(root: Option<&Path>, credentials: Option<&Credentials>) -> Self {
        let differs = root.is_some() || credentials.is_some();
        let other = || Arc::new(Other { root: root.map(Path::to_owned), credentials: credentials.cloned() });
        Self { other: differs.then(other) }
    }

    /// Does this as a worker would, as far as files are concerned. Fails where the view cannot be had: then nothing is done.
    pub(crate) fn run<T: Send>(&self, act: impl FnOnce() -> T + Send) -> io::Result<T> {
        let Some(other) = &self.other else { return Ok(act()) };
        file_user::on_a_thread(|| other.enter().map(|()| act()))
    }
}

impl Other {
    /// Changes the calling thread alone, for good.
    fn enter(&self) -> io::Result<()> {
        if let Some(root) = &self.root {
            unshare(CloneFlags::CLONE_FS)?;
            chroot(root)?;
            chdir("/")?;
        }
        let Some(Credentials { uid, gid, groups }) = &self.credentials else { return Ok(()) };
        // The wrappers of libc change all threads.
        if let Some(groups) = groups {
            // SAFETY: the kernel reads so many numbers of ours.
            if unsafe { libc::syscall(libc::SYS_setgroups, groups.len(), groups.as_ptr()) } < 0 {
                return Err(io::Error::last_os_error());
            }
        }
        file_user::take(uid.as_raw(), gid.as_raw())
    }
}

/// How a thread of this process sees processes of workers: as their user, where the right to look into those of others is missing.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Onlooker(pub(super) Option<(Uid, Gid)>);

impl Onlooker {
    /// Changes the calling thread, for good. What it cannot become it sees no less of than before.
    pub(crate) fn begin(self) {
        if let Some((uid, gid)) = self.0
            && let Err(error) = file_user::take(uid.as_raw(), gid.as_raw())
        {
            log::debug!("processes of workers are looked at as before: {error}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::scratch::Scratch;
    use std::fs;
    use std::os::unix::fs::MetadataExt;

    #[test]
    fn without_a_difference_it_is_this_threads_own() {
        let own = std::thread::current().id();
        assert_eq!(View::default().run(|| std::thread::current().id()).unwrap(), own);
    }

    #[test]
    fn files_are_made_and_refused_as_for_that_user() {
        let scratch = Scratch::new();
        let (shut, open) = (scratch.dir("shut", 0o700), scratch.dir("open", 0o777));
        let nobody =
            Credentials { uid: Uid::from_raw(65534), gid: Gid::from_raw(65534), groups: Some(Vec::new()) };
        let view = View::new(None, Some(&nobody));
        if !Uid::effective().is_root() {
            assert_eq!(view.run(|| ()).unwrap_err().raw_os_error(), Some(libc::EPERM));
            return;
        }
        let denied = view.run(|| fs::write(shut.join("a"), "")).unwrap().unwrap_err();
        assert_eq!(denied.kind(), io::ErrorKind::PermissionDenied);
        view.run(|| fs::write(open.join("a"), "")).unwrap().unwrap();
        assert_eq!(fs::metadata(open.join("a")).unwrap().uid(), 65534);
        fs::write(shut.join("b"), "").unwrap();
    }

    #[test]
    fn paths_begin_at_the_root() {
        let scratch = Scratch::new();
        scratch.file("inside", "", 0o644);
        if !Uid::effective().is_root() {
            return;
        }
        let view = View::new(Some(scratch.path()), None);
        assert!(view.run(|| Path::new("/inside").exists()).unwrap());
        assert!(!Path::new("/inside").exists());
        assert_eq!(view.run(std::env::current_dir).unwrap().unwrap(), Path::new("/"));
    }
}
