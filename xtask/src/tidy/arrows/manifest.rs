//! The rule on what some packages may depend on, read from their Cargo.toml.

use crate::tidy::Fault;
use crate::tidy::reading::tree::{Source, Tree};

/// A manifest, and whether a dependency of this name may stand in it.
type Limit = (&'static str, fn(&str) -> bool);

const LIMITS: [Limit; 5] = [
    ("protocol/Cargo.toml", |_| false),
    ("thunk-preload/Cargo.toml", |name| name == "clustermon-protocol"),
    ("tests/Cargo.toml", |name| name != "clustermon"),
    ("tests/apps/rust/Cargo.toml", |name| name != "clustermon"),
    ("xtask/Cargo.toml", |name| !name.starts_with("clustermon")),
];

pub(in crate::tidy) fn check(tree: &Tree) -> Vec<Fault> {
    let mut faults = Vec::new();
    for (path, may) in LIMITS {
        let Some(source) = tree.get(path) else { continue };
        for (name, line) in dependencies(source) {
            if !may(&name) {
                faults.push(source.fault(line, format!("must not depend on `{name}`")));
            }
        }
    }
    faults
}

/// Name and line of every dependency but for those of tests, whether in a table or a table of its own.
pub(in crate::tidy) fn dependencies(source: &Source) -> Vec<(String, usize)> {
    let mut found = Vec::new();
    let mut inside = false;
    for (at, line) in source.text.lines().enumerate() {
        let line = line.split('#').next().unwrap_or_default().trim();
        if let Some(header) = line.strip_prefix('[') {
            let header = header.trim_end_matches(']');
            inside = header.ends_with("dependencies") && !header.ends_with("dev-dependencies");
            if let Some((table, name)) = header.rsplit_once("dependencies.")
                && !table.ends_with("dev-")
            {
                found.push((name.to_owned(), at + 1));
            }
        } else if inside && let Some((key, _)) = line.split_once('=') {
            let name = key.split('.').next().unwrap_or(key);
            found.push((name.trim().trim_matches('"').to_owned(), at + 1));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::check;
    use crate::tidy::sample::{NONE, lines};

    #[test]
    fn foreign_dependencies_are_found() {
        let protocol = "protocol/Cargo.toml";
        assert_eq!(
            lines(check, protocol, "[package]\nname = \"x\"\n[dev-dependencies]\nproptest = \"1\"\n"),
            NONE
        );
        assert_eq!(lines(check, protocol, "[dependencies]\n# none\nlibc.workspace = true\n"), [3]);
        assert_eq!(lines(check, protocol, "[target.'cfg(unix)'.dependencies]\nlibc = \"1\"\n"), [2]);
        assert_eq!(lines(check, protocol, "[build-dependencies.cc]\nversion = \"1\"\n"), [1]);
        assert_eq!(lines(check, protocol, "[dev-dependencies.libc]\nversion = \"1\"\n"), NONE);
    }

    #[test]
    fn each_package_has_its_own_limit() {
        let ours = "[dependencies]\nclustermon-protocol.workspace = true\n";
        assert_eq!(lines(check, "thunk-preload/Cargo.toml", ours), NONE);
        assert_eq!(lines(check, "xtask/Cargo.toml", ours), [2]);
        let supervisor = "[dependencies]\nclustermon = { path = \"../supervisor\" }\n";
        for path in
            ["tests/Cargo.toml", "xtask/Cargo.toml", "thunk-preload/Cargo.toml", "tests/apps/rust/Cargo.toml"]
        {
            assert_eq!(lines(check, path, supervisor), [2], "{path}");
        }
    }
}
