//! Every place a thunk may be found in, and every reason not to take it.

use super::{FILE_NAME, Search, ThunkError, check, extract};
use crate::io::launch::elf::craft::Craft;
use crate::io::scratch::Scratch;
use nix::unistd::Uid;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

fn thunk() -> Vec<u8> {
    Craft::new(3).bytes()
}

fn search(beside: PathBuf, homes: &[PathBuf]) -> Search {
    Search {
        by_variable: None,
        beside: Some(beside),
        homes: homes.to_vec(),
        spares: Vec::new,
        uid: Uid::effective(),
    }
}

fn tried(error: ThunkError) -> Vec<String> {
    match error {
        ThunkError::Unusable(tried) => tried.into_iter().map(|(_, why)| why).collect(),
        other => panic!("{other}"),
    }
}

#[test]
fn the_order() {
    let scratch = Scratch::new();
    let (bin, home) = (scratch.dir("bin", 0o755), scratch.path().join("home"));
    let mut search = search(bin, &[home]);
    let carried = search.locate(None).unwrap();
    assert!(carried.starts_with(scratch.path().join("home")));
    assert_eq!(fs::read(carried).unwrap(), extract::EMBEDDED);

    let library = scratch.file("lib/clustermon/libclustermon_thunk.so", thunk(), 0o644);
    assert_eq!(search.locate(None).unwrap(), library);
    let beside = scratch.file("bin/libclustermon_thunk.so", thunk(), 0o644);
    assert_eq!(search.locate(None).unwrap(), beside);
    let by_variable = scratch.file("variable.so", thunk(), 0o644);
    search.by_variable = Some(by_variable.clone().into());
    assert_eq!(search.locate(None).unwrap(), by_variable);
    let explicit = scratch.file("explicit.so", thunk(), 0o644);
    assert_eq!(search.locate(Some(&explicit)).unwrap(), explicit);
}

#[test]
fn one_that_was_named_is_used_or_an_error() {
    let scratch = Scratch::new();
    let mut search = search(scratch.dir("bin", 0o755), &[scratch.path().join("home")]);
    let text = scratch.file("text.so", "not a library", 0o644);
    let foreign = scratch.file("foreign.so", Craft::new(3).machine(1, 1, 3).bytes(), 0o644);
    let program = scratch.file("program", Craft::dynamic().bytes(), 0o755);
    let odd = scratch.file("with space.so", thunk(), 0o644);
    for (path, why) in [
        (text.as_path(), "not a shared object"),
        (&foreign, "another architecture (32-bit x86)"),
        (&program, "not a shared object"),
        (&odd, "with ' ' in it"),
        (scratch.path(), "not a regular file"),
        (&scratch.path().join("missing.so"), "No such file"),
    ] {
        let error = search.locate(Some(path)).unwrap_err();
        assert!(error.is_input());
        let told = error.to_string();
        assert!(told.contains(why) && told.contains("--thunk") && !told.contains('\n'), "{told}");
    }
    search.by_variable = Some(text.into());
    assert!(search.locate(None).unwrap_err().to_string().contains("CLUSTERMON_THUNK"));
}

#[test]
fn odd_paths_are_passed_over() {
    for odd in ["a b", "a:b", "$ORIGIN", "a\tb", "a\nb"] {
        let scratch = Scratch::new();
        scratch.file(&format!("{odd}/{FILE_NAME}"), thunk(), 0o644);
        let bad_home = scratch.path().join(odd);
        let good_home = scratch.path().join("home");
        let search = search(scratch.path().join(odd), &[bad_home, good_home.clone()]);
        assert!(search.locate(None).unwrap().starts_with(&good_home), "{odd:?}");
    }
}

#[test]
fn roots_thunk_is_for_all_users() {
    let scratch = Scratch::new();
    let mut search = search(scratch.dir("shut", 0o700), &[]);
    let beside = scratch.file("shut/libclustermon_thunk.so", thunk(), 0o644);
    search.uid = Uid::from_raw(0);
    let why = tried(search.locate(None).unwrap_err());
    assert!(why[0].contains("workers that run as another user"), "{why:?}");
    search.uid = Uid::from_raw(12345);
    assert_eq!(search.locate(None).unwrap(), beside);
}

