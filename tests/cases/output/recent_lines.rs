//! `clustermon logs`: what workers and the supervisor wrote last, from memory or from the file of the log, and as it is written.

use harness::{
    Cluster, Options, PATIENCE, Port, RawControl, Target, TempDir, app_dir, cli, cli_command, get,
    interpreter, require, wait_until,
};
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::mpsc::{Receiver, channel};

/// A cluster of python/writer.py.
fn start(options: Options) -> Option<Cluster> {
    if !require("python3") {
        return None;
    }
    let command = [interpreter("python3"), app_dir().join("python/writer.py").into_os_string()];
    Some(Cluster::start_command(&command, options))
}

/// Has whoever has its turn do this, and returns who that was.
fn ask(target: &Target, path: &str) -> String {
    get(target, path).expect("an answer").text()
}

/// `clustermon logs -f`, whose lines are read as they come; it has ended when they have.
struct Follower {
    child: Child,
    lines: Receiver<String>,
}

impl Follower {
    fn start(folder: &Path, words: &str) -> Self {
        let mut command = cli_command(folder, &format!("logs -f {words}"));
        let mut child = command.stdout(Stdio::piped()).spawn().expect("it starts");
        let (tell, lines) = channel();
        let out = BufReader::new(child.stdout.take().expect("it is a pipe"));
        std::thread::spawn(move || out.lines().map_while(Result::ok).try_for_each(|line| tell.send(line)));
        Self { child, lines }
    }

