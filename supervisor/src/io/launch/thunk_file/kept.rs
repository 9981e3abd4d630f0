//! The file of the thunk for as long as a cluster runs: upgrades, logouts and cleaners of temporary directories take it
//! away, and a worker that is started without it is no worker. It is looked at before each start and written anew.

use super::{Search, ThunkError, check};
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// A file as it was when it was found good.
#[derive(Debug)]
pub(crate) struct Thunk {
    path: PathBuf,
    /// Device, inode and size; `None` if it was gone as soon as it was found.
    identity: Option<(u64, u64, u64)>,
    search: Search,
}

impl Thunk {
    /// The thunk at this path, which was found by [`super::locate`].
    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn at(path: PathBuf) -> Self {
        Self::found(path, Search::current())
    }

    fn found(path: PathBuf, search: Search) -> Self {
        Self { identity: identity(&path), path, search }
    }

    /// The path of a thunk that can be preloaded now. Where it is not the file that it was, workers get the copy that this
    /// program carries: another version may have taken its place.
    pub(crate) fn ensure(&mut self) -> io::Result<&Path> {
        let now = identity(&self.path);
        if now.is_none() || now != self.identity {
            let what = if now.is_none() { "is gone" } else { "is another file now" };
            let path = match self.search.write(Vec::new()) {
                Ok(path) => path,
                // One that was put there by hand does as well, if it is a thunk.
                Err(ThunkError::Unusable(_)) if now.is_some() && check(&self.path).is_ok() => {
                    self.path.clone()
                }
                Err(error) => {
                    let path = &self.path;
                    return Err(io::Error::other(format!("the thunk {path:?} {what}, and {error}")));
                }
            };
            log::warn!("the thunk {:?} {what}: workers that start from now on get {path:?}", self.path);
            self.identity = identity(&path);
            self.path = path;
        }
        Ok(&self.path)
    }
}

fn identity(path: &Path) -> Option<(u64, u64, u64)> {
    let status = fs::metadata(path).ok()?;
    Some((status.dev(), status.ino(), status.size()))
}

#[cfg(test)]
mod tests {
    use super::super::extract;
    use super::*;
    use crate::io::scratch::Scratch;
    use nix::unistd::Uid;

    fn search(homes: Vec<PathBuf>) -> Search {
        Search { by_variable: None, beside: None, homes, spares: Vec::new, uid: Uid::effective() }
    }

    #[test]
    fn one_that_goes_away_comes_back() {
        let scratch = Scratch::new();
        let homes = vec![scratch.path().join("run/home"), scratch.path().join("spare")];
        scratch.dir("run", 0o755);
        let search = search(homes.clone());
        let path = search.write(Vec::new()).unwrap();
        let mut thunk = Thunk::found(path.clone(), search);
        assert_eq!(thunk.ensure().unwrap(), path);
        let written = || fs::read(&path).unwrap() == extract::EMBEDDED;

        fs::remove_dir_all(&homes[0]).unwrap();
        assert_eq!(thunk.ensure().unwrap(), path);
        assert!(written());
        // A part of it, as a full file system leaves it.
        fs::remove_file(&path).unwrap();
        fs::write(&path, "").unwrap();
        assert_eq!(thunk.ensure().unwrap(), path);
        assert!(written());
        // The whole place is gone, as at a logout.
        fs::remove_dir_all(scratch.path().join("run")).unwrap();
        let elsewhere = thunk.ensure().unwrap().to_owned();
        assert!(elsewhere.starts_with(&homes[1]));
        assert_eq!(thunk.ensure().unwrap(), elsewhere);

        fs::remove_dir_all(&homes[1]).unwrap();
        fs::write(&homes[1], "").unwrap();
        let told = thunk.ensure().unwrap_err().to_string();
        assert!(told.contains("is gone, and no thunk can be used") && !told.contains('\n'), "{told}");
        fs::remove_file(&homes[1]).unwrap();
        assert_eq!(thunk.ensure().unwrap(), elsewhere, "once that is possible");
    }

    #[test]
    fn an_upgrade_is_not_for_this_supervisor() {
        let scratch = Scratch::new();
        let home = scratch.path().join("home");
        let path = scratch.file("thunk.so", extract::EMBEDDED, 0o644);
        let mut thunk = Thunk::found(path.clone(), search(vec![home.clone()]));
        assert_eq!(thunk.ensure().unwrap(), path);
        scratch.file("newer.so", extract::EMBEDDED, 0o644);
        fs::rename(scratch.path().join("newer.so"), &path).unwrap();
        assert!(thunk.ensure().unwrap().starts_with(&home));
    }
}
