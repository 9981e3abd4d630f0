//! The rule that modules beside each other name each other in one direction only. It reads paths in shipped code, and follows what a
//! module re-exports to where it stands; a module and the one that it is in may name each other.

use crate::tidy::Fault;
use crate::tidy::reading::modules::{Arrow, Modules, Path};
use crate::tidy::reading::tree::Tree;
use std::collections::{BTreeMap, BTreeSet};

/// Folders of source whose modules are one crate each.
const CRATES: [&str; 4] = ["supervisor/src/", "thunk-preload/src/", "protocol/src/", "xtask/src/"];

/// Who names whom among the modules of one folder, and where for the first time.
type Arrows = BTreeMap<(String, String), (String, usize)>;

pub(in crate::tidy) fn check(tree: &Tree) -> Vec<Fault> {
    CRATES.iter().flat_map(|root| of_crate(tree, root)).collect()
}

fn of_crate(tree: &Tree, root: &str) -> Vec<Fault> {
    let modules = Modules::of(tree, root);
    let mut folders: BTreeMap<Path, Arrows> = BTreeMap::new();
    for Arrow { source, line, from, to } in modules.arrows() {
        let shared = from.iter().zip(&to).take_while(|(a, b)| a == b).count();
        if let (Some(a), Some(b)) = (from.get(shared), to.get(shared)) {
            let arrows = folders.entry(from[..shared].to_vec()).or_default();
            arrows.entry((a.clone(), b.clone())).or_insert_with(|| (source.path.clone(), line));
        }
    }
    folders.values().flat_map(circles).collect()
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
