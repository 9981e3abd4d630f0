//! The paths that a file of Rust names by `crate::` or by `super::`, from the root of its crate. It reads words, and knows
//! neither imports nor what is public.

use super::code;
use super::tree::Source;

const SOURCES: &str = "/src/";

/// A path, and the line at which it begins. Of a group `{..}` each one; what ends in `self` or `*` is the path before it.
pub(super) type Named = (Vec<String>, usize);

/// All of them in what ships.
pub(in crate::tidy) fn named(source: &Source) -> Vec<Named> {
    let mut found = Vec::new();
    for (at, line) in code::words(&source.shipped, "crate::") {
        let paths = expand(&[], &source.shipped[at + "crate::".len()..]);
        found.extend(paths.into_iter().map(|path| (path, line)));
    }
    let own = module(&source.path);
    for (at, line) in code::words(&source.shipped, "super::") {
        if source.shipped[..at].ends_with("super::") {
            continue;
        }
        let mut rest = &source.shipped[at..];
        let mut base = own.clone();
        while let Some(next) = rest.strip_prefix("super::") {
            rest = next;
            base.pop();
        }
        found.extend(expand(&base, rest).into_iter().map(|path| (path, line)));
    }
    found
}

/// The file's own module: `io` for `io/mod.rs`, `io` and `lanes` for `io/lanes.rs` and `io/lanes/mod.rs`.
pub(in crate::tidy) fn module(path: &str) -> Vec<String> {
    let inside = path.split_once(SOURCES).map_or(path, |(_, inside)| inside);
    let module = inside.trim_end_matches(".rs").trim_end_matches("/mod");
    module.split('/').map(str::to_owned).collect()
}

/// The paths below `base` for which the text stands that begins with a path.
pub(in crate::tidy) fn expand(base: &[String], text: &str) -> Vec<Vec<String>> {
    if let Some(group) = text.strip_prefix('{') {
        return parts(group).into_iter().flat_map(|part| expand(base, part.trim_start())).collect();
    }
    let name: String = text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
    if name.is_empty() || name == "self" {
        return vec![base.to_vec()];
    }
    let rest = text[name.len()..].strip_prefix("::");
    let path = [base, &[name]].concat();
    rest.map_or_else(|| vec![path.clone()], |rest| expand(&path, rest))
}

/// What stands between the commas of a group of which the opening brace has been read.
fn parts(group: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let (mut depth, mut start) = (0, 0);
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth > 0 => depth -= 1,
            ',' | '}' if depth == 0 => {
                parts.push(&group[start..at]);
                start = at + 1;
                if c == '}' {
                    break;
                }
            }
            _ => {}
        }
    }
    parts.retain(|part| !part.trim().is_empty());
    parts
}

#[cfg(test)]
mod tests {
    use super::super::tree::Tree;
    use super::{module, named};

    fn paths(path: &str, text: &str) -> Vec<String> {
        let tree = Tree::of(&[(path, text)]);
        tree.sources.iter().flat_map(named).map(|(path, _)| path.join("::")).collect()
    }

    #[test]
    fn a_file_is_a_module() {
        assert_eq!(module("supervisor/src/io/mod.rs"), ["io"]);
        assert_eq!(module("supervisor/src/io/lanes/lane.rs"), ["io", "lanes", "lane"]);
    }

    #[test]
    fn paths_are_told_from_the_root() {
        let lane = "supervisor/src/io/lanes/lane.rs";
        assert_eq!(
            paths(
                lane,
                "use crate::io::{kernel::{memory, foreign::Foreign}, output::plain::{self, Plain}};\n"
            ),
            [
                "io::kernel::memory",
                "io::kernel::foreign::Foreign",
                "io::output::plain",
                "io::output::plain::Plain"
            ]
        );
        assert_eq!(
            paths(lane, "use super::credit::*;\nfn f() { super::super::ready::g::<u8>() }\n"),
            ["io::lanes::credit", "io::ready::g"]
        );
        assert_eq!(
            paths(lane, "//! Not crate::a.\n#[cfg(test)]\nmod tests { use super::*; use crate::b; }\n"),
            [""; 0]
        );
    }
}
