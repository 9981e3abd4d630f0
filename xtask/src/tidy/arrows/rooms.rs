//! The rule on the rooms of io/: a room uses those below it, in the order in which `io/mod.rs` names them, and none above; and a room
//! is small enough to be seen at once.

use crate::tidy::Fault;
use crate::tidy::reading::code;
use crate::tidy::reading::paths::{module, named};
use crate::tidy::reading::tree::{Source, Tree};

const ROOT: &str = "supervisor/src/io/mod.rs";
const FOLDER: &str = "supervisor/src/io/";
/// Modules of one room.
const MOST: usize = 12;

pub(in crate::tidy) fn check(tree: &Tree) -> Vec<Fault> {
    let Some(root) = tree.get(ROOT) else { return Vec::new() };
    let order = declared(root);
    let place = |room: &str| order.iter().position(|other| other == room);
    let mut faults = Vec::new();
    for room in &order {
        if let Some(source) = tree.get(&format!("{FOLDER}{room}/mod.rs")) {
            let modules = declared(source);
            if modules.len() > MOST {
                faults.push(source.fault(1, format!("{} modules in one room", modules.len())));
            }
        }
    }
    for source in tree.module(FOLDER) {
        let own = module(&source.path);
        let Some(room) = own.get(1) else { continue };
        let Some(at) = place(room) else { continue };
        for (path, line) in
            named(source).into_iter().filter(|(path, _)| path.first().is_some_and(|p| p == "io"))
        {
            let Some(other) = path.get(1) else { continue };
            if place(other).is_some_and(|above| above < at) {
                faults
                    .push(source.fault(line, format!("`{room}` must not use `{other}`, which is above it")));
            }
        }
    }
    faults
}

/// The modules that a file declares, in their order, but for those of tests.
fn declared(source: &Source) -> Vec<String> {
    let name = |(at, _): &(usize, usize)| {
        let (name, _) = source.shipped[at + "mod".len()..].split_once(';')?;
        let name = name.trim();
        name.chars().all(|c| c.is_alphanumeric() || c == '_').then(|| name.to_owned())
    };
    code::words(&source.shipped, "mod").iter().filter_map(name).collect()
}

#[cfg(test)]
mod tests {
    use super::{MOST, ROOT, check};
    use crate::tidy::sample::faults;

    /// What breaks the rule in a tree of these files and of three rooms: `lanes`, `sockets` and `kernel`, from above.
    fn broken(files: &[(&str, &str)]) -> Vec<(String, usize)> {
        let mut all = vec![
            (
                ROOT,
                "//! Order.\n\npub(crate) mod lanes;\n\nmod sockets;\n\nmod kernel;\n#[cfg(test)]\nmod scratch;\n",
            ),
            ("supervisor/src/io/lanes/mod.rs", "mod lane;\nmod credit;\nmod probe;\n"),
            ("supervisor/src/io/scratch.rs", "use crate::io::lanes::lane;\n"),
        ];
        all.extend(files);
        faults(check, &all)
    }

    #[test]
    fn a_room_uses_only_what_is_below_it() {
        let lane = "supervisor/src/io/lanes/lane.rs";
        assert_eq!(
            broken(&[(lane, "use crate::io::{kernel::memory, sockets};\nuse crate::ids::LaneId;\n")]),
            []
        );
        let listener = "supervisor/src/io/sockets/listener.rs";
        assert_eq!(broken(&[(listener, "use super::bound;\nuse super::super::kernel::foreign;\n")]), []);
        assert_eq!(
            broken(&[(listener, "\nuse crate::io::lanes::lane::Lane;\n")]),
            [(listener.to_owned(), 2)]
        );
        assert_eq!(
            broken(&[(listener, "fn f() { super::super::lanes::g() }\n")]),
            [(listener.to_owned(), 1)]
        );
        let deep = "supervisor/src/io/kernel/foreign/exits.rs";
        let text = "use crate::io::{\n    kernel::scm,\n    sockets::listener,\n};\n";
        assert_eq!(broken(&[(deep, text)]), [(deep.to_owned(), 1)]);
        let talk = "//! Not crate::io::lanes.\n#[cfg(test)]\nmod tests { use crate::io::lanes::lane; }\n";
        assert_eq!(broken(&[(deep, talk)]), []);
    }

    #[test]
    fn a_room_can_be_full() {
        let path = "supervisor/src/io/kernel/mod.rs";
        let modules =
            |count: usize| (0..count).map(|n| format!("pub(super) mod m{n};\n")).collect::<String>();
        assert_eq!(broken(&[(path, &modules(MOST))]), []);
        assert_eq!(broken(&[(path, &modules(MOST + 1))]), [(path.to_owned(), 1)]);
    }
}
