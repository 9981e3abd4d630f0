//! The rule on which module of the supervisor may name which, read from the paths in its code.

use super::{Fault, code, manifest, tree::Source, tree::Tree};

const ROOT: &str = "supervisor/src/";

pub(super) fn check(tree: &Tree) -> Vec<Fault> {
    let mut faults = Vec::new();
    let foreign = foreign_crates(tree);
    for source in tree.module("supervisor/src/pool/") {
        deny(source, &mut faults, |module| !matches!(module, "ids" | "pool" | "settings"));
        for name in &foreign {
            for (_, line) in code::words(&source.shipped, &format!("{name}::")) {
                faults.push(source.fault(line, format!("pool/ must not name the crate `{name}`")));
            }
        }
    }
    for source in tree.module("supervisor/src/io/") {
        deny(source, &mut faults, |module| module == "pool" || module == "event_loop");
    }
    for source in tree.module("supervisor/src/settings/") {
        deny(source, &mut faults, |module| module != "settings");
    }
    for source in tree.module("supervisor/src/config/") {
        deny(source, &mut faults, |module| module == "io");
    }
    faults
}

fn deny(source: &Source, faults: &mut Vec<Fault>, is_denied: impl Fn(&str) -> bool) {
    for (module, line) in modules(source) {
        if is_denied(&module) {
            faults.push(source.fault(line, format!("must not name `crate::{module}`")));
        }
    }
}

/// The crates in the supervisor's manifest, as they are written in code.
fn foreign_crates(tree: &Tree) -> Vec<String> {
    let manifest = tree.get("supervisor/Cargo.toml");
    let names = manifest.map(manifest::dependencies).unwrap_or_default();
    names.into_iter().map(|(name, _)| name.replace('-', "_")).collect()
}

/// The top-level modules that the file names by `crate::` or by `super::` out of its own, and where.
fn modules(source: &Source) -> Vec<(String, usize)> {
    let mut found = Vec::new();
    for (at, line) in code::words(&source.shipped, "crate::") {
        let first = first_names(&source.shipped[at + "crate::".len()..]);
        found.extend(first.into_iter().map(|name| (name, line)));
    }
    let depth = depth(&source.path);
    for (at, line) in code::words(&source.shipped, "super::") {
        if source.shipped[..at].ends_with("super::") {
            continue;
        }
        let mut rest = &source.shipped[at..];
        let mut up = 0;
        while let Some(next) = rest.strip_prefix("super::") {
            rest = next;
            up += 1;
        }
        if up >= depth {
            found.extend(first_names(rest).into_iter().map(|name| (name, line)));
        }
    }
    found
}

/// How many `super` lead from the file's module to the root: 1 for `io/mod.rs`, 2 for `io/lane.rs`.
fn depth(path: &str) -> usize {
    let module = path.trim_start_matches(ROOT).trim_end_matches(".rs").trim_end_matches("/mod");
    module.split('/').count()
}

/// The first name of a path, or of each path of a `{..}` group.
fn first_names(path: &str) -> Vec<String> {
    let name = |text: &str| text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
    let Some(group) = path.strip_prefix('{') else { return vec![name(path)] };
    let mut names = Vec::new();
    let mut depth = 0;
    let mut start = 0;
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth > 0 => depth -= 1,
            ',' | '}' if depth == 0 => {
                names.push(name(group[start..at].trim_start()));
                start = at + 1;
                if c == '}' {
                    break;
                }
            }
            _ => {}
        }
    }
    names.retain(|name| !name.is_empty());
    names
}

#[cfg(test)]
mod tests {
    use super::super::sample::{faults, lines};
    use super::check;

    #[test]
    fn the_core_names_only_itself() {
        let pool = "supervisor/src/pool/worker.rs";
        assert_eq!(
            lines(check, pool, "use crate::ids::LaneId;\nuse crate::pool::Input;\nuse super::Output;\n"),
            []
        );
        assert_eq!(lines(check, pool, "use crate::{ids::LaneId, io::{lane, spawn}, pool};\n"), [1]);
        assert_eq!(lines(check, pool, "use super::super::event_loop::run;\n"), [1]);
        assert_eq!(lines(check, "supervisor/src/pool/mod.rs", "fn f() { super::config::g(); }\n"), [1]);
        assert_eq!(
            lines(check, pool, "//! Not crate::io.\n#[cfg(test)]\nmod tests { use crate::io; }\n"),
            []
        );
        let manifest =
            ("supervisor/Cargo.toml", "[dependencies]\nclustermon-protocol.workspace = true\nnix = \"0\"\n");
        let code = "use nix::sys;\nfn f() -> clustermon_protocol::Address {}\n";
        assert_eq!(faults(check, &[manifest, (pool, code)]), [(pool.to_owned(), 2), (pool.to_owned(), 1)]);
    }

    #[test]
    fn io_decides_nothing() {
        let io = "supervisor/src/io/lane.rs";
        assert_eq!(
            lines(check, io, "use crate::ids::LaneId;\nuse super::source::Source;\nuse nix::sys;\n"),
            []
        );
        assert_eq!(lines(check, io, "\nuse crate::pool::Output;\n"), [2]);
        assert_eq!(lines(check, io, "use super::super::pool;\n"), [1]);
        assert_eq!(lines(check, io, "fn f() { crate::event_loop::wake() }\n"), [1]);
        assert_eq!(lines(check, "supervisor/src/io.rs", "use super::pool;\n"), [1]);
    }

    #[test]
    fn configuration_is_data() {
        assert_eq!(lines(check, "supervisor/src/config.rs", "use crate::io::spawn;\n"), [1]);
        assert_eq!(lines(check, "supervisor/src/config/builder.rs", "use crate::{error, io};\n"), [1]);
        assert_eq!(lines(check, "supervisor/src/settings/stop.rs", "use crate::config::Builder;\n"), [1]);
        assert_eq!(lines(check, "supervisor/src/settings/stop.rs", "use super::OrNever;\n"), []);
        assert_eq!(lines(check, "supervisor/src/config.rs", "use crate::error::Error;\n"), []);
    }
}