    #[track_caller]
    fn wait_for(&self, part: &str) {
        loop {
            let line = self.lines.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("{part} does not come"));
            if line.contains(part) {
                return;
            }
        }
    }

    /// It ends by itself; what it still says.
    #[track_caller]
    fn rest(mut self) -> String {
        let rest: Vec<String> = self.lines.iter().collect();
        assert!(self.child.wait().expect("it is a child").success());
        rest.join("\n")
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn of_captured_workers_are_kept_in_memory() {
    let Some(cluster) = start(Options::workers(2).flags("--capture")) else { return };
    let first = ask(&cluster.target(), "/err/sorry");
    let second = if first == "0" { "1" } else { "0" };
    wait_until("the other has its turn", PATIENCE, || ask(&cluster.target(), "/out/fine") == second);
    let shown = |words: &str| cluster.order(&format!("logs {words}"));
    let written = ["fine", "sorry"];
    wait_until("both are read", PATIENCE, || written.iter().all(|text| shown("--json").contains(text)));
    let own = shown(&format!("/{first}"));
    let mut lines: Vec<_> = own.lines().map(|line| line.split_once(' ').expect("time and text").1).collect();
    // Two pipes have no order between them.
    lines.sort_unstable();
    let id = format!("[writer/{first}]");
    lines.retain(|line| !line.ends_with("fine"));
    assert_eq!(lines, [format!("{id} stderr: sorry"), format!("{id} stderr: up"), format!("{id} up")]);
    assert_eq!(shown(&format!("-n 1 --grep fine /{second}")).lines().count(), 1);
    assert_eq!(shown("-n 2").lines().count(), 2);
    assert_eq!(shown(&format!("--grep sor --since 1h /{first}")).lines().count(), 1);
    let all: Vec<serde_json::Value> =
        shown("--json -n 1000").lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let of = |stream: &str| all.iter().filter(|line| line["stream"] == stream).count();
    assert!(of("stdout") >= 3 && of("stderr") == 3, "{all:?}");
    assert!(of("log") >= 6, "{all:?}");
    let told = cluster.cli("logs /7");
    assert!(told.refusal(3).contains("no worker 7"), "{told:?}");
    cluster.stop();
}

#[test]
fn who_follows_hears_one_worker_or_all_until_the_end() {
    let Some(cluster) = start(Options::workers(2).flags("--capture")) else { return };
    let folder = cluster.runtime_dir();
    let (one, all) = (Follower::start(&folder, "-n 1 /1"), Follower::start(&folder, "--json"));
    one.wait_for("stderr: up");
    all.wait_for("is ready after");
    // On a busy machine one of them may have two turns.
    wait_until("worker 1 has its turn", PATIENCE, || {
        let who = ask(&cluster.target(), "/out/here");
        all.wait_for(&format!("\"worker\":\"{who}\",\"stream\":\"stdout\",\"text\":\"here\""));
        who == "1"
    });
    one.wait_for("[writer/1] here");
    cluster.stop();
    assert!(!one.rest().contains("[writer/0]"));
    assert!(all.rest().contains("exited"));
}

/// Where workers write by themselves nothing of theirs is kept, and it is said what to do.
#[test]
fn of_workers_that_inherit_the_streams_none_are_kept_and_it_is_said() {
    let Some(cluster) = start(Options::workers(1)) else { return };
    let said = cluster.cli("logs");
    assert!(
        said.code == Some(0) && said.err.contains("--capture") && said.err.lines().count() == 1,
        "{said:?}"
    );
    assert!(said.out.contains("worker 0 is ready after") && !said.out.contains("up\n"), "{said:?}");
    let said = cluster.cli("logs /0");
    assert!(said.code == Some(0) && said.out.is_empty(), "{said:?}");
    cluster.stop();
}

/// A cluster in the background, ended at the end of the test whatever happens.
struct Background(TempDir, Port);

impl Background {
    fn start(flags: &str) -> Option<Self> {
        if !require("python3") {
            return None;
        }
        let own = Self(TempDir::new(), Port::free());
        let command = app_dir().join("python/writer.py").display().to_string();
        let mut start = cli_command(own.0.path(), &format!("run -d -n 1 {flags} -- python3 {command}"));
        start.env("HOST", "127.0.0.1").env("PORT", own.1.number().to_string()).current_dir(own.0.path());
        let output = start.output().expect("it starts");
        assert!(output.status.success(), "{output:?}");
        Some(own)
    }

    fn ask(&self, path: &str) {
        ask(&Target::Tcp(([127, 0, 0, 1], self.1.number()).into()), path);
    }

    #[track_caller]
    fn logs(&self, words: &str) -> String {
        cli(self.0.path(), &format!("logs {words}")).good()
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        cli(self.0.path(), "force-stop --wait");
    }
}

#[test]
fn in_the_background_nothing_is_lost_without_a_file() {
    let Some(background) = Background::start("") else { return };
    background.ask("/err/sorry");
    wait_until("it is read", PATIENCE, || background.logs("").contains("[writer/0] stderr: sorry"));
    assert!(background.logs("").contains("[writer/0] up"));
}

#[test]
fn of_a_file_the_end_is_shown_and_followed_beyond_a_rotation() {
    let Some(background) = Background::start("--log writer.log") else { return };
    background.ask("/out/one");
    wait_until("it is written", PATIENCE, || background.logs("-n 9").lines().any(|line| line == "one"));
    assert_eq!(background.logs("--grep one"), "one\n");
    let follower = Follower::start(background.0.path(), "-n 0");
    // A line of the supervisor's tells that it follows by now.
    wait_until("it follows", PATIENCE, || {
        cli(background.0.path(), "cordon /0").good();
        cli(background.0.path(), "uncordon /0").good();
        follower.lines.try_recv().is_ok()
    });
    background.ask("/out/two");
    follower.wait_for("two");
    let file = background.0.path().join("writer.log");
    fs::rename(&file, background.0.path().join("writer.log.1")).expect("it is there");
    background.ask("/out/three");
    cli(background.0.path(), "reopen").good();
    follower.wait_for("three");
    follower.wait_for("reopen");
}

/// Lines go to who reads them as fast as he reads; what he has not read by then is forgotten, and he is told how much.
#[test]
fn who_follows_and_does_not_read_costs_nothing() {
    let Some(cluster) = start(Options::workers(1).flags("--capture")) else { return };
    let mut silent = RawControl::open(&cluster.runtime_dir().join("writer.sock"));
    silent.say(b"{\"v\":1,\"do\":\"logs\",\"target\":\"cluster\",\"lines\":0,\"follow\":true}\n");
    assert!(silent.hear().starts_with("{\"v\":1,\"ok\":true"));
    ask(&cluster.target(), "/flood/100000");
    let last = format!("{:0>100}", 99_999);
    wait_until("all are read", PATIENCE, || cluster.order("logs -n 1 /0").contains(&last));
    let status = fs::read_to_string(format!("/proc/{}/status", cluster.pid())).expect("it lives");
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("it is told");
    let kib: u64 = resident.trim().trim_end_matches(" kB").parse().expect("a number");
    assert!(kib < 64 * 1024, "{kib} KiB");
    let (mut missed, mut heard) = (0, 0);
    loop {
        let line = silent.hear();
        let event: serde_json::Value = serde_json::from_str(&line).expect("JSON");
        match event["event"].as_str() {
            Some("missed") => missed += event["count"].as_u64().expect("a number"),
            Some("line") => heard += 1,
            other => panic!("{other:?}"),
        }
        if line.contains(&last) {
            break;
        }
    }
    assert!(missed > 50_000 && missed + heard >= 100_000, "{missed} missed, {heard} heard");
    cluster.stop();
}
