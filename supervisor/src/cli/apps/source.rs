//! Reading the file: only one that nobody can have written but this user and root, for what it says is run.

use super::NAME;
use super::place::absolute;
use crate::cli::output::failed::{Failed, USAGE};
use nix::unistd::Uid;
use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// No file that a person writes is longer.
const MOST: u64 = 1 << 20;

/// A file, and its text.
#[derive(Debug)]
pub(in crate::cli) struct Source {
    path: PathBuf,
    owner: Uid,
    pub(super) text: String,
}

impl Source {
    /// Reads the file, or the one that is there if none is named. Nobody but its owner may have written it, who is this user or root
    /// unless it may be `of_any_owner`.
    pub(super) fn read(path: Option<&Path>, of_any_owner: bool) -> Result<Self, Failed> {
        let path = match path {
            Some(folder) if folder.is_dir() => folder.join(NAME),
            Some(path) => path.to_owned(),
            None => PathBuf::from(NAME),
        };
        let refused = |why: String| Failed::new(USAGE, format!("{}: {why}", path.display()));
        let file = open(&path).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => {
                refused("there is no such file; `clustermon init` writes one".to_owned())
            }
            _ => refused(error.to_string()),
        })?;
        let metadata = file.metadata().map_err(|error| refused(error.to_string()))?;
        let owner = Uid::from_raw(metadata.uid());
        if let Some(why) = distrust(&metadata, if of_any_owner { owner } else { Uid::effective() }) {
            return Err(refused(why));
        }
        let mut text = String::new();
        match file.take(MOST + 1).read_to_string(&mut text) {
            Ok(_) if text.len() as u64 > MOST => Err(refused("it is longer than 1 MiB".to_owned())),
            Ok(_) => Ok(Self { path, owner, text }),
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                Err(refused("it is not UTF-8".to_owned()))
            }
            Err(error) => Err(refused(error.to_string())),
        }
    }

    pub(in crate::cli) fn path(&self) -> &Path {
        &self.path
    }

    pub(in crate::cli) fn owner(&self) -> Uid {
        self.owner
    }

    /// How it is called in what people read.
    pub(super) fn name(&self) -> String {
        self.path.display().to_string()
    }

    /// The file from the root, by the names and links that lead there.
    pub(super) fn absolute(&self) -> Result<PathBuf, Failed> {
        absolute(&self.path)
    }

    /// The same of its folder.
    pub(super) fn absolute_folder(&self) -> Result<PathBuf, Failed> {
        self.absolute().map(|path| path.parent().unwrap_or(Path::new("/")).to_owned())
    }

    /// What paths in it are relative to; empty where that is the current folder.
    pub(super) fn folder(&self) -> &Path {
        self.path.parent().unwrap_or(Path::new(""))
    }
}

/// Never waits, as for a pipe that nobody writes to.
fn open(path: &Path) -> io::Result<File> {
    File::options().read(true).custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY).open(path)
}

/// Why what this file says is not to be run by this user; `None` if it may.
fn distrust(file: &Metadata, user: Uid) -> Option<String> {
    if !file.is_file() {
        return Some("it is no regular file".to_owned());
    }
    let owner = Uid::from_raw(file.uid());
    if owner != user && !owner.is_root() {
        return Some(format!(
            "it belongs to user {owner}, who could have anything run here: it must be yours or root's"
        ));
    }
    // A group of the same number is the user's own, as most systems set users up, with a umask of 002.
    let by_group = file.mode() & 0o020 != 0 && file.gid() != file.uid();
    if file.mode() & 0o002 != 0 || by_group {
        return Some("others may write to it, and have anything run here: `chmod go-w` it".to_owned());
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::scratch::Scratch;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn only_what_nobody_else_can_write_is_trusted() {
        let scratch = Scratch::new();
        let path = scratch.path().join(NAME);
        std::fs::write(&path, "").unwrap();
        let told = |mode: u32, user: Uid| {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            distrust(&std::fs::metadata(&path).unwrap(), user)
        };
        let user = Uid::effective();
        assert_eq!(told(0o644, user), None);
        assert!(told(0o666, user).unwrap().contains("others may write"));
        let other = Uid::from_raw(user.as_raw() + 1);
        assert_eq!(told(0o644, other).is_some(), !user.is_root());
        assert!(
            distrust(&std::fs::metadata("/dev/null").unwrap(), user).unwrap().contains("no regular file")
        );
    }

    #[test]
    fn what_cannot_be_read_is_one_line() {
        let scratch = Scratch::new();
        let told = |path: &Path| Source::read(Some(path), false).map(drop).unwrap_err();
        let missing = told(&scratch.path().join("x.toml"));
        assert!(missing.code == 2 && missing.message.unwrap().contains("clustermon init"));
        let folder = scratch.dir("folder", 0o700);
        assert!(told(&folder).message.unwrap().contains("folder/clustermon.toml: there is no such file"));
        scratch.file("folder/clustermon.toml", "a = 1", 0o644);
        assert_eq!(Source::read(Some(&folder), false).unwrap().text, "a = 1");
        scratch.file("bytes.toml", "", 0o644);
        std::fs::write(scratch.path().join("bytes.toml"), b"a = \"\xff\"").unwrap();
        assert!(told(&scratch.path().join("bytes.toml")).message.unwrap().contains("not UTF-8"));
    }
}
