//! When a worker that died comes back: at once if it was old enough, later and later if it dies young.

use harness::{Cluster, Options, app, clustermon, signal};
use std::time::{Duration, Instant};

/// The `next start in` of each exit, as logged.
fn delays(cluster: &Cluster) -> Vec<Duration> {
    let lines = cluster.log().lines_with("next start in ");
    let parse = |line: &String| {
        let text = line.split_once("next start in ").expect("it was searched for").1;
        let text = text.split([' ', ',']).next().expect("split gives one").trim();
        let digits = text.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
        let unit = match &text[digits.len()..] {
            "s" => 1.0,
            "ms" => 1e-3,
            "us" => 1e-6,
            other => panic!("{other:?} in {line:?}"),
        };
        Duration::from_secs_f64(digits.parse::<f64>().expect("a number") * unit)
    };
    lines.iter().map(parse).collect()
}

#[test]
fn the_young_wait_twice_as_long_each_time() {
    let mut cluster = Cluster::start_command(
        &["sh", "-c", "exit 3"],
        Options::workers(1).flags("--keep-trying --max-restart-delay 1s").at_once(),
    );
    cluster.log().wait_for_count("worker 0 exited: code 3, up ", 6, Duration::from_secs(30));
    let delays = delays(&cluster);
    for (delay, expected) in delays.iter().zip([100, 200, 400, 800, 1000, 1000]) {
        let (low, high) =
            (Duration::from_millis(expected * 79 / 100), Duration::from_millis(expected * 121 / 100));
        assert!(
            (low..=high).contains(delay),
            "{delay:?} is not {expected} ms give or take a fifth: {delays:?}"
        );
    }
    cluster.signal(libc::SIGTERM);
    assert_eq!(cluster.wait_exit().code(), Some(0));
    cluster.assert_nothing_left();
}

#[test]
fn the_old_are_replaced_at_once() {
    let Some(app) = app("c-epoll") else { return };
    let mut cluster = Cluster::start(
        &app,
        Options::workers(1).flags("--min-uptime 50ms --restart-delay 1h --max-restart-delay 1h"),
    );
    for round in 1..=3 {
        let pid = cluster.started()["0"];
        let born = Instant::now();
        harness::wait_until("it is old enough", Duration::from_secs(5), || {
            born.elapsed() > Duration::from_millis(80)
        });
        signal(pid, libc::SIGKILL);
        // It would wait an hour if it were taken for a young one.
        cluster.wait_ready(1 + round);
    }
    cluster.stop();
}

#[test]
fn a_spent_budget_ends_the_cluster() {
    let options = Options::workers(2).flags("--keep-trying --respawn 2 --restart-delay 1ms").at_once();
    let mut cluster = Cluster::start_command(&["sh", "-c", "exit 3"], options);
    assert_eq!(cluster.wait_exit().code(), Some(1));
    assert_eq!(cluster.log().count(" exited: code 3, up "), 6, "each starts once and is restarted twice");
    cluster.assert_nothing_left();
}

#[test]
fn a_budget_is_refilled_by_a_long_life() {
    let Some(app) = app("c-epoll") else { return };
    let options = Options::workers(1).flags("--respawn 1 --min-uptime 30ms --restart-delay 1ms");
    let mut cluster = Cluster::start(&app, options);
    for round in 1..=4 {
        let born = Instant::now();
        harness::wait_until("it is old enough", Duration::from_secs(5), || {
            born.elapsed() > Duration::from_millis(60)
        });
        signal(cluster.started()["0"], libc::SIGKILL);
        cluster.wait_ready(1 + round);
    }
    cluster.stop();
}

#[test]
fn the_log_tells_the_story() {
    let Some(app) = app("c-epoll") else { return };
    let mut cluster = Cluster::start(&app, Options::workers(1));
    let pid = cluster.started()["0"];
    let address = cluster.target().to_string();
    cluster.log().wait_for(&format!("worker 0 listens on {address}"));
    assert_eq!(cluster.addresses(), [address]);
    signal(pid, libc::SIGSEGV);
    // A core may have been dumped, which is said too.
    cluster.log().wait_for("worker 0 exited: signal SIGSEGV");
    cluster.wait_ready(2);
    let text = cluster.log().text();
    let mut at = 0;
    for part in ["worker 0 started, pid ", "worker 0 is ready", "worker 0 exited: ", "worker 0 started, pid "]
    {
        at += text[at..].find(part).unwrap_or_else(|| panic!("{part:?} is missing or out of order"));
    }
    assert_eq!(delays(&cluster).len(), 1);
    cluster.stop();
}

#[test]
fn help_and_version_are_printed() {
    for word in ["--help", "--version"] {
        let output = std::process::Command::new(clustermon()).arg(word).output().expect("it starts");
        assert!(output.status.success());
        assert!(String::from_utf8_lossy(&output.stdout).contains("clustermon"));
        assert!(output.stderr.is_empty());
    }
}
