//! What workers write: passed on line by line where it is captured, and never at the price of serving. Interpreters, and
//! the log as JSON.

use harness::{
    Cluster, Options, PATIENCE, TempDir, app, clustermon, interpreter, open, require, wait_for_ids,
    wait_until,
};
use serde_json::Value;
use std::fs;
use std::process::Command;

/// Runs a shell script as the only worker, once, to its end.
#[track_caller]
fn run(script: &str, flags: &str) -> Cluster {
    let options = Options::workers(1).flags("--name web --respawn 0").flags(flags).at_once();
    let mut cluster = Cluster::start_command(&["sh", "-c", script], options);
    cluster.wait_exit();
    cluster
}

#[test]
fn lines_are_prefixed_and_keep_their_stream() {
    let cluster = run("echo one; echo two >&2; echo; printf 'no newline'", "--capture");
    assert_eq!(cluster.stdout().text(), "[web/0] one\n[web/0] \n[web/0] no newline\n");
    assert_eq!(cluster.log().lines_with("[web/0]"), ["[web/0] two"]);
}

#[test]
fn the_last_words_of_a_worker_that_never_started_are_told_once() {
    let options = Options::workers(1).flags("--capture --name web").at_once();
    let command = ["sh", "-c", "seq 1 30 >&2; printf 'the reason' >&2; exit 3"];
    let mut cluster = Cluster::start_command(&command, options);
    assert_eq!(cluster.wait_exit().code(), Some(1));
    let starts = cluster.log().count(" started, pid ");
    let told = cluster.log().count("the reason");
    assert_eq!(told, starts, "once for each process: {}", cluster.log().text());
    assert!(starts >= 1 && cluster.log().count("] 30") == starts, "{}", cluster.log().text());
}

#[test]
fn what_is_not_captured_is_untouched() {
    let cluster = run("printf 'a\\0b\\377 no newline'", "-v");
    assert_eq!(cluster.stdout().raw(), b"a\0b\xff no newline");
}

#[test]
fn encodings() {
    let script = r"printf 'caf\303\251 \351\n'";
    for (encoding, expected) in [
        ("utf-8", "[web/0] café \u{fffd}\n".as_bytes()),
        ("latin1", "[web/0] cafÃ© é\n".as_bytes()),
        ("raw", b"[web/0] caf\xc3\xa9 \xe9\n"),
    ] {
        let cluster = run(script, &format!("--capture --encoding {encoding}"));
        assert_eq!(cluster.stdout().raw(), expected, "{encoding}");
    }
}

#[test]
fn long_lines_are_cut_and_continued() {
    let cluster = run("head -c 150000 /dev/zero | tr '\\0' x; echo; echo end", "--capture");
    let text = cluster.stdout().text();
    let pieces: Vec<_> = text.lines().map(|line| line.strip_prefix("[web/0] ").expect("a prefix")).collect();
    assert_eq!(
        pieces.iter().map(|piece| piece.len()).collect::<Vec<_>>(),
        [65536, 65536, 150_000 - 2 * 65536, 3]
    );
}

#[test]
fn much_is_not_lost_while_it_is_read() {
    let cluster = run("seq 1 20000; seq 1 20000 >&2", "--capture");
    let numbers = |text: String| -> Vec<u32> {
        let lines = text.lines().filter_map(|line| line.strip_prefix("[web/0] ")?.parse().ok());
        lines.collect()
    };
    let wanted: Vec<u32> = (1..=20_000).collect();
    for stream in [cluster.stdout(), cluster.log()] {
        assert_eq!(numbers(stream.text()), wanted);
    }
}

/// A script that serves and meanwhile writes line after line, and tells by a file that it was far more than what fits.
fn flood(program: &str) -> String {
    let line = "yes 'a line of many'";
    format!("({line} | head -c 8000000; : > flooded; exec {line}) & exec {program}")
}

#[track_caller]
fn wait_for_flood(cluster: &Cluster) {
    let file = cluster.temp().path().join("flooded");
    wait_until("more was written than fits", PATIENCE, || file.exists());
}

#[test]
fn a_flood_that_nobody_reads_holds_up_nobody() {
    let Some(app) = app("c-epoll") else { return };
    let program = app.default_command()[0].display().to_string();
    let script = flood(&program);
    let options = Options::workers(2).flags("--capture --name web").unread_stdout();
    let mut cluster = Cluster::start_command(&["sh", "-c", &script], options);
    wait_for_ids(&cluster.target(), &app, 2);
    // Each worker writes megabytes while it serves, of which the pipe takes a page.
    for _ in 0..200 {
        open(&cluster.target(), &app).who().expect("an answer");
    }
    wait_for_flood(&cluster);
    cluster.read_stdout();
    cluster.log().wait_for("were dropped: they are not read fast enough");
    cluster.stdout().wait_for_count("[web/0] a line of many", 100, PATIENCE);
    cluster.stop();
}

