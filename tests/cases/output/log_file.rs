//! The file that a cluster in the background logs to: whose lines it holds, when they were written, and what becomes of it
//! when it is moved away, as log rotation does.

use harness::{
    Cluster, Options, PATIENCE, Port, TempDir, app, c_program, cli, cli_command, signal, wait_until,
};
use serde_json::Value;
use std::fs;
use std::path::PathBuf;

/// Clusters in the background, ended at the end of the test whatever happens.
struct Place(TempDir);

impl Place {
    fn new() -> Self {
        Self(TempDir::new())
    }

    /// Starts one and waits until it is ready.
    #[track_caller]
    fn start(&self, flags: &str, port: &Port) {
        let program = c_program("epoll", &[]).display().to_string();
        let mut start = cli_command(self.0.path(), &format!("run --detach -n 1 {flags} -- {program}"));
        start.env("HOST", "127.0.0.1").env("PORT", port.number().to_string()).current_dir(self.0.path());
        let output = start.output().expect("it starts");
        assert!(output.status.success(), "{output:?}");
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn text(&self, name: &str) -> String {
        fs::read_to_string(self.file(name)).unwrap_or_default()
    }

    #[track_caller]
    fn order(&self, words: &str) -> String {
        cli(self.0.path(), words).good()
    }

    fn supervisor(&self) -> u32 {
        let found: Value = serde_json::from_str(&self.order("inspect")).expect("inspect prints JSON");
        found["pid"].as_u64().and_then(|pid| pid.try_into().ok()).expect("a pid")
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        for name in ["epoll", "epoll-2", "web"] {
            cli(self.0.path(), &format!("force-stop {name} --wait"));
            cli(self.0.path(), &format!("stop {name} --wait"));
        }
    }
}

#[test]
fn its_lines_have_the_name_that_the_cluster_got() {
    if app("c-epoll").is_none() {
        return;
    }
    let place = Place::new();
    place.start("--log 1.log", &Port::free());
    place.start("--log 2.log", &Port::free());
    wait_until("it is written", PATIENCE, || place.text("2.log").contains("is ready"));
    for line in place.text("2.log").lines() {
        let (time, rest) = line.split_once(' ').expect("the time comes first");
        assert!(time.len() == "2026-01-02T03:04:05.678Z".len() && time.ends_with('Z'), "{line}");
        assert!(rest.starts_with("clustermon epoll-2: "), "{line}");
    }
}

#[test]
fn the_time_is_where_it_is_wanted() {
    let run = |flags: &str| {
        let options = Options::workers(1).flags("--respawn 0 --capture --name web").flags(flags).at_once();
        let mut cluster = Cluster::start_command(&["sh", "-c", "echo one; exit 3"], options);
        cluster.wait_exit();
        (cluster.log().text(), cluster.stdout().text())
    };
    for flags in ["--log-time auto", "--log-time off"] {
        let (log, out) = run(flags);
        assert!(log.starts_with("clustermon web: ") && out.starts_with("[web/0] one"), "{log}{out}");
    }
    let (log, out) = run("--log-time on");
    for (text, rest) in [(&log, "Z clustermon web: "), (&out, "Z [web/0] one")] {
        assert!(text.starts_with("20") && text.contains(rest), "{text}");
    }
}

#[test]
fn it_is_opened_anew_when_it_was_moved_away() {
    if app("c-epoll").is_none() {
        return;
    }
    let place = Place::new();
    let port = Port::free();
    place.start("--name web --capture --log web.log", &port);
    let rotate = |number: u32| {
        let old = format!("web.log.{number}");
        fs::rename(place.file("web.log"), place.file(&old)).expect("it is there");
        old
    };
    let old = rotate(1);
    place.order("reopen web");
    wait_until("it is there again", PATIENCE, || place.text("web.log").contains("web.log again"));
    let before = place.text(&old);
    assert!(before.contains("worker 0 is ready") && !before.contains("again"), "{before}");
    // The signal means the same, and goes to the workers as ever: this program ends by it.
    let old = rotate(2);
    signal(place.supervisor(), libc::SIGUSR1);
    wait_until("its end is in the new one", PATIENCE, || {
        place.text("web.log").contains("worker 0 exited: signal SIGUSR1")
    });
    assert!(!place.text(&old).contains("SIGUSR1"), "{}", place.text(&old));
    // What cannot be opened leaves things as they were.
    let old = rotate(3);
    fs::create_dir(place.file("web.log")).expect("nothing is there");
    let said = cli(place.0.path(), "reopen web");
    assert!(said.refusal(1).contains("the log cannot be opened anew, and goes on where it was"), "{said:?}");
    wait_until("it goes on", PATIENCE, || place.text(&old).contains("error: the log cannot be opened anew"));
}

#[test]
fn where_there_is_none_it_is_not_opened() {
    let Some(app) = app("c-epoll") else { return };
    let cluster = Cluster::start(&app, Options::workers(1));
    let said = cluster.cli("reopen");
    assert!(said.refusal(1).contains("runs without --log"), "{said:?}");
    cluster.stop();
}
