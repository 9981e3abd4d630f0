//! The modules of one crate, and which of them a file names, by whatever re-export it does so. It reads words, as `paths` does, and
//! judges nothing.

use super::code;
use super::paths::{expand, module, named};
use super::tree::{Source, Tree};
use std::collections::{BTreeMap, BTreeSet};

/// A module by its names from the root of its crate, which is the empty path.
pub(in crate::tidy) type Path = Vec<String>;

/// The modules of a crate.
pub(in crate::tidy) struct Modules<'a> {
    sources: Vec<(&'a Source, Path)>,
    known: BTreeSet<Path>,
    /// What a name that a module re-exports stands for.
    exports: BTreeMap<(Path, String), Path>,
}

/// A file names a module, for the first time or again.
pub(in crate::tidy) struct Arrow<'a> {
    pub source: &'a Source,
    pub line: usize,
    /// The file's own module.
    pub from: &'a Path,
    /// That in which the name stands.
    pub to: Path,
}

impl<'a> Modules<'a> {
    /// Of the crate whose sources are in this folder.
    pub(in crate::tidy) fn of(tree: &'a Tree, root: &str) -> Self {
        let sources: Vec<(&Source, Path)> = tree
            .rust()
            .filter(|source| source.path.starts_with(root))
            .map(|source| (source, own(source)))
            .collect();
        let known: BTreeSet<Path> = sources.iter().map(|(_, module)| module.clone()).collect();
        let mut exports: BTreeMap<(Path, String), Path> = BTreeMap::new();
        for (source, module) in &sources {
            for (name, path) in exported(source, module, &known) {
                exports.insert((module.clone(), name), path);
            }
        }
        Self { sources, known, exports }
    }

    /// What each file names in what ships.
    pub(in crate::tidy) fn arrows(&self) -> Vec<Arrow<'_>> {
        let mut arrows = Vec::new();
        for (source, from) in &self.sources {
            for (path, line) in named(source) {
                if let Some(to) = resolve(path, &self.known, &self.exports) {
                    arrows.push(Arrow { source, line, from, to });
                }
            }
        }
        arrows
    }
}

/// The module of a file, where the root of the crate is the empty path.
fn own(source: &Source) -> Path {
    let own = module(&source.path);
    if matches!(own.as_slice(), [root] if matches!(root.as_str(), "lib" | "main" | "mod")) {
        Vec::new()
    } else {
        own
    }
}

/// The names that the module re-exports, and what they stand for.
fn exported(source: &Source, module: &Path, known: &BTreeSet<Path>) -> Vec<(String, Path)> {
    let mut names = Vec::new();
    for (at, _) in code::words(&source.shipped, "use ") {
        let before = source.shipped[..at].trim_end();
        if !(before.ends_with("pub") || before.ends_with(')') && before.contains("pub")) {
            continue;
        }
        let text = &source.shipped[at + "use ".len()..];
        let paths = match text.split_once("::").map(|(first, _)| first) {
            Some("crate") => expand(&[], &text["crate::".len()..]),
            Some("self") => expand(module, &text["self::".len()..]),
            Some("super") => continue,
            _ => expand(module, text),
        };
        for path in paths {
            if let Some((name, parent)) = path.split_last()
                && (known.contains(parent) || known.contains(&path))
                && parent != module.as_slice()
            {
                names.push((name.clone(), path.clone()));
            }
        }
    }
    names
}

/// The module in which a name stands; `None` if it is none of the crate's.
fn resolve(path: Path, known: &BTreeSet<Path>, exports: &BTreeMap<(Path, String), Path>) -> Option<Path> {
    let mut path = path;
    // A re-export may lead to another.
    for _ in 0..8 {
        let depth = (0..=path.len()).rev().find(|depth| known.contains(&path[..*depth]))?;
        let (module, rest) = path.split_at(depth);
        let exported = rest.first().and_then(|name| exports.get(&(module.to_vec(), name.clone())));
        match exported {
            Some(there) => path = [there.as_slice(), &rest[1..]].concat(),
            None => return Some(module.to_vec()),
        }
    }
    None
}
