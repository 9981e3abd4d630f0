//! The file of the log as it is kept in order by the supervisor: full ones by size and age, links, emptied by command, and on a disk that
//! is full.

use harness::{
    PATIENCE, Port, Target, TempDir, app_dir, cli, cli_command, clustermon, get, require, wait_until,
};
use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::PathBuf;
use std::process::Command;

/// A cluster of python/writer.py in the background, ended at the end of the test whatever happens.
struct Writer(TempDir, Port);

impl Writer {
    fn new() -> Option<Self> {
        require("python3").then(|| Self(TempDir::new(), Port::free()))
    }

    fn words(flags: &str) -> String {
        let program = app_dir().join("python/writer.py").display().to_string();
        format!("run -d -n 1 --name writer {flags} -- python3 {program}")
    }

    #[track_caller]
    fn start(&self, mut start: Command) {
        start.env("HOST", "127.0.0.1").env("PORT", self.1.number().to_string()).current_dir(self.0.path());
        let output = start.output().expect("it starts");
        assert!(output.status.success(), "{output:?}");
    }

    #[track_caller]
    fn run(flags: &str) -> Option<Self> {
        let own = Self::new()?;
        own.start(cli_command(own.0.path(), &Self::words(flags)));
        Some(own)
    }

    fn ask(&self, path: &str) {
        get(&Target::Tcp(([127, 0, 0, 1], self.1.number()).into()), path).expect("an answer");
    }

    #[track_caller]
    fn order(&self, words: &str) -> String {
        cli(self.0.path(), words).good()
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn text(&self, name: &str) -> String {
        fs::read_to_string(self.file(name)).unwrap_or_default()
    }

    /// Files that were full, the oldest first.
    fn older(&self) -> Vec<String> {
        let entries = fs::read_dir(self.0.path()).expect("it is there");
        let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        let mut names: Vec<_> = names.filter(|name| name.starts_with("web.log.2")).collect();
        names.sort();
        names
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        cli(self.0.path(), "force-stop --wait");
    }
}

#[test]
fn no_line_is_lost_or_cut_between_two_files() {
    let Some(writer) =
        Writer::run("--log web.log --log-max-size 40K --log-keep 100 --log-compress none --log-full block")
    else {
        return;
    };
    writer.ask("/flood/3000");
    let last = format!("[writer/0] {:0>100}", 2999);
    wait_until("all is written", PATIENCE, || writer.text("web.log").contains(&last));
    let older = writer.older();
    assert!(older.len() >= 8, "{older:?}");
    let mut text = String::new();
    for name in older.iter().map(String::as_str).chain(["web.log"]) {
        let data = fs::metadata(writer.file(name)).expect("it is there");
        assert!(data.len() <= 40 << 10 && data.mode() & 0o137 == 0, "{name}: {data:?}");
        text += &writer.text(name);
    }
    let numbers: Vec<usize> =
        text.lines().filter_map(|line| line.split_once("[writer/0] ")?.1.parse().ok()).collect();
    assert_eq!(numbers, (0..3000).collect::<Vec<_>>());
}

#[test]
fn the_newest_are_kept_and_compressed() {
    if !require("gzip") {
        return;
    }
    let Some(writer) = Writer::run("--log web.log --log-max-size 40K --log-keep 2") else { return };
    writer.ask("/flood/3000");
    let compressed = |names: &[String]| names.iter().all(|name| name.ends_with("Z.gz"));
    wait_until("two are left", PATIENCE, || {
        let older = writer.older();
        older.len() == 2 && compressed(&older) && writer.text("web.log").contains("002999")
    });
    for name in writer.older() {
        let output = Command::new("gzip").arg("-dc").arg(writer.file(&name)).output().expect("it starts");
        let text = String::from_utf8_lossy(&output.stdout);
        let is_whole = text.starts_with("20") && text.ends_with('\n') && text.contains(" [writer/0] ");
        assert!(output.status.success() && is_whole, "{name}: {text}");
    }
    // What a file holds is not all there is: the command shows the end, as ever.
    assert!(writer.order("logs -n 1 --grep 002999").contains("002999"));
}

#[test]
fn an_old_file_makes_way_at_the_next_line() {
    let Some(writer) = Writer::run("--log web.log --log-max-age 1ms --log-compress none") else { return };
    wait_until("it was old", PATIENCE, || {
        writer.ask("/out/more");
        writer.older().len() > 2
    });
    // Lines without a time of their own do not come in between.
    let first = writer.text(&writer.older()[0]);
    assert!(first.ends_with('\n') && !first.is_empty(), "{first:?}");
}

#[test]
fn it_is_emptied_by_command() {
    let Some(writer) = Writer::run("--capture --log web.log") else { return };
    writer.ask("/out/before");
    wait_until("it is written", PATIENCE, || writer.text("web.log").contains("before"));
    let said = writer.order("flush");
    assert_eq!(said, "clustermon writer: the log is empty\n");
    assert!(!writer.text("web.log").contains("before"));
    assert!(!writer.order("logs --json").contains("before"));
    writer.ask("/out/after");
    wait_until("it goes on", PATIENCE, || writer.text("web.log").contains("after"));
    assert!(!writer.text("web.log").contains('\0'), "it is written at its end");
}

#[test]
fn a_link_is_no_log() {
    let Some(writer) = Writer::new() else { return };
    let target = writer.file("elsewhere");
    fs::write(&target, "kept").expect("nothing is there");
    symlink(&target, writer.file("web.log")).expect("nothing is there");
    let output = cli_command(writer.0.path(), &Writer::words("--log web.log"))
        .current_dir(writer.0.path())
        .output()
        .expect("it starts");
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(2) && told.contains("it is a link"), "{output:?}");
    assert_eq!(fs::read_to_string(&target).expect("it is there"), "kept");
}

