//! Which files below a watched place count: not those that .gitignore, .ignore and .git/info/exclude exclude, nor what tools keep beside
//! the program, nor what this process writes itself. The rules are read once; who sees them change reads them anew.

use super::names;
use ignore::{DirEntry, IncrementalIgnore, Walk, WalkBuilder};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The rules of one place.
#[derive(Debug)]
pub(super) struct Rules {
    place: PathBuf,
    /// What this process writes to.
    own: Arc<[PathBuf]>,
    matcher: Option<IncrementalIgnore>,
}

impl Rules {
    /// As they are now; those of a folder are read when something in it is asked for.
    pub(super) fn new(place: &Path, own: Arc<[PathBuf]>) -> Self {
        let matcher = builder(place).build_matchers().pop();
        Self { place: place.to_owned(), own, matcher }
    }

    /// As they are now.
    pub(super) fn read_anew(&mut self) {
        self.matcher = builder(&self.place).build_matchers().pop();
    }

    /// Whether this path does not count. The place itself was asked for, whatever the rules say.
    pub(super) fn exclude(&mut self, path: &Path, is_folder: bool) -> bool {
        let Ok(below) = path.strip_prefix(&self.place) else { return true };
        if below.as_os_str().is_empty() {
            return false;
        }
        below.iter().any(names::is_foreign)
            || is_own(&self.own, path)
            || self.matcher.as_mut().is_some_and(|matcher| matcher.matched(below, is_folder).is_ignore())
    }

    /// All that counts from this folder downwards, the folder first, which is not asked about.
    pub(super) fn walk(&self, folder: &Path) -> Walk {
        let own = self.own.clone();
        let counts = move |entry: &DirEntry| {
            entry.depth() == 0 || !names::is_foreign(entry.file_name()) && !is_own(&own, entry.path())
        };
        builder(folder).filter_entry(counts).build()
    }
}

/// The rules that git has, but for those of the user's home, and also where there is no repository.
fn builder(path: &Path) -> WalkBuilder {
    let mut builder = WalkBuilder::new(path);
    builder.hidden(false).git_global(false).require_git(false);
    builder
}

/// Whether this process writes it: the log, and the log under the names that it has when it was moved away.
fn is_own(own: &[PathBuf], path: &Path) -> bool {
    own.iter().any(|file| {
        let (Some(file_name), Some(name)) = (file.file_name(), path.file_name()) else { return false };
        let rest = name.as_encoded_bytes().strip_prefix(file_name.as_encoded_bytes());
        file.parent() == path.parent() && rest.is_some_and(|rest| matches!(rest, [] | [b'.' | b'-', ..]))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::scratch::Scratch;

    /// Whether each of these is excluded; one that ends in `/` is a folder.
    fn excluded<const N: usize>(rules: &mut Rules, paths: [&str; N]) -> [bool; N] {
        let place = rules.place.clone();
        paths.map(|path| rules.exclude(&place.join(path), path.ends_with('/')))
    }

    #[test]
    fn rules_of_every_folder_on_the_way_count() {
        let scratch = Scratch::new();
        scratch.file(".gitignore", "*.log\n/build/\n", 0o644);
        scratch.file("src/.gitignore", "gen/\n!keep.log\n", 0o644);
        scratch.file("src/.ignore", "*.txt\n", 0o644);
        let mut rules = Rules::new(&scratch.path().join("src"), Arc::new([]));
        let asked = ["a.py", ".env", "a.log", "keep.log", "gen/", "gen/a.py", "a.txt", "sub/a.txt", "build/"];
        assert_eq!(
            excluded(&mut rules, asked),
            [false, false, true, false, true, true, true, true, false],
            "{asked:?}"
        );
        assert!(!rules.exclude(&scratch.path().join("src"), true), "it was asked for");
        assert!(rules.exclude(&scratch.path().join("other.py"), false), "it is not below the place");
    }

    #[test]
    fn rules_that_have_changed_are_read_anew() {
        let scratch = Scratch::new();
        let file = scratch.file(".gitignore", "a.py\n", 0o644);
        let mut rules = Rules::new(scratch.path(), Arc::new([]));
        assert_eq!(excluded(&mut rules, ["a.py", "b.py"]), [true, false]);
        std::fs::write(file, "b.py\n").unwrap();
        rules.read_anew();
        assert_eq!(excluded(&mut rules, ["a.py", "b.py"]), [false, true]);
    }

    #[test]
    fn what_this_process_writes_does_not_count() {
        let scratch = Scratch::new();
        let own = Arc::new([scratch.path().join("web.log")]);
        let mut rules = Rules::new(scratch.path(), own);
        assert_eq!(
            excluded(&mut rules, ["web.log", "web.log.1", "web.log-20260102.gz", "web.logic", "sub/web.log"]),
            [true, true, true, false, false]
        );
    }

    #[test]
    fn a_walk_goes_where_the_rules_let_it() {
        let scratch = Scratch::new();
        for file in
            ["src/a.py", "src/deep/b.py", ".git/HEAD", "out/c.js", "src/d.pyc", "src/a.py~", "web.log"]
        {
            scratch.file(file, "", 0o644);
        }
        scratch.file(".gitignore", "out\n", 0o644);
        let rules = Rules::new(scratch.path(), Arc::new([scratch.path().join("web.log")]));
        let below =
            |entry: DirEntry| entry.path().strip_prefix(scratch.path()).unwrap().display().to_string();
        let mut seen: Vec<_> = rules.walk(scratch.path()).map(|entry| below(entry.unwrap())).collect();
        seen.sort();
        assert_eq!(seen, ["", ".gitignore", "src", "src/a.py", "src/deep", "src/deep/b.py"]);
    }
}
