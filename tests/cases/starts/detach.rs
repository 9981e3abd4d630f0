//! `clustermon run --detach`: back when every worker is ready, or with the log of what went wrong.

use harness::{
    PATIENCE, Port, Said, Target, TempDir, app, c_program, cli, cli_command, get, is_alive, wait_until,
};
use std::fs;
use std::path::Path;

/// The cluster in the background, ended at the end of the test whatever happens.
struct Background<'a> {
    folder: &'a Path,
    port: Port,
}

impl Background<'_> {
    fn start(&self, flags: &str, command: &str) -> Said {
        let mut start = cli_command(self.folder, &format!("run --detach {flags} -- {command}"));
        start.env("HOST", "127.0.0.1").env("PORT", self.port.number().to_string());
        let output = start.current_dir(self.folder).output().expect("it starts");
        Said {
            code: output.status.code(),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

impl Drop for Background<'_> {
    fn drop(&mut self) {
        cli(self.folder, "force-stop --wait");
        cli(self.folder, "stop --wait");
    }
}

fn pid_in(line: &str) -> u32 {
    let (_, rest) = line.split_once(", pid ").expect("it tells the pid");
    rest.trim_end().split(',').next().and_then(|word| word.parse().ok()).expect("that is a number")
}

#[test]
fn it_returns_when_all_are_ready() {
    if app("c-epoll").is_none() {
        return;
    }
    let folder = TempDir::new();
    let background = Background { folder: folder.path(), port: Port::free() };
    let program = c_program("epoll", &[]).display().to_string();
    let said = background.start("-n 2 --name web --log web.log", &program);
    let line = said.good();
    assert!(line.starts_with("clustermon web: running, pid "), "{line}");
    let supervisor = pid_in(&line);
    let log = folder.path().join("web.log");
    assert!(line.ends_with(&format!(", log {}\n", log.display())), "{line}");
    let comm = fs::read_to_string(format!("/proc/{supervisor}/comm")).expect("it runs");
    assert_eq!(comm, "clustermon\n");
    let address = format!("127.0.0.1:{}", background.port.number());
    let target = Target::parse(&address).expect("an address");
    assert_eq!(get(&target, "/").expect("it serves").status, 200);
    assert_eq!(cli(folder.path(), "status -q").code, Some(0));
    // Nothing of how it was started reaches a worker.
    let worker = cli(folder.path(), "inspect /0").good();
    let worker: serde_json::Value = serde_json::from_str(&worker).expect("JSON");
    let environ = fs::read(format!("/proc/{}/environ", worker["pid"])).expect("it runs");
    assert!(!String::from_utf8_lossy(&environ).contains("CLUSTERMON_DETACHED"));
    // A session of its own, and nothing of ours is open in it.
    let stat = fs::read_to_string(format!("/proc/{supervisor}/stat")).expect("it runs");
    let session = stat.rsplit(") ").next().and_then(|rest| rest.split(' ').nth(3));
    assert_eq!(session, Some(supervisor.to_string().as_str()));
    let open = |fd: u32| fs::read_link(format!("/proc/{supervisor}/fd/{fd}")).expect("it is open");
    assert_eq!(open(0), Path::new("/dev/null"));
    assert!(open(1).ends_with("web.log") && open(2).ends_with("web.log"));
    // The log is written by a thread of its own.
    let log = || fs::read_to_string(folder.path().join("web.log")).expect("it was made");
    wait_until("its log tells of both", PATIENCE, || log().contains("worker 1 is ready"));
    cli(folder.path(), "stop --wait").good();
    wait_until("it has ended", PATIENCE, || !is_alive(supervisor));
}

#[test]
fn it_tells_what_went_wrong() {
    let folder = TempDir::new();
    let background = Background { folder: folder.path(), port: Port::free() };
    let said = background.start("-n 1 --respawn 0 --name web", "false");
    assert_eq!((said.code, said.out.as_str()), (Some(1), ""), "{said:?}");
    assert!(said.err.contains("worker 0 exited: code 1"), "{said:?}");
    let end = "clustermon: it has ended before it was ready: exit code 1; it has no log: give --log FILE to keep one\n";
    assert!(said.err.ends_with(end), "{said:?}");

    let said = background.start("-n 1", "/nowhere/at/all");
    assert_eq!((said.code, said.out.as_str()), (Some(2), ""), "{said:?}");
    assert!(said.err.contains("/nowhere/at/all"), "{said:?}");
    background.start("-n 0", "true").refusal(2);
    let said = background.start("-n 1 --log missing/web.log", "true");
    assert!(said.refusal(2).contains("missing/web.log"), "{said:?}");
}

#[test]
fn what_the_worker_wrote_is_shown() {
    let folder = TempDir::new();
    let script = folder.path().join("broken.sh");
    fs::write(&script, "echo 'to stdout'; printf 'the reason\\033[2J\\n' >&2; exit 3\n")
        .expect("the folder is ours");
    let log = folder.path().join("web.log");
    fs::write(&log, "of an earlier start: the reason\n").expect("the folder is ours");
    for (flags, logged) in
        [("", false), ("--log web.log ", true), ("--capture ", false), ("--capture --log web.log ", true)]
    {
        let background = Background { folder: folder.path(), port: Port::free() };
        let said = background.start(&format!("-n 1 {flags}--name web"), "sh broken.sh");
        assert_eq!((said.code, said.out.as_str()), (Some(1), ""), "{said:?}");
        let count = |part: &str| said.err.lines().filter(|line| line.contains(part)).count();
        let starts = count("worker 0 started");
        assert!(starts > 0 && !said.err.contains('\x1b'), "{said:?}");
        assert_eq!((count("the reason"), count("to stdout")), (starts, starts), "{flags}: {said:?}");
        let place = format!("exit code 1; its log is {}\n", log.display());
        assert_eq!(said.err.ends_with(&place), logged, "{flags}: {said:?}");
    }
}

#[test]
fn it_is_called_clustermon_whatever_it_was_started_by() {
    if app("c-epoll").is_none() {
        return;
    }
    let folder = TempDir::new();
    let background = Background { folder: folder.path(), port: Port::free() };
    let program = c_program("epoll", &[]).display().to_string();
    let link = folder.path().join("clustermon-2.0");
    std::os::unix::fs::symlink(harness::clustermon(), &link).expect("the folder is ours");
    let mut start = std::process::Command::new(&link);
    start.args(["run", "--detach", "-n", "1", "--name", "web", "--", &program]);
    start.env("RUNTIME_DIRECTORY", folder.path()).env("HOST", "127.0.0.1");
    let output = start.env("PORT", background.port.number().to_string()).output().expect("it starts");
    assert!(output.status.success(), "{output:?}");
    let supervisor = pid_in(&String::from_utf8_lossy(&output.stdout));
    let comm = fs::read_to_string(format!("/proc/{supervisor}/comm")).expect("it runs");
    assert_eq!(comm, "clustermon\n");
    cli(folder.path(), "stop --wait").good();
}

#[test]
fn a_name_that_is_taken_is_told() {
    if app("c-epoll").is_none() {
        return;
    }
    let folder = TempDir::new();
    let background = Background { folder: folder.path(), port: Port::free() };
    let program = c_program("epoll", &[]).display().to_string();
    background.start("-n 1 --name web", &program).good();
    let said = background.start("-n 1 --name web", &program);
    assert_eq!(said.code, Some(2), "{said:?}");
    assert!(said.err.contains("runs a cluster of this name already"), "{said:?}");
    cli(folder.path(), "stop --wait").good();
}
