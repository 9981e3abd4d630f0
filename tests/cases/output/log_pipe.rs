//! The supervisor's log never holds up its work.

use harness::{Cluster, Options, PATIENCE, Pid, app, get, interpreter, wait_for, wait_until, who};
use std::fs;

#[test]
fn serving_continues_when_nobody_reads_the_log() {
    let Some(app) = app("c-epoll") else { return };
    // One page of pipe is full after some twenty exits.
    let options = Options::workers(2).unread().flags("-v --min-uptime 1ms --restart-delay 1ms");
    let cluster = Cluster::start(&app, options);
    let target = cluster.target();
    wait_until("a worker answers", PATIENCE, || who(&target).is_ok());
    for _ in 0..60 {
        let before = who(&target).expect("an answer");
        assert!(get(&target, "/exit?code=3").is_err(), "the process ends without an answer");
        who(&target).unwrap_or_else(|error| panic!("after the exit of {before:?}: {error}"));
    }
    cluster.stop();
}

/// Whether the process's stderr has O_NONBLOCK.
fn is_nonblocking(pid: Pid) -> bool {
    let info = fs::read_to_string(format!("/proc/{pid}/fdinfo/2")).expect("it runs");
    let flags = info.lines().find_map(|line| line.strip_prefix("flags:")).expect("it is always told");
    let flags = i32::from_str_radix(flags.trim(), 8).expect("in octal digits");
    flags & libc::O_NONBLOCK != 0
}

/// Node makes its stderr non-blocking, and with it that of everybody who shares the pipe, also after its end.
#[test]
fn the_log_goes_on_when_a_worker_makes_its_pipe_non_blocking() {
    let Some(_) = app("node-http") else { return };
    let script = "process.stderr.write('shared\\n'); \
                  require('http').createServer((_, answer) => answer.end('pid=' + process.pid + ' id=0\\n')) \
                  .listen(process.env.PORT, process.env.HOST)";
    let options = Options::workers(1).unread().flags("--min-uptime 1ms --restart-delay 1ms");
    let mut cluster = Cluster::start_command(&[interpreter("node"), "-e".into(), script.into()], options);
    let target = cluster.target();
    wait_until("it answers", PATIENCE, || who(&target).is_ok());
    wait_until("the supervisor's stderr does not block", PATIENCE, || is_nonblocking(cluster.pid()));
    // One page of pipe is full after some fifteen ends.
    for _ in 0..20 {
        let before = wait_for("it answers", PATIENCE, || who(&target).ok()).pid;
        harness::signal(before, libc::SIGKILL);
        wait_until("another answers", PATIENCE, || who(&target).is_ok_and(|who| who.pid != before));
    }
    cluster.read_stdout();
    cluster.stdout().wait_for(" exited: signal SIGKILL");
    cluster.signal(libc::SIGTERM);
    assert_eq!(cluster.wait_exit().code(), Some(0));
    // What did not fit is counted, and after that it is written as ever.
    assert!(cluster.stdout().text().contains("SIGTERM: stopping"), "{}", cluster.stdout().text());
}
