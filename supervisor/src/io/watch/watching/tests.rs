//! Which changes are noticed, in folders of this machine: events come from the kernel, and only the thread is missing.

use super::*;
use crate::io::scratch::Scratch;
use crossbeam_channel::{Receiver, unbounded};
use std::fs;
use std::os::unix::net::UnixListener;
use std::time::Duration;

/// A folder with `src/app.py` in it, and a place below it that is watched.
struct Bench {
    root: PathBuf,
    scratch: Scratch,
    watching: Watching<fn() -> bool>,
    events: Receiver<Told>,
    marks: u32,
}

impl Bench {
    fn new(place: &str) -> Self {
        let scratch = Scratch::new();
        scratch.file("src/app.py", "1", 0o644);
        Self::of(scratch, place)
    }

    fn of(scratch: Scratch, place: &str) -> Self {
        let root = fs::canonicalize(scratch.path()).unwrap();
        let (sender, events) = unbounded();
        let folders = Folders::new(sender).unwrap();
        let own = Arc::new([root.join("src/web.log")]);
        let mut watching = Watching::new(vec![root.join(place)], own, folders, (|| false) as fn() -> bool);
        watching.begin();
        Self { root, scratch, watching, events, marks: 0 }
    }

    fn write(&self, name: &str) {
        self.scratch.file(name, "2", 0o644);
    }