#[test]
fn the_end_does_not_wait_for_who_holds_the_pipe() {
    let Some(app) = app("c-epoll") else { return };
    if !require("setsid") {
        return;
    }
    let program = app.default_command()[0].display().to_string();
    // A daemon that outlives the worker, with the worker's stdout in its hands.
    let script = format!("setsid sh -c 'while sleep 0.01; do echo daemon; done' & exec {program}");
    let options = Options::workers(1).flags("--capture --name web --min-uptime 1ms");
    let mut cluster = Cluster::start_command(&["sh", "-c", &script], options);
    cluster.stdout().wait_for("[web/0] daemon");
    harness::signal(open(&cluster.target(), &app).who().expect("an answer").pid, libc::SIGKILL);
    cluster.wait_ready(2);
    let before = cluster.stdout().count("daemon");
    cluster.stdout().wait_for_count("[web/0] daemon", before + 20, PATIENCE);
    cluster.stop();
}

#[test]
fn an_interpreter_runs_a_file_that_is_not_executable() {
    let Some(app) = app("node-http") else { return };
    let script = app.default_command().remove(1);
    assert!(Command::new(&script).spawn().is_err(), "the test wants a script that cannot be executed");
    let options = Options::workers(2).flags("--interpreter node --interpreter-arg --no-warnings");
    let cluster = Cluster::start_command(&[script.clone(), "--given".into()], options);
    wait_for_ids(&cluster.target(), &app, 2);
    let pid = open(&cluster.target(), &app).who().expect("an answer").pid;
    let line = fs::read(format!("/proc/{pid}/cmdline")).expect("the worker runs");
    let words: Vec<_> = line.split(|byte| *byte == 0).map(String::from_utf8_lossy).collect();
    let script = script.display().to_string();
    assert_eq!(words, ["node", "--no-warnings", &script, "--given", ""]);
    assert!(cluster.log().count("clustermon http: ") > 0, "the name is the script's");
    cluster.stop();
}

#[test]
fn an_interpreter_is_not_started_for_nothing() {
    let folder = TempDir::new();
    let missing = folder.path().join("missing.py");
    let python = if require("python3") { interpreter("python3") } else { "sh".into() };
    let output = Command::new(clustermon())
        .args(["run", "--interpreter"])
        .args([&python, missing.as_os_str()])
        .output()
        .expect("it starts");
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{told}");
    assert!(told.contains("missing.py") && told.contains("no such file"), "{told}");
    let output = Command::new(clustermon())
        .args(["run", "--interpreter", "no-such-interpreter"])
        .arg(app_file())
        .output()
        .expect("it starts");
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(2) && told.contains("no-such-interpreter"), "{told}");
}

fn app_file() -> std::path::PathBuf {
    harness::app_dir().join("node/http.js")
}

fn objects(text: &str) -> Vec<Value> {
    let parse = |line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
    text.lines().map(parse).collect()
}

#[test]
fn every_line_of_a_json_log_is_an_object() {
    let cluster = run("printf 'a \"b\"\\tc\\377\\n'; echo oops >&2", "--capture --log-format json -v");
    let out = objects(&cluster.stdout().text());
    assert_eq!(out.len(), 1);
    assert_eq!(out[0]["text"], "a \"b\"\tc\u{fffd}");
    for (name, value) in [("cluster", "web"), ("worker", "0"), ("stream", "stdout")] {
        assert_eq!(out[0][name], value);
    }

    let log = objects(&cluster.log().text());
    let (captured, own): (Vec<_>, Vec<_>) = log.iter().partition(|line| line.get("stream").is_some());
    assert_eq!(captured.len(), 1);
    assert_eq!((&captured[0]["stream"], &captured[0]["text"]), (&"stderr".into(), &"oops".into()));
    assert!(
        own.iter().any(|line| line["text"].as_str().is_some_and(|text| text.contains("worker 0 started")))
    );
    for line in &own {
        assert_eq!(line["cluster"], "web");
        assert!(["error", "warn", "info", "debug"].map(Value::from).contains(&line["level"]), "{line}");
    }
    for line in &log {
        let ts = line["ts"].as_str().expect("a time");
        assert!(ts.len() == "2026-01-02T03:04:05.678Z".len() && ts.ends_with('Z'), "{ts}");
    }
}

#[test]
fn what_is_dropped_is_an_object_too() {
    let Some(app) = app("c-epoll") else { return };
    let program = app.default_command()[0].display().to_string();
    let script = flood(&program);
    let options = Options::workers(1).flags("--capture --log-format json").unread_stdout();
    let mut cluster = Cluster::start_command(&["sh", "-c", &script], options);
    wait_until("the worker answers", PATIENCE, || open(&cluster.target(), &app).who().is_ok());
    wait_for_flood(&cluster);
    cluster.read_stdout();
    cluster.log().wait_for("were dropped");
    cluster.signal(libc::SIGTERM);
    cluster.wait_exit();
    objects(&cluster.log().text());
}
