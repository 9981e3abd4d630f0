//! A temporary directory that everybody may enter and that goes with its owner.

use std::fs;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicU32, Ordering};

/// An empty directory, removed on drop.
#[derive(Debug)]
pub struct TempDir(PathBuf);

impl TempDir {
    /// Makes one; `name` is its last part, for tests that want an odd one.
    pub fn named(name: &str) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let parent = std::env::temp_dir().join(format!("cm-test-{}-{number}", process::id()));
        let path = parent.join(name);
        fs::create_dir_all(&path).expect("the temporary directory is writable");
        for folder in [&parent, &path] {
            fs::set_permissions(folder, fs::Permissions::from_mode(0o755)).expect("we have just made it");
        }
        Self(path)
    }

    pub fn new() -> Self {
        Self::named("d")
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    /// The unix socket files anywhere below.
    pub fn socket_files(&self) -> Vec<PathBuf> {
        let mut found = Vec::new();
        let mut folders = vec![self.0.clone()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
                match entry.file_type() {
                    Ok(kind) if kind.is_dir() => folders.push(entry.path()),
                    Ok(kind) if kind.is_socket() => found.push(entry.path()),
                    _ => {}
                }
            }
        }
        found
    }
}

impl Default for TempDir {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for TempDir {
    fn drop(&mut self) {
        let parent = self.0.parent().expect("it was made inside a directory of its own");
        if let Err(error) = fs::remove_dir_all(parent) {
            eprintln!("{} stays behind: {error}", parent.display());
        }
    }
}