    fn at(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    /// What has been noticed by now, in the order of names: all that came before a mark, which is set in this folder. A mark that is
    /// found by a walk says nothing of events that are still to come, so there is another one then.
    fn noticed_by(&mut self, folder: &str) -> Vec<String> {
        while !self.is_told_of_mark(folder) {}
        let changes = self.watching.changes().into_iter();
        let names = changes.map(|change| shown(&change.path, Some(&self.root)));
        let mut names: Vec<_> = names.filter(|name| !name.contains("/mark")).collect();
        names.sort();
        names
    }

    /// Whether the next mark is told by the kernel itself.
    fn is_told_of_mark(&mut self, folder: &str) -> bool {
        self.marks += 1;
        let mark = self.at(folder).join(format!("mark{}", self.marks));
        fs::write(&mark, "").unwrap();
        while !self.watching.burst.known.contains(&mark) {
            let told = self.events.recv_timeout(Duration::from_secs(60)).expect("the mark is not noticed");
            let is_mark = told.as_ref().is_ok_and(|event| event.paths.contains(&mark));
            self.watching.on_told(now(), told);
            if is_mark {
                return true;
            }
        }
        false
    }

    fn noticed(&mut self) -> Vec<String> {
        self.noticed_by("src")
    }
}

#[expect(clippy::disallowed_methods, reason = "changes are noted at some moment")]
fn now() -> Instant {
    Instant::now()
}

#[test]
fn what_is_written_made_moved_and_removed_is_noticed_and_what_is_read_is_not() {
    let mut bench = Bench::new("src");
    assert!(bench.noticed().is_empty(), "what was there before is no change");
    fs::read(bench.at("src/app.py")).unwrap();
    assert!(bench.noticed().is_empty());
    bench.write("src/app.py");
    bench.write("src/new.py");
    bench.write("other.py");
    assert_eq!(bench.noticed(), ["src/app.py", "src/new.py"]);
    fs::rename(bench.at("src/new.py"), bench.at("new.py")).unwrap();
    fs::remove_file(bench.at("src/app.py")).unwrap();
    assert_eq!(bench.noticed(), ["src/app.py", "src/new.py"]);
    fs::rename(bench.at("new.py"), bench.at("src/app.py")).unwrap();
    assert_eq!(bench.noticed(), ["src/app.py"]);
}

#[test]
fn a_file_that_comes_and_goes_has_not_changed_anything() {
    let mut bench = Bench::new("src");
    bench.write("src/sedAbC");
    fs::remove_file(bench.at("src/sedAbC")).unwrap();
    assert!(bench.noticed().is_empty());
    bench.write("src/sedAbC");
    fs::rename(bench.at("src/sedAbC"), bench.at("src/app.py")).unwrap();
    assert_eq!(bench.noticed(), ["src/app.py"]);
}

#[test]
fn a_folder_made_later_is_watched_with_all_below_it() {
    let mut bench = Bench::new("src");
    bench.write("src/deep/er/a.py");
    assert_eq!(bench.noticed(), ["src/deep/er/a.py"]);
    bench.write("src/deep/er/a.py");
    bench.write("src/deep/b.py");
    assert_eq!(bench.noticed(), ["src/deep/b.py", "src/deep/er/a.py"]);
    fs::rename(bench.at("src/deep"), bench.at("src/flat")).unwrap();
    assert_eq!(bench.noticed(), ["src/deep", "src/flat/b.py", "src/flat/er/a.py"]);
    bench.write("src/flat/er/a.py");
    assert_eq!(bench.noticed(), ["src/flat/er/a.py"]);
    fs::create_dir(bench.at("src/empty")).unwrap();
    fs::remove_dir(bench.at("src/empty")).unwrap();
    assert!(bench.noticed().is_empty(), "there is no file in it");
}

#[test]
fn a_place_that_is_removed_and_made_again_is_watched_again() {
    let mut bench = Bench::new("src");
    for _ in 0..3 {
        fs::remove_dir_all(bench.at("src")).unwrap();
        bench.write("src/app.py");
        assert!(bench.noticed().contains(&"src/app.py".to_owned()));
        bench.write("src/app.py");
        assert_eq!(bench.noticed(), ["src/app.py"]);
    }
}

#[test]
fn a_place_whose_parent_is_removed_and_made_again_is_watched_again() {
    let scratch = Scratch::new();
    scratch.file("a/b/src/app.py", "1", 0o644);
    let mut bench = Bench::of(scratch, "a/b/src");
    for _ in 0..3 {
        fs::remove_dir_all(bench.at("a")).unwrap();
        bench.write("a/b/src/app.py");
        assert!(bench.noticed_by("a/b/src").contains(&"a/b/src/app.py".to_owned()));
        bench.write("a/b/src/app.py");
        assert_eq!(bench.noticed_by("a/b/src"), ["a/b/src/app.py"]);
    }
}

#[test]
fn a_file_is_watched_through_its_replacements_and_nothing_beside_it() {
    let scratch = Scratch::new();
    scratch.file("src/app.py", "1", 0o644);
    // It was asked for, whatever this says.
    scratch.file("src/.gitignore", "app.py\n", 0o644);
    let mut bench = Bench::of(scratch, "src/app.py");
    // The mark, which is beside it, is told by the kernel and not noted.
    for _ in 0..3 {
        bench.write("src/other.py");
        bench.write("src/next");
        fs::rename(bench.at("src/next"), bench.at("src/app.py")).unwrap();
        assert_eq!(bench.noticed(), ["src/app.py"]);
        bench.write("src/app.py");
        assert_eq!(bench.noticed(), ["src/app.py"]);
    }
    fs::remove_file(bench.at("src/app.py")).unwrap();
    assert_eq!(bench.noticed(), ["src/app.py"]);
}

#[test]
fn what_is_excluded_is_neither_noticed_nor_watched() {
    let scratch = Scratch::new();
    scratch.file("src/.gitignore", "*.log\nbuild/\n", 0o644);
    scratch.file("src/.git/HEAD", "", 0o644);
    let mut bench = Bench::of(scratch, "src");
    let excluded =
        ["a.log", ".git/HEAD", "build/out.py", ".app.py.swp", "app.py~", "__pycache__/a.pyc", "web.log"];
    for name in excluded {
        bench.write(&format!("src/{name}"));
    }
    fs::remove_dir_all(bench.at("src/build")).unwrap();
    assert!(bench.noticed().is_empty());
    bench.write("src/.gitignore");
    assert_eq!(bench.noticed(), ["src/.gitignore"]);
    bench.write("src/a.log");
    bench.write("src/build/out.py");
    assert_eq!(bench.noticed(), ["src/a.log", "src/build/out.py"], "the rules were read anew");
}

#[test]
fn sockets_of_the_program_are_no_change() {
    let mut bench = Bench::new("src");
    for _ in 0..2 {
        let socket = UnixListener::bind(bench.at("src/app.sock")).unwrap();
        assert!(bench.noticed().is_empty());
        drop(socket);
        fs::remove_file(bench.at("src/app.sock")).unwrap();
        assert!(bench.noticed().is_empty());
    }
}

#[test]
fn what_the_kernel_could_not_tell_is_taken_for_a_change() {
    let mut bench = Bench::new("src");
    bench.watching.on_told(
        now(),
        Ok(notify::Event::new(notify::EventKind::Other).set_flag(notify::event::Flag::Rescan)),
    );
    let changed = bench.watching.take().unwrap().to_string();
    assert_eq!(changed, format!("{} has changed (and 1 more)", bench.at("src/app.py").display()));
    assert!(bench.noticed().is_empty());
}
