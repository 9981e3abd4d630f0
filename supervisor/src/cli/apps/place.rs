//! Paths from the root, by the names by which a shell has led there. It looks at no file but the current folder.

use crate::cli::output::failed::Failed;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// The path from the root. A link in the way stays, such as `current`, which is another folder after the next deployment.
pub(in crate::cli) fn absolute(path: &Path) -> Result<PathBuf, Failed> {
    here()
        .and_then(|here| std::path::absolute(here.join(path)))
        .map_err(|error| Failed::new(1, format!("cannot tell the current folder: {error}")))
}

/// The current folder as the shell calls it, which knows by which links it was reached.
fn here() -> io::Result<PathBuf> {
    let id = |path: &Path| path.metadata().map(|folder| (folder.dev(), folder.ino()));
    let called = std::env::var_os("PWD").map(PathBuf::from).filter(|path| path.is_absolute());
    match called {
        Some(path) if id(&path).is_ok_and(|called| id(Path::new(".")).is_ok_and(|here| here == called)) => {
            Ok(path)
        }
        _ => std::env::current_dir(),
    }
}