#[test]
fn a_written_copy_is_kept_and_a_touched_one_replaced() {
    let scratch = Scratch::new();
    let home = scratch.path().join("home");
    let write = || extract::write(&home, b"content", Uid::effective()).unwrap();
    let path = write();
    let inode = || fs::symlink_metadata(&path).unwrap().ino();
    let first = inode();
    assert_eq!(write(), path);
    assert_eq!(inode(), first);
    assert_eq!(fs::metadata(&home).unwrap().mode() & 0o7777, 0o755);
    assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, 0o555);

    let set_mode = |mode| fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    let is_whole = || {
        let status = fs::symlink_metadata(&path).unwrap();
        status.is_file() && status.mode() & 0o7777 == 0o555 && fs::read(&path).unwrap() == b"content"
    };
    let damages: [&dyn Fn(); 5] = [
        &|| fs::write(&path, "conten!").unwrap(),
        &|| fs::write(&path, "content and more").unwrap(),
        &|| set_mode(0o666),
        &|| set_mode(0o500),
        &|| {
            fs::remove_file(&path).unwrap();
            symlink(scratch.file("elsewhere", "content", 0o555), &path).unwrap();
        },
    ];
    for (index, damage) in damages.iter().enumerate() {
        set_mode(0o755);
        damage();
        write();
        assert!(is_whole(), "damage {index}");
    }
    assert_eq!(fs::read_dir(&home).unwrap().count(), 1, "drafts are left");
}

#[test]
fn directories_that_others_rule_are_refused() {
    let scratch = Scratch::new();
    let uid = Uid::effective();
    let refuse = |home: &Path, uid: Uid| extract::write(home, b"content", uid).unwrap_err();
    let open = scratch.dir("open", 0o777);
    assert!(refuse(&open, uid).contains("others may write"));
    assert!(refuse(&open.join("home"), uid).contains("others may rename"));
    let sticky = scratch.dir("sticky", 0o1777);
    assert!(extract::write(&sticky.join("home"), b"content", uid).is_ok());

    let good = scratch.dir("good", 0o755);
    let link = scratch.path().join("link");
    symlink(&good, &link).unwrap();
    assert!(refuse(&link, uid).contains("not a directory"));
    let file = scratch.file("file", "", 0o644);
    assert!(refuse(&file, uid).contains("not a directory"));
    let other = Uid::from_raw(uid.as_raw() + 1);
    assert!(refuse(&sticky.join("home"), other).contains("others may"));
    assert!(refuse(&scratch.path().join("missing/home"), uid).contains("No such file"));
}

#[test]
fn all_that_was_tried_is_told() {
    let scratch = Scratch::new();
    let file = scratch.file("file", "", 0o644);
    let homes = [scratch.path().join("a b"), file.clone(), file.join("below")];
    let told = search(scratch.dir("bin", 0o755), &homes).locate(None).unwrap_err().to_string();
    for part in
        ["bin/libclustermon_thunk.so", "lib/clustermon/", "a b", "file\" (it is not", "below", "--thunk"]
    {
        assert!(told.contains(part), "{part} is not in: {told}");
    }
    assert!(!told.contains('\n'));
}

#[test]
fn a_file_system_without_exec() {
    use nix::mount::{MsFlags, mount};
    let scratch = Scratch::new();
    let path = scratch.file("thunk.so", thunk(), 0o644);
    assert_eq!(check(&path), Ok(()));
    // Only the privileged can mount; the name space is that of this test's thread alone.
    if nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNS).is_err() {
        return;
    }
    mount(None::<&str>, "/", None::<&str>, MsFlags::MS_REC | MsFlags::MS_PRIVATE, None::<&str>).unwrap();
    let mounted = scratch.dir("noexec", 0o755);
    mount(Some("none"), &mounted, Some("tmpfs"), MsFlags::MS_NOEXEC, None::<&str>).unwrap();
    let path = scratch.file("noexec/thunk.so", thunk(), 0o644);
    assert!(check(&path).unwrap_err().contains("noexec"), "{:?}", check(&path));
    nix::mount::umount(&mounted).unwrap();
}
