//! The rule that modules beside each other name each other in one direction only. It reads paths in shipped code, and follows what a
//! module re-exports to where it stands; a module and the one that it is in may name each other.

use crate::tidy::Fault;
use crate::tidy::reading::code;
use crate::tidy::reading::paths::{expand, module, named};
use crate::tidy::reading::tree::{Source, Tree};
use std::collections::{BTreeMap, BTreeSet};

/// Folders of source whose modules are one crate each.
const CRATES: [&str; 4] = ["supervisor/src/", "thunk-preload/src/", "protocol/src/", "xtask/src/"];

type Path = Vec<String>;

/// Who names whom among the modules of one folder, and where for the first time.
type Arrows = BTreeMap<(String, String), (String, usize)>;

pub(in crate::tidy) fn check(tree: &Tree) -> Vec<Fault> {
    CRATES.iter().flat_map(|root| of_crate(tree, root)).collect()
}

fn of_crate(tree: &Tree, root: &str) -> Vec<Fault> {
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
    let mut folders: BTreeMap<Path, Arrows> = BTreeMap::new();
    for (source, from) in &sources {
        for (path, line) in named(source) {
            let Some(to) = resolve(path, &known, &exports) else { continue };
            let shared = from.iter().zip(&to).take_while(|(a, b)| a == b).count();
            if let (Some(a), Some(b)) = (from.get(shared), to.get(shared)) {
                let arrows = folders.entry(from[..shared].to_vec()).or_default();
                arrows.entry((a.clone(), b.clone())).or_insert_with(|| (source.path.clone(), line));
            }
        }
    }
    folders.values().flat_map(circles).collect()
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

/// One fault for each arrow that is part of a circle.
fn circles(arrows: &Arrows) -> Vec<Fault> {
    let reaches = |from: &str, to: &str| {
        let (mut seen, mut todo) = (BTreeSet::from([from]), vec![from]);
        while let Some(at) = todo.pop() {
            for (_, next) in arrows.keys().filter(|(a, _)| a == at) {
                if next == to {
                    return true;
                }
                if seen.insert(next) {
                    todo.push(next);
                }
            }
        }
        false
    };
    let is_in_one = |(a, b): &(String, String)| reaches(b, a);
    let found = arrows.iter().filter(|(arrow, _)| is_in_one(arrow));
    found
        .map(|((a, b), (path, line))| Fault {
            path: path.clone(),
            line: *line,
            what: format!("`{a}` names `{b}`, and `{b}` leads back to `{a}`"),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::check;
    use crate::tidy::sample::faults;

    #[test]
    fn a_circle_is_found_through_what_is_re_exported() {
        let files = [
            (
                "supervisor/src/pool/mod.rs",
                "mod a;\nmod b;\npub use b::{Name, Other};\npub(super) use a::Thing;\n",
            ),
            ("supervisor/src/pool/a.rs", "use super::Name;\n"),
            ("supervisor/src/pool/b.rs", "\nuse crate::pool::{Thing, a::More};\n"),
        ];
        let found = faults(check, &files);
        assert_eq!(
            found,
            [("supervisor/src/pool/a.rs".to_owned(), 1), ("supervisor/src/pool/b.rs".to_owned(), 2)]
        );
    }

    #[test]
    fn one_way_is_no_circle_and_neither_is_a_parent() {
        let files = [
            ("supervisor/src/pool/mod.rs", "mod a;\nmod b;\nuse a::Thing;\npub struct Own;\n"),
            ("supervisor/src/pool/a.rs", "use super::Own;\nuse super::b::Name;\n"),
            (
                "supervisor/src/pool/b.rs",
                "use super::Own;\n#[cfg(test)]\nmod tests { use super::super::a::Thing; }\n",
            ),
            ("supervisor/src/pool/b/c.rs", "use super::Name;\nuse super::super::Own;\n"),
        ];
        assert_eq!(faults(check, &files), []);
    }

    #[test]
    fn one_over_three_modules_is_found_and_who_only_uses_it_is_not_in_it() {
        let files = [
            ("supervisor/src/io/lanes/credit.rs", "\n\nuse super::probe;\n"),
            ("supervisor/src/io/lanes/lane.rs", "mod child;\nuse crate::io::lanes::credit;\n"),
            ("supervisor/src/io/lanes/lane/child.rs", "use super::Lane;\nuse crate::io::lanes::lane;\n"),
            ("supervisor/src/io/lanes/probe.rs", "use super::lane;\nuse super::credit::Credits;\n"),
            ("supervisor/src/io/lanes/user.rs", "use super::{credit, lane, probe};\n"),
        ];
        let at = |name: &str, line| (format!("supervisor/src/io/lanes/{name}.rs"), line);
        assert_eq!(faults(check, &files), [at("credit", 3), at("lane", 2), at("probe", 2), at("probe", 1)]);
    }

    #[test]
    fn folders_are_looked_at_each() {
        let files = [
            ("supervisor/src/lib.rs", "mod io;\nmod pool;\n"),
            ("supervisor/src/io/lane.rs", "use crate::pool::Input;\n"),
            ("supervisor/src/pool/mod.rs", "use crate::io::lane::Lane;\npub struct Input;\n"),
        ];
        assert_eq!(faults(check, &files).len(), 2);
    }
}
