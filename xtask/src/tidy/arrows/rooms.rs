//! The rule on the rooms of event_loop/, io/, pool/ and settings/: a room uses those below it, in the order in which the folder's `mod.rs`
//! names them, and none above; and a room is small enough to be seen at once. It follows what is re-exported to the room where it stands.

use crate::tidy::Fault;
use crate::tidy::reading::code;
use crate::tidy::reading::modules::{Arrow, Modules};
use crate::tidy::reading::tree::{Source, Tree};

const CRATE: &str = "supervisor/src/";
/// Folders of rooms.
const FOLDERS: [&str; 4] = ["event_loop", "io", "pool", "settings"];
/// Modules of one room, and modules beside the rooms.
const MOST: usize = 12;

pub(in crate::tidy) fn check(tree: &Tree) -> Vec<Fault> {
    FOLDERS.iter().flat_map(|folder| of_folder(tree, folder)).collect()
}

fn of_folder(tree: &Tree, folder: &str) -> Vec<Fault> {
    let root = format!("{CRATE}{folder}");
    let Some(top) = tree.get(&format!("{root}/mod.rs")) else { return Vec::new() };
    let order = declared(top);
    let mut faults = Vec::new();
    let mut full = |source: &Source, modules: usize| {
        if modules > MOST {
            faults.push(source.fault(1, format!("{modules} modules in one room")));
        }
    };
    let room = |name: &String| tree.get(&format!("{root}/{name}/mod.rs"));
    full(top, order.iter().filter(|name| room(name).is_none()).count());
    order.iter().filter_map(room).for_each(|source| full(source, declared(source).len()));
    let place = |path: &[String]| {
        let name = path.get(1).filter(|_| path[0] == folder)?;
        order.iter().position(|other| other == name)
    };
    for Arrow { source, line, from, to } in Modules::of(tree, CRATE).arrows() {
        if let (Some(own), Some(other)) = (place(from), place(&to))
            && other < own
        {
            let (own, other) = (&order[own], &order[other]);
            faults.push(source.fault(line, format!("`{own}` must not use `{other}`, which is above it")));
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
    use super::{MOST, check};
    use crate::tidy::sample::faults;

    /// What breaks the rule in a tree of these files and of three rooms: `lanes`, `sockets` and `kernel`, from above.
    fn broken(files: &[(&str, &str)]) -> Vec<(String, usize)> {
        let mut all = vec![
            (
                "supervisor/src/io/mod.rs",
                "//! Order.\n\npub(crate) mod lanes;\n\nmod sockets;\n\nmod kernel;\n#[cfg(test)]\nmod scratch;\n",
            ),
            ("supervisor/src/io/lanes/mod.rs", "mod lane;\nmod credit;\nmod probe;\n"),
            ("supervisor/src/io/lanes/lane.rs", ""),
            ("supervisor/src/io/sockets/mod.rs", "mod listener;\n"),
            ("supervisor/src/io/kernel/mod.rs", ""),
            ("supervisor/src/io/scratch.rs", "use crate::io::lanes::lane;\n"),
        ];
        all.retain(|(path, _)| files.iter().all(|(other, _)| other != path));
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

    #[test]
    fn a_room_of_the_pool_is_found_by_what_the_pool_re_exports() {
        let top =
            "mod lives;\n\nmod pool;\n\nmod lanes;\npub(crate) use pool::Pool;\nuse lanes::lane::Lane;\n";
        let files = [
            ("supervisor/src/pool/mod.rs", top),
            ("supervisor/src/pool/pool.rs", "use super::Lane;\nuse super::lanes::lane::Count;\n"),
            ("supervisor/src/pool/lives/mod.rs", "mod follow;\n"),
            ("supervisor/src/pool/lives/follow.rs", "use crate::pool::{Lane, Pool};\n"),
            ("supervisor/src/pool/lanes/mod.rs", "mod lane;\n"),
            (
                "supervisor/src/pool/lanes/lane.rs",
                "\nuse crate::pool::Pool;\nuse crate::pool::lives::follow;\n",
            ),
        ];
        let lane = || "supervisor/src/pool/lanes/lane.rs".to_owned();
        assert_eq!(faults(check, &files), [(lane(), 2), (lane(), 3)]);
    }

    #[test]
    fn modules_beside_the_rooms_are_few() {
        let modules =
            |count: usize| (0..count).map(|n| format!("mod m{n};\n")).collect::<String>() + "mod room;\n";
        let top = "supervisor/src/pool/mod.rs";
        let found = |count| {
            let modules = modules(count);
            faults(check, &[(top, modules.as_str()), ("supervisor/src/pool/room/mod.rs", "mod inner;\n")])
        };
        assert_eq!(found(MOST), []);
        assert_eq!(found(MOST + 1), [(top.to_owned(), 1)]);
    }
}
