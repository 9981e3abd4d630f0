//! Workers whose main process ends while others of theirs live: they get a new one where that was no good end, and the
//! others are told to stop where their parent did not.

use harness::{
    App, Cluster, Listen, Options, PATIENCE, Pid, app, app_dir, interpreter, is_alive, signal, wait_until,
};
use serde_json::Value;
use std::ffi::OsString;

/// Forks two children that accept, in sessions of their own so that no signal to a group reaches them, and then does as
/// it is told by `THEN`.
const PARENT: &str = "
import os, signal, sys
sys.path.insert(0, sys.argv[1])
import blocking
for _ in range(2):
    if os.fork() == 0:
        os.setsid()
        blocking.main(blocking.accept)
THEN
while True: signal.pause()
";

fn start(workers: usize, then: &str, flags: &str) -> Option<(Cluster, App)> {
    let app = app("python-blocking")?;
    let script = PARENT.replace("THEN", then);
    let command: [OsString; 4] =
        [interpreter("python3"), "-c".into(), script.into(), app_dir().join("python").into_os_string()];
    let options = Options::workers(workers).listen(Listen::Host("127.0.0.1")).flags(flags);
    Some((Cluster::start_command(&command, options), app))
}

fn pid(worker: &Value) -> Pid {
    worker["pid"].as_u64().expect("it has a process") as Pid
}

fn members(worker: &Value) -> Vec<Pid> {
    worker["members"]
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|pid| Some(pid.as_u64()? as Pid))
        .collect()
}

fn wait_for_members(cluster: &Cluster, id: &str) -> Vec<Pid> {
    wait_until("both children are members", PATIENCE, || members(&cluster.inspect_worker(id)).len() == 2);
    members(&cluster.inspect_worker(id))
}

#[test]
fn a_main_process_that_is_killed_is_replaced_and_its_children_are_stopped() {
    let Some((cluster, app)) = start(2, "", "--restart-delay 1ms") else { return };
    let (main, children) = (pid(&cluster.inspect_worker("1")), wait_for_members(&cluster, "1"));
    signal(main, libc::SIGKILL);
    cluster.log().wait_for("worker 1: its main process ended: signal SIGKILL");
    wait_until("another process has its place", PATIENCE, || {
        let worker = cluster.inspect_worker("1");
        worker["state"] == "running" && pid(&worker) != main
    });
    wait_until("its children are gone", PATIENCE, || children.iter().all(|child| !is_alive(*child)));
    let worker = cluster.inspect_worker("1");
    assert!(worker["last_exit"].as_str().is_some_and(|exit| exit.contains("SIGKILL")), "{worker}");
    assert_eq!(worker["last_cause"], "signal", "{worker}");
    harness::wait_for_ids(&cluster.target(), &app, 2);
    cluster.stop();
}

#[test]
fn a_main_process_that_ends_with_an_error_is_replaced_too() {
    let then = "signal.signal(signal.SIGUSR1, lambda *_: os._exit(1))";
    let Some((cluster, app)) = start(1, then, "--restart-delay 1ms") else { return };
    let (main, children) = (pid(&cluster.inspect_worker("0")), wait_for_members(&cluster, "0"));
    signal(main, libc::SIGUSR1);
    cluster.log().wait_for("worker 0: its main process ended: code 1");
    wait_until("its children are gone", PATIENCE, || children.iter().all(|child| !is_alive(*child)));
    harness::wait_for_ids(&cluster.target(), &app, 1);
    assert_ne!(pid(&cluster.inspect_worker("0")), main);
    cluster.stop();
}

#[test]
fn a_program_that_goes_into_the_background_is_the_worker_and_shown_as_it() {
    let then = "signal.signal(signal.SIGUSR1, lambda *_: os._exit(0))";
    let Some((cluster, app)) = start(1, then, "--restart-delay 1ms") else { return };
    let (main, children) = (pid(&cluster.inspect_worker("0")), wait_for_members(&cluster, "0"));
    signal(main, libc::SIGUSR1);
    cluster.log().wait_for("worker 0: its first process has ended, and ");
    assert_eq!(members(&cluster.inspect_worker("0")), children);
    assert!(children.contains(&pid(&cluster.inspect_worker("0"))));
    assert_eq!(cluster.log().count("its main process ended"), 0);
    harness::ask_in_turn(&cluster.target(), &app, 4);
    cluster.stop();
}

#[test]
fn children_whose_parent_dies_of_the_stop_are_told_by_the_supervisor() {
    // Whoever waited for the kill would wait for ever.
    let Some((cluster, _)) = start(2, "", "--stop-timeout infinity") else { return };
    let children: Vec<Pid> = ["0", "1"].iter().flat_map(|id| wait_for_members(&cluster, id)).collect();
    cluster.stop();
    assert!(children.iter().all(|child| !is_alive(*child)), "{children:?}");
}
