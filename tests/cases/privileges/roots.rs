//! Workers below another root: programs with all that they need, the library among it, and sockets at paths that mean something there alone.

use super::{NOBODY, Place, copy_into};
use harness::{Cluster, Listen, Options, PATIENCE, Target, thunk, wait_until, who};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Copies a file to the same path below the root.
pub(super) fn put(root: &Path, file: &Path) {
    let copy = root.join(file.strip_prefix("/").expect("an absolute path"));
    fs::create_dir_all(copy.parent().expect("it has a folder")).expect("the temporary directory is writable");
    fs::copy(file, &copy).expect("the temporary directory is writable");
}

/// The libraries of a program, the dynamic linker among them.
pub(super) fn libraries(program: &Path) -> Vec<PathBuf> {
    let output = Command::new("ldd").arg(program).output().expect("it comes with the compiler");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let paths = text.split_whitespace().filter(|word| word.starts_with('/'));
    paths.map(PathBuf::from).collect()
}

/// A root with the program as /srv/epoll-in-root.
pub(super) fn root_for(place: &Place) -> PathBuf {
    let root = place.folder.path().join("root");
    fs::create_dir_all(root.join("srv")).expect("the temporary directory is writable");
    fs::create_dir_all(root.join("run")).expect("the temporary directory is writable");
    std::os::unix::fs::chown(root.join("run"), Some(65534), Some(65534)).expect("root may");
    fs::rename(copy_into(&place.program, &root.join("srv")), root.join("srv/epoll-in-root"))
        .expect("it is there");
    root
}

fn start(place: &Place, root: &Path, words: &str, options: Options) -> Cluster {
    let options = options.flags(&format!("--chroot {} {words}", root.display()));
    place.start_with(&["/srv/epoll-in-root"], options)
}

fn answers(target: &Target) {
    let mut seen = BTreeSet::new();
    wait_until("both workers answer", PATIENCE, || {
        seen.extend(who(target).map(|who| who.id));
        seen.len() == 2
    });
}

#[track_caller]
fn is_below(cluster: &Cluster, root: &Path, cwd: &str) {
    for pid in cluster.started().into_values() {
        assert_eq!(fs::read_link(format!("/proc/{pid}/root")).expect("it lives"), root);
        let inside = root.join(cwd.trim_start_matches('/'));
        assert_eq!(
            fs::read_link(format!("/proc/{pid}/cwd")).expect("it lives"),
            inside.components().as_path()
        );
    }
}

#[test]
fn a_static_program_needs_nothing_there() {
    let Some(place) = Place::new(&["-static"]) else { return };
    let root = root_for(&place);
    for (words, cwd) in [("", "/"), ("--cwd /srv", "/srv")] {
        let mut cluster = start(&place, &root, format!("{NOBODY} {words}").trim(), Options::workers(2));
        answers(&cluster.target());
        is_below(&cluster, &root, cwd);
        cluster.order("reload");
        cluster.wait_ready(4);
        answers(&cluster.target());
        cluster.stop();
    }
}

#[test]
fn a_dynamic_program_needs_the_library_there() {
    let Some(place) = Place::new(&[]) else { return };
    let root = root_for(&place);
    libraries(&place.program).iter().for_each(|file| put(&root, file));

    let library = place.folder.path().join(thunk().file_name().expect("it is a file"));
    let mut lacking = start(&place, &root, NOBODY, Options::workers(2).at_once());
    assert_eq!(lacking.wait_exit().code(), Some(2));
    let told = lacking.log().text();
    let advice = format!("`install -D -m 555 {0} {1}{0}`", library.display(), root.display());
    assert!(told.lines().count() == 1 && told.contains(&advice), "{told}");

    put(&root, &library);
    let mut cluster = start(&place, &root, NOBODY, Options::workers(2));
    answers(&cluster.target());
    is_below(&cluster, &root, "/");
    cluster.order("reload");
    cluster.wait_ready(4);
    // What is taken away later is missed by the reload, and those who run go on.
    fs::remove_file(root.join(library.strip_prefix("/").expect("an absolute path"))).expect("it is there");
    let failed = cluster.cli("reload epoll-in-root");
    assert!(failed.code == Some(5) && failed.err.contains("install -D"), "{failed:?}");
    answers(&cluster.target());
    put(&root, &library);
    cluster.stop();

    // Its path means something below the root alone.
    let cluster = by_path(&place, &root);
    let outside = Target::Path(root.join("run/a.sock"));
    answers(&outside);
    cluster.stop();
    assert!(!root.join("run/a.sock").exists(), "it goes with the cluster");
}

/// The same program, at a path below the root.
fn by_path(place: &Place, root: &Path) -> Cluster {
    put(root, Path::new("/usr/bin/env"));
    libraries(Path::new("/usr/bin/env")).iter().for_each(|file| put(root, file));
    let options = Options::workers(2).listen(Listen::Abstract);
    let options = options.flags(&format!("--chroot {} {NOBODY}", root.display()));
    place.start_with(&["/usr/bin/env", "UNIX_PATH=/run/a.sock", "/srv/epoll-in-root"], options)
}
