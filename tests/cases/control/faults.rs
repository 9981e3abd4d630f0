//! Twelve ways in which an app does not work: `status` alone names the cause, also where the supervisor has ended.

use crate::health::oom::Group;
use harness::{
    Conn, PATIENCE, Port, Target, TempDir, app, c_program, cli, cli_command, interpreter, require, wait_until,
};
use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// A folder in which one app is started in the background, which is ended at the end of the test.
struct Fault {
    folder: TempDir,
    port: Port,
}

impl Fault {
    fn new() -> Self {
        Self { folder: TempDir::new(), port: Port::free() }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn file(&self, name: &str, text: &str, mode: u32) -> PathBuf {
        let path = self.path().join(name);
        fs::write(&path, text).expect("the folder is ours");
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("the file is ours");
        path
    }

    fn command(&self, flags: &str, port: u16, words: &[&str]) -> Command {
        let mut command = cli_command(self.path(), &format!("run -d -n 1 --name web {flags} --"));
        command.args(words).current_dir(self.path());
        command.env("HOST", "127.0.0.1").env("PORT", port.to_string());
        command.stdout(Stdio::null()).stderr(Stdio::null());
        command
    }

    /// Starts it and waits until it is ready or has failed. Returns whether it is ready.
    fn start(&self, flags: &str, words: &[&str]) -> bool {
        self.command(flags, self.port.number(), words).status().expect("it starts").success()
    }

    fn target(&self) -> Target {
        Target::parse(&format!("127.0.0.1:{}", self.port.number())).expect("an address")
    }

    fn status(&self) -> String {
        cli(self.path(), "status web").out
    }

    /// Sooner or later `status` has each of these.
    #[track_caller]
    fn names(&self, parts: &[&str]) {
        let missing = || parts.iter().find(|part| !self.status().contains(**part));
        wait_until(&format!("status tells of {parts:?}"), PATIENCE, || missing().is_none());
    }

    /// The same of a cluster that is gone, of which `list` tells, too, and which is there again after its next start.
    #[track_caller]
    fn names_the_end(&self, parts: &[&str]) {
        self.names(parts);
        self.names(&["web: failed, "]);
        let said = cli(self.path(), "status web");
        assert!(said.code == Some(3) && said.err.is_empty(), "{said:?}");
        assert!(cli(self.path(), "list").good().contains("web   failed"));
        assert!(cli(self.path(), "reload web").refusal(3).contains("web has failed, and does not run: "));
    }
}

impl Drop for Fault {
    fn drop(&mut self) {
        cli(self.path(), "force-stop web");
        cli(self.path(), "stop web");
    }
}

fn epoll() -> Option<String> {
    app("c-epoll").map(|_| c_program("epoll", &[]).display().to_string())
}

fn python() -> Option<String> {
    require("python3").then(|| interpreter("python3").to_string_lossy().into_owned())
}

#[test]
fn a_port_that_is_taken() {
    let Some(program) = epoll() else { return };
    let fault = Fault::new();
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let port = taken.local_addr().expect("it is bound").port();
    assert!(!fault.command("", port, &[&program]).status().expect("it starts").success());
    fault.names_the_end(&[&format!("cannot listen on 127.0.0.1:{port}: it is held by a process outside")]);
}

#[test]
fn a_crash_at_boot() {
    let fault = Fault::new();
    assert!(!fault.start("", &["sh", "-c", "echo DATABASE_URL is not set >&2; exit 3"]));
    fault.names_the_end(&[
        "code 3; it wrote last: DATABASE_URL is not set",
        "worker 0 wrote last:\n  DATABASE_URL",
    ]);
    let logs = |words: &str| {
        let said = cli(fault.path(), &format!("logs {words}"));
        assert!(said.code == Some(3) && said.err.contains("web has failed, and does not run: "), "{said:?}");
        said.out
    };
    for words in ["web", "web/0", "--grep DATABASE_URL web"] {
        assert!(logs(words).ends_with("[web/0] stderr: DATABASE_URL is not set\n"), "{words}");
    }
    assert_eq!(logs("web/1") + &logs("--grep nothing web"), "");
    // The same where workers write to the log by themselves.
    assert!(!fault.start("--log web.log", &["sh", "-c", "echo DATABASE_URL is not set >&2; exit 4"]));
    fault.names_the_end(&["code 4", "the log ends with:\n  DATABASE_URL is not set"]);
    let log = logs("web");
    assert!(log.contains("DATABASE_URL is not set\n"), "{log}");
    // It is over once it runs, and forgotten where somebody says so.
    let Some(program) = epoll() else { return };
    assert!(fault.start("", &[&program]));
    assert!(fault.status().starts_with("web: running, "));
    cli(fault.path(), "stop web").good();
    assert!(cli(fault.path(), "status web").refusal(3).contains("no cluster \"web\""));
    assert!(!fault.start("", &["false"]));
    assert_eq!(
        cli(fault.path(), "stop web").good(),
        "clustermon web: had failed already, and is forgotten\n"
    );
    cli(fault.path(), "status web").refusal(3);
}

#[test]
fn a_supervisor_that_was_killed() {
    let Some(program) = epoll() else { return };
    let fault = Fault::new();
    for ending in ["stop web", "run"] {
        assert!(fault.start("", &[&program]));
        let pid = serde_json::from_str::<serde_json::Value>(&cli(fault.path(), "inspect web").good())
            .expect("JSON")["pid"]
            .as_i64()
            .expect("a process");
        // SAFETY: it names the supervisor, which runs, and touches no memory.
        assert_eq!(unsafe { libc::kill(libc::pid_t::try_from(pid).expect("a process"), libc::SIGKILL) }, 0);
        let all = || cli(fault.path(), "status");
        wait_until("its end is seen", PATIENCE, || all().code == Some(3));
        assert!(all().err.contains("web does not run: its supervisor was killed"), "{:?}", all());
        let list = cli(fault.path(), "list").good();
        assert!(list.contains("web   failed") && list.contains("was killed"), "{list}");
        cli(fault.path(), "status -q").refusal(3);
        if ending == "run" {
            break;
        }
        let told = cli(fault.path(), ending).good();
        assert_eq!(told, "clustermon web: its supervisor was killed before, and it is forgotten\n");
        assert_eq!(cli(fault.path(), "list").good().lines().count(), 1);
    }
    // Its next start takes the place of what was left. Workers that the kernel has told to stop may hold the port for a moment.
    wait_until("it starts again", PATIENCE, || fault.start("", &[&program]));
    assert!(fault.status().starts_with("web: running, "));
}

#[test]
fn a_version_that_does_not_start() {
    let Some(python) = python() else { return };
    let fault = Fault::new();
    let good = "import os, socket\nserver = socket.create_server(('127.0.0.1', int(os.environ['PORT'])))\nwhile True: server.accept()\n";
    fault.file("app.py", good, 0o644);
    assert!(fault.start("", &[&python, "app.py"]));
    fault.file("app.py", "def f(:\n", 0o644);
    assert_eq!(cli(fault.path(), "reload web").code, Some(5));
    fault.names(&["web: running, ", "the old processes go on; it wrote last: SyntaxError: invalid syntax"]);
}

#[test]
fn a_syntax_error() {
    let Some(python) = python() else { return };
    let fault = Fault::new();
    fault.file("app.py", "def f(:\n    pass\n", 0o644);
    assert!(!fault.start("", &[&python, "app.py"]));
    fault.names_the_end(&["app.py\", line 1", "SyntaxError: invalid syntax"]);
}

#[test]
fn a_kill_for_memory() {
    let (Some(python), Some(group)) = (python(), Group::new("fault")) else { return };
    let fault = Fault::new();
    // From a sample on it is known which group it has put itself into.
    let eater = "import time; time.sleep(1); x = bytearray(300 << 20)";
    let inside = group.inside().map(|word| word.to_string_lossy().into_owned());
    let words: Vec<&str> = inside.iter().map(String::as_str).chain([&*python, "-c", eater]).collect();
    assert!(!fault.start("--pulse 50ms", &words));
    fault.names_the_end(&["signal SIGKILL (out of memory: the kernel's OOM killer)"]);
}

#[test]
fn a_hang() {
    let Some(program) = epoll() else { return };
    let fault = Fault::new();
    let flags = "--pulse 50ms --lag-limit 300ms --hang-limit 1s --stop-timeout 300ms";
    assert!(fault.start(flags, &[&program]));
    let mut conn = Conn::open(&fault.target()).expect("it listens");
    conn.last_request("/lock").expect("it is written");
    let waiting: Vec<_> = (0..3).map(|_| Conn::open(&fault.target())).collect();
    fault.names(&["hung for "]);
    drop(waiting);
}

/// It opens all that it may, once it listens.
const GREEDY: &str = "
import resource, socket, os
resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
listener = socket.create_server(('127.0.0.1', int(os.environ['PORT'])))
kept = []
try:
    while True:
        kept.append(open('/dev/null'))
except OSError:
    pass
while True:
    try:
        listener.accept()
    except OSError:
        pass
";

#[test]
fn descriptors_that_are_spent() {
    let Some(python) = python() else { return };
    let fault = Fault::new();
    fault.file("app.py", GREEDY, 0o644);
    assert!(fault.start("--pulse 50ms", &[&python, "app.py"]));
    fault.names(&["web: running, ", "its descriptors are spent: ", " are open, 64 is its limit"]);
}

#[test]
fn restarts_that_are_spent() {
    let Some(program) = epoll() else { return };
    let fault = Fault::new();
    assert!(fault.start("--respawn 1 --restart-delay 1ms", &[&program]));
    for _ in 0..2 {
        let mut conn = harness::wait_for("it listens", PATIENCE, || Conn::open(&fault.target()).ok());
        // Of the second nobody is left to take the request, if the first was taken twice.
        let _ = conn.last_request("/exit?code=7");
        let _ = conn.response();
    }
    fault.names_the_end(&[
        "the restarts of every worker are spent; the last end of one: code 7",
        "budget spent",
    ]);
}

/// A file system of 64 KiB. Unmounted with this.
struct Small(PathBuf);

impl Small {
    fn new(path: PathBuf) -> Option<Self> {
        fs::create_dir(&path).expect("the folder is ours");
        let mut mount = Command::new("mount");
        let mount = mount.args(["-t", "tmpfs", "-o", "size=64k", "tmpfs"]).arg(&path).stderr(Stdio::null());
        if mount.status().is_ok_and(|status| status.success()) {
            return Some(Self(path));
        }
        eprintln!("skipped: no file system can be mounted here (it takes root)");
        None
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[test]
fn a_disk_that_is_full() {
    let Some(program) = epoll() else { return };
    let fault = Fault::new();
    let Some(small) = Small::new(fault.path().join("small")) else { return };
    assert!(fault.start("--log small/log", &[&program]));
    // What fits is written; whether anything was to be written since is another matter.
    let _ = fs::write(small.0.join("rest"), vec![0; 1 << 17]);
    fault.names(&["web: running, ", "small/log (it"]);
    cli(fault.path(), "stop web").good();
}

#[test]
fn a_file_that_may_not_be_run_and_an_interpreter_that_is_not_there() {
    let fault = Fault::new();
    fault.file("app.sh", "#!/bin/sh\nsleep 1000\n", 0o644);
    assert!(!fault.start("", &["./app.sh"]));
    fault.names(&["web: not started, ", "\"./app.sh\" is not executable"]);
    fault.file("app.py", "#!/usr/bin/pyhton\n", 0o755);
    assert!(!fault.start("", &["./app.py"]));
    fault.names(&["web: not started, ", "\"/usr/bin/pyhton\": no such file"]);
    // Whoever gave a command that is none expects no cluster of it.
    assert_eq!(cli(fault.path(), "list").good().lines().count(), 1);
}

/// Ended with this.
struct Waiting(Child);

impl Drop for Waiting {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_slow_start() {
    let fault = Fault::new();
    let _start = Waiting(fault.command("", 1, &["sleep", "1000"]).spawn().expect("it starts"));
    fault.names(&["web: running, ", " starting ", "not ready yet, ", " left of its start timeout"]);
}

#[test]
fn an_app_that_another_needs() {
    let fault = Fault::new();
    let apps = "[app.db]\ncommand = [\"sh\", \"-c\", \"echo no disk >&2; exit 3\"]\n[app.web]\ncommand = \"sleep 1000\"\nafter = [\"db\"]\n";
    fault.file("clustermon.toml", apps, 0o644);
    let up = |words: &str| {
        let mut up = cli_command(fault.path(), words);
        up.current_dir(fault.path()).output().expect("it starts").status.code()
    };
    for words in ["up -d", "up"] {
        assert_eq!(up(words), Some(1));
        fault.names(&["web: not started, ", ": db is not ready"]);
        let of_db = cli(fault.path(), "status db").out;
        assert!(of_db.contains("db: failed, ") && of_db.contains("code 3"), "{of_db}");
        let list = cli(fault.path(), "list").good();
        assert!(list.contains("db    failed") && list.contains("web   failed"), "{list}");
        // What is taken down is forgotten.
        up("down");
        assert_eq!(cli(fault.path(), "list").good().lines().count(), 1);
    }
}
