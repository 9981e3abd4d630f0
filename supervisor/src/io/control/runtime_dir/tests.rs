//! Directories of every kind, made and found where they are to be.

use super::*;
use crate::io::scratch::Scratch;
use std::os::unix::fs::MetadataExt;

fn paths(purpose: Purpose, variables: &[(&str, &str)], uid: u32) -> Vec<String> {
    let variable = |name: &str| {
        variables.iter().find(|(known, _)| *known == name).map(|(_, value)| OsString::from(value))
    };
    let homes = homes_for(purpose, variable, Uid::from_raw(uid));
    homes.into_iter().map(|home| home.path.display().to_string()).collect()
}

#[test]
fn the_order() {
    let both = [("RUNTIME_DIRECTORY", "/run/web:/run/more"), ("XDG_RUNTIME_DIR", "/run/user/7")];
    assert_eq!(paths(Purpose::Control, &both, 0), ["/run/web", "/run/clustermon", "/tmp/clustermon-0"]);
    assert_eq!(
        paths(Purpose::Control, &both, 7),
        ["/run/web", "/run/user/7/clustermon", "/tmp/clustermon-7"]
    );
    assert_eq!(paths(Purpose::Control, &[], 7), ["/tmp/clustermon-7"]);
    assert_eq!(
        paths(Purpose::Thunk, &both, 0),
        ["/run/web/thunk", "/run/clustermon-thunk", "/tmp/clustermon-0-thunk"]
    );
    assert_eq!(
        paths(Purpose::Thunk, &both[1..], 7),
        ["/run/user/7/clustermon-thunk", "/tmp/clustermon-7-thunk"]
    );
}

#[test]
fn modes() {
    let scratch = Scratch::new();
    let uid = Uid::effective();
    let mode = |path: &Path| fs::metadata(path).unwrap().mode() & 0o7777;
    let home = |name: &str, given| Home { path: scratch.path().join(name), given };
    let make = |home: &Home, purpose| open_or_make(home, purpose, uid).map(drop);
    for (purpose, wanted) in [(Purpose::Control, 0o700), (Purpose::Thunk, 0o755)] {
        let home = home(&format!("{purpose:?}"), false);
        make(&home, purpose).unwrap();
        assert_eq!(mode(&home.path), wanted);
    }
    scratch.dir("wide", 0o755);
    make(&home("wide", true), Purpose::Control).unwrap();
    assert_eq!(mode(&scratch.path().join("wide")), 0o755, "it was given to us so");
    make(&home("wide", false), Purpose::Control).unwrap();
    assert_eq!(mode(&scratch.path().join("wide")), 0o700);
    scratch.dir("shut", 0o700);
    make(&home("shut", false), Purpose::Thunk).unwrap();
    assert_eq!(mode(&scratch.path().join("shut")), 0o700, "its owner has closed it");
    scratch.dir("open", 0o777);
    for given in [false, true] {
        assert!(make(&home("open", given), Purpose::Control).unwrap_err().contains("others may write"));
    }
}

#[test]
fn who_makes_it_first_keeps_nobody_from_another() {
    let scratch = Scratch::new();
    let place = scratch.dir("tmp", 0o1777);
    let uid = Uid::effective();
    for (purpose, name) in
        [(Purpose::Control, format!("clustermon-{uid}")), (Purpose::Thunk, format!("clustermon-{uid}-thunk"))]
    {
        let spares = || spares_in(&place, purpose, uid);
        assert_eq!(spares(), [], "nobody has taken it");
        // A directory that others may write to stands for one that is another user's.
        let taken = scratch.dir(&format!("tmp/{name}"), 0o777);
        let (first, second) = (spares(), spares());
        assert_eq!((first.len(), second.len()), (1, 1));
        assert_ne!(first, second, "nobody can foresee it");
        assert!(open_or_make(&first[0], purpose, uid).is_ok());
        scratch.dir(&format!("tmp/{name}.0000000000000000"), 0o777);
        assert_eq!(spares(), first, "it is found again, and nobody else's is");
        fs::remove_dir(taken).unwrap();
        assert_eq!(spares(), first, "by who looks for what runs there, too");
    }
}

#[test]
fn only_the_empty_directory_that_is_open_is_removed() {
    let scratch = Scratch::new();
    let uid = Uid::effective();
    let home = scratch.dir("home", 0o700);
    let directory = open_existing(&home, uid).unwrap();
    let file = scratch.file("home/a", "", 0o600);
    remove_if_empty(&home, &directory);
    assert!(home.exists() && !is_removed(&home, &directory), "something is in it");
    fs::remove_file(file).unwrap();
    remove_if_empty(&home, &directory);
    assert!(!home.exists() && is_removed(&home, &directory));
    scratch.dir("home", 0o700);
    remove_if_empty(&home, &directory);
    assert!(home.exists() && is_removed(&home, &directory), "it is another one");
    fs::remove_dir(&home).unwrap();
    std::os::unix::fs::symlink(scratch.dir("target", 0o700), &home).unwrap();
    remove_if_empty(&home, &open_existing(&scratch.path().join("target"), uid).unwrap());
    assert!(home.exists() && scratch.path().join("target").exists(), "a link is not followed");
}

#[test]
fn what_is_not_there_is_not_made() {
    let scratch = Scratch::new();
    let uid = Uid::effective();
    let path = scratch.path().join("missing");
    assert!(open_existing(&path, uid).unwrap_err().contains("No such file"));
    assert!(!path.exists());
    std::os::unix::fs::symlink(scratch.dir("good", 0o700), scratch.path().join("link")).unwrap();
    assert!(open_existing(&scratch.path().join("good"), uid).is_ok());
    assert!(open_existing(&scratch.path().join("link"), uid).unwrap_err().contains("not a directory"));
}
