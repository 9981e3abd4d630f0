//! Programs that never listen, as queue consumers: they start one after the other without waiting for a listen, and are ready
//! when `--ready delay` says so.

use harness::{Cluster, Options, PATIENCE, app_dir, interpreter, require};
use std::ffi::OsString;

const WAITS: &str = "import signal; signal.pause()";

/// Python's `signal.pause()` in each worker.
fn waiting(options: Options) -> Option<Cluster> {
    let command: [OsString; 3] = [interpreter("python3"), "-c".into(), WAITS.into()];
    require("python3").then(|| Cluster::start_command(&command, options.at_once()))
}

#[test]
fn ten_that_wait_start_one_after_the_other() {
    let Some(cluster) = waiting(Options::workers(10).flags("--max-starting 1 -v")) else { return };
    cluster.log().wait_for_count(" started, pid ", 10, PATIENCE);
    let log = cluster.log();
    // Each of the nine before the last was seen to wait: that, and no time that ran out, let the next one start.
    assert_eq!(log.count("and does not listen: the next may start"), 9, "{}", log.text());
    assert_eq!(log.count(" waits after "), 9, "{}", log.text());
    let mut order = 0;
    for line in log.lines_with("worker ") {
        if line.contains(" started, pid ") {
            assert!(line.contains(&format!("worker {order} started")), "{}", log.text());
            order += 1;
        } else if line.contains(" waits after ") {
            assert!(line.contains(&format!("worker {} waits", order - 1)), "{}", log.text());
        }
    }
    cluster.stop();
}

#[test]
fn one_that_computes_before_it_listens_keeps_its_slot() {
    if !require("python3") {
        return;
    }
    // Each computes for 0.4 s of processor time, below a shell that waits, before it listens.
    let program = format!(
        "import sys, time\nsys.path.insert(0, '{}')\nimport blocking\n\
        while time.process_time() < 0.4: pass\n\
        blocking.main(blocking.accept)",
        app_dir().join("python").display()
    );
    let wrapped = "\"$0\" -c \"$1\"; exit 1";
    let command: [OsString; 5] =
        ["sh".into(), "-c".into(), wrapped.into(), interpreter("python3"), program.into()];
    let options = Options::workers(3).flags("--max-starting 1 -v").at_once();
    let cluster = Cluster::start_command(&command, options);
    cluster.log().wait_for_count(" is ready after ", 3, PATIENCE);
    let log = cluster.log();
    let told = |line: &&String| line.contains(" started, pid ") || line.contains(" is ready after ");
    let lines = log.lines_with("worker ");
    let kinds: Vec<bool> = lines.iter().filter(told).map(|line| line.contains(" started, pid ")).collect();
    assert_eq!(kinds, [true, false, true, false, true, false], "{}", log.text());
    assert_eq!(log.count("the next may start"), 0, "{}", log.text());
    cluster.stop();
}

#[test]
fn one_that_does_not_listen_is_ready_after_the_delay() {
    let Some(cluster) = waiting(Options::workers(2).flags("--ready delay:1s")) else { return };
    cluster.log().wait_for_count(" is ready after ", 2, PATIENCE);
    for id in ["0", "1"] {
        assert_eq!(cluster.inspect_worker(id)["state"], "running");
    }
    assert_eq!(cluster.log().count(" started, pid "), 2, "{}", cluster.log().text());
    cluster.stop();
}
