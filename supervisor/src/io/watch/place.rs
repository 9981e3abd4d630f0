//! The paths that were asked to be watched, as they are when the cluster starts: each must be there, and links in it are followed once.

use std::io;
use std::path::{Path, PathBuf};

/// What is to be watched is not there, or cannot be reached.
#[derive(Debug, thiserror::Error)]
#[error("--watch {path:?}: {error}")]
#[non_exhaustive]
pub struct WatchError {
    /// As it was given.
    pub path: PathBuf,
    /// What the system said.
    pub error: io::Error,
}

/// Each path in full and without links; one that is given twice is one.
pub(crate) fn find(paths: &[PathBuf]) -> Result<Vec<PathBuf>, WatchError> {
    let mut found = Vec::new();
    for path in paths {
        let place = std::fs::canonicalize(path);
        let place = place.map_err(|error| WatchError { path: path.clone(), error })?;
        if !found.contains(&place) {
            found.push(place);
        }
    }
    Ok(found)
}

/// A path as a line of the log has it: from the working directory, if it is below that.
pub(super) fn shown(path: &Path, here: Option<&Path>) -> String {
    let below = here.and_then(|here| path.strip_prefix(here).ok());
    match below {
        Some(below) if below == Path::new("") => ".".to_owned(),
        Some(below) => below.display().to_string(),
        None => path.display().to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::scratch::Scratch;

    #[test]
    fn links_are_followed_and_what_is_not_there_is_refused() {
        let scratch = Scratch::new();
        let root = std::fs::canonicalize(scratch.path()).unwrap();
        let src = scratch.dir("src", 0o755);
        let link = scratch.path().join("link");
        std::os::unix::fs::symlink("src", &link).unwrap();
        assert_eq!(find(&[src.join("../src/."), link]).unwrap(), [root.join("src")]);
        let missing = scratch.path().join("missing");
        let told = find(&[src, missing.clone()]).unwrap_err().to_string();
        assert_eq!(told, format!("--watch {missing:?}: No such file or directory (os error 2)"));
    }

    #[test]
    fn a_path_is_shown_from_here() {
        let shown = |path: &str, here: Option<&str>| shown(Path::new(path), here.map(Path::new));
        assert_eq!(shown("/srv/app/src/a.py", Some("/srv/app")), "src/a.py");
        assert_eq!(shown("/srv/app", Some("/srv/app")), ".");
        assert_eq!(shown("/srv/application", Some("/srv/app")), "/srv/application");
        assert_eq!(shown("/srv/app", None), "/srv/app");
    }
}