#[test]
fn without_a_file_there_is_nothing_to_rotate() {
    let folder = TempDir::new();
    let said = cli(folder.path(), "run -d --log-max-size 5M -- true");
    let expected = "clustermon: --log-max-size and --log-max-age rotate the file of --log: give that too";
    assert_eq!(said.refusal(2), expected);
}

#[test]
fn a_full_disk_is_survived_and_told() {
    // SAFETY: no memory is involved.
    if unsafe { libc::geteuid() } != 0 || !require("unshare") {
        eprintln!("skipped: only root can make a disk that is full, and with unshare");
        return;
    }
    let Some(writer) = Writer::new() else { return };
    fs::create_dir(writer.file("disk")).expect("nothing is there");
    let mount = "mount -t tmpfs -o size=64k none disk || exit 9";
    let program = clustermon().display().to_string();
    let script = format!("{mount}; exec {program} {}", Writer::words("--capture --log disk/web.log"));
    let mut start = Command::new("unshare");
    start.args(["-m", "--", "sh", "-c", &script]).env("RUNTIME_DIRECTORY", writer.0.path());
    writer.start(start);
    writer.ask("/flood/2000");
    let status = || writer.order("status");
    wait_until("it is told", PATIENCE, || status().contains("cannot be written: No space left on device"));
    assert!(status().contains("lines were lost"), "{}", status());
    // It serves on, and goes on writing once there is room.
    writer.ask("/out/while-full");
    writer.order("flush");
    let inspection: serde_json::Value = serde_json::from_str(&writer.order("inspect")).expect("JSON");
    let pid = inspection["pid"].as_u64().expect("a pid");
    let file = format!("/proc/{pid}/root{}", writer.file("disk/web.log").display());
    wait_until("it is written again", PATIENCE, || {
        writer.ask("/out/again");
        let text = fs::read_to_string(&file).unwrap_or_default();
        text.contains("[writer/0] again") && text.contains("the log is written again; ")
    });
    let text = fs::read_to_string(&file).expect("it is there");
    assert_eq!(text.matches("the log is written again; ").count(), 1, "{text}");
    assert!(!status().contains("cannot be written") && status().contains("lines were lost"), "{}", status());
    assert!(inspection["workers"][0]["lines_lost"].as_u64().is_some_and(|lost| lost > 500), "{inspection}");
}
