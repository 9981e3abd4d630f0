//! The rule on which module of the supervisor may name which, read from the paths in its code.

use super::manifest;
use crate::tidy::Fault;
use crate::tidy::reading::code;
use crate::tidy::reading::paths::named;
use crate::tidy::reading::tree::{Source, Tree};

pub(in crate::tidy) fn check(tree: &Tree) -> Vec<Fault> {
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
    let mut modules: Vec<(String, usize)> = named(source)
        .into_iter()
        .filter_map(|(path, line)| Some((path.into_iter().next()?, line)))
        .filter(|(module, _)| is_denied(module))
        .collect();
    // Of a group each is named.
    modules.dedup();
    for (module, line) in modules {
        faults.push(source.fault(line, format!("must not name `crate::{module}`")));
    }
}

/// The crates in the supervisor's manifest, as they are written in code.
fn foreign_crates(tree: &Tree) -> Vec<String> {
    let manifest = tree.get("supervisor/Cargo.toml");
    let names = manifest.map(manifest::dependencies).unwrap_or_default();
    names.into_iter().map(|(name, _)| name.replace('-', "_")).collect()
}

#[cfg(test)]
mod tests {
    use super::check;
    use crate::tidy::sample::{NONE, faults, lines};

    #[test]
    fn the_core_names_only_itself() {
        let pool = "supervisor/src/pool/worker.rs";
        assert_eq!(
            lines(check, pool, "use crate::ids::LaneId;\nuse crate::pool::Input;\nuse super::Output;\n"),
            NONE
        );
        assert_eq!(lines(check, pool, "use crate::{ids::LaneId, io::{lane, spawn}, pool};\n"), [1]);
        assert_eq!(lines(check, pool, "use super::super::event_loop::run;\n"), [1]);
        assert_eq!(lines(check, "supervisor/src/pool/mod.rs", "fn f() { super::config::g(); }\n"), [1]);
        assert_eq!(
            lines(check, pool, "//! Not crate::io.\n#[cfg(test)]\nmod tests { use crate::io; }\n"),
            NONE
        );
        let manifest =
            ("supervisor/Cargo.toml", "[dependencies]\nclustermon-protocol.workspace = true\nnix = \"0\"\n");
        let code = "use nix::sys;\nfn f() -> clustermon_protocol::Address {}\n";
        assert_eq!(faults(check, &[manifest, (pool, code)]), [(pool.to_owned(), 2), (pool.to_owned(), 1)]);
    }

    #[test]
    fn io_decides_nothing() {
        let io = "supervisor/src/io/lanes/lane.rs";
        assert_eq!(
            lines(check, io, "use crate::ids::LaneId;\nuse super::credit::Credits;\nuse nix::sys;\n"),
            NONE
        );
        assert_eq!(lines(check, io, "\nuse crate::pool::Output;\n"), [2]);
        assert_eq!(lines(check, io, "use super::super::super::pool;\n"), [1]);
        assert_eq!(lines(check, io, "fn f() { crate::event_loop::wake() }\n"), [1]);
        assert_eq!(lines(check, "supervisor/src/io.rs", "use super::pool;\n"), [1]);
    }

    #[test]
    fn configuration_is_data() {
        assert_eq!(lines(check, "supervisor/src/config.rs", "use crate::io::launch::spawn;\n"), [1]);
        assert_eq!(lines(check, "supervisor/src/config/builder.rs", "use crate::{error, io};\n"), [1]);
        assert_eq!(lines(check, "supervisor/src/settings/stop.rs", "use crate::config::Builder;\n"), [1]);
        assert_eq!(lines(check, "supervisor/src/settings/stop.rs", "use super::OrNever;\n"), NONE);
        assert_eq!(lines(check, "supervisor/src/config.rs", "use crate::error::Error;\n"), NONE);
    }
}
