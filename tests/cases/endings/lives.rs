//! The lives of workers that are told what to do, or have nothing more to do: budgets, finished work, a bad first start,
//! and how long a worker may take to stop.

use harness::{
    App, Cluster, Conn, Options, PATIENCE, Pid, Target, app, app_dir, interpreter, is_alive, require,
    wait_until,
};
use serde_json::Value;
use std::time::{Duration, Instant};

fn pid(cluster: &Cluster, id: &str) -> Pid {
    cluster.inspect_worker(id)["pid"].as_u64().expect("it has a process") as Pid
}

fn text<'a>(worker: &'a Value, key: &str) -> &'a str {
    worker[key].as_str().unwrap_or_default()
}

/// Time passes although nothing happens: what must not happen meanwhile is asserted by the caller.
fn pass(time: Duration) {
    let begun = Instant::now();
    wait_until("time has passed", time + PATIENCE, || begun.elapsed() > time);
}

/// python/stubborn.py: ignores the signals that ask it to stop.
fn stubborn(workers: usize, flags: &str) -> Option<Cluster> {
    let program = app_dir().join("python/stubborn.py").into_os_string();
    let start = || {
        let command = [interpreter("python3"), program];
        Cluster::start_command(&command, Options::workers(workers).flags(flags))
    };
    require("python3").then(start)
}

#[test]
fn finished_work_ends_the_cluster_well() {
    let options = Options::workers(2).flags("--exit-codes-ok 0,7").at_once();
    let mut cluster = Cluster::start_command(&["sh", "-c", "exit $((PROCESS_LOGICAL_ID * 7))"], options);
    assert_eq!(cluster.wait_exit().code(), Some(0));
    assert_eq!(cluster.log().count("not started again: it has done its work"), 2);
    assert_eq!(cluster.log().count(" started, pid "), 2);
    cluster.assert_nothing_left();
}

#[test]
fn one_that_has_finished_leaves_the_others_at_work() {
    let Some(app) = app("c-epoll") else { return };
    let flags = "--exit-codes-ok 5 --restart-delay 1ms";
    let mut cluster = Cluster::start(&app, Options::workers(2).flags(flags));
    let exit = |code: u8, id: &str| {
        let mut conn = harness::conn_to(&cluster.target(), &app, id);
        conn.request(&format!("/exit?code={code}")).expect("it is written");
    };
    // One that is not listed is a death like any other.
    exit(4, "0");
    cluster.log().wait_for("worker 0 exited: code 4");
    cluster.wait_ready(3);
    let exit = |code: u8, id: &str| {
        let mut conn = harness::conn_to(&cluster.target(), &app, id);
        conn.request(&format!("/exit?code={code}")).expect("it is written");
    };
    exit(5, "0");
    cluster.log().wait_for("worker 0 exited: code 5");
    let worker = cluster.inspect_worker("0");
    assert_eq!((text(&worker, "state"), text(&worker, "reason")), ("standby", "finished"), "{worker}");
    assert_eq!(harness::who(&cluster.target()).expect("worker 1 serves").id, "1");
    exit(5, "1");
    assert_eq!(cluster.wait_exit().code(), Some(0));
}

#[test]
fn code_zero_is_restarted_like_any_other() {
    let Some(app) = app("node-http") else { return };
    let mut cluster = Cluster::start(&app, Options::workers(1).flags("--restart-delay 1ms"));
    for round in 1..=3 {
        let mut conn = harness::open(&cluster.target(), &app);
        conn.request("/exit?code=0").expect("it is written");
        cluster.log().wait_for_count("worker 0 exited: code 0", round, PATIENCE);
        cluster.wait_ready(1 + round);
    }
    cluster.stop();
}

#[test]
fn a_spent_budget_is_shown_and_is_the_workers_own() {
    let Some(app) = app("c-epoll") else { return };
    let mut cluster = Cluster::start(&app, Options::workers(2).flags("--respawn 1 --restart-delay 1ms"));
    let kill = |cluster: &Cluster, id: &str| harness::signal(pid(cluster, id), libc::SIGKILL);
    kill(&cluster, "0");
    cluster.wait_ready(3);
    kill(&cluster, "0");
    cluster.log().wait_for("not started again: its restarts are spent");
    let worker = cluster.inspect_worker("0");
    assert_eq!((text(&worker, "state"), text(&worker, "reason")), ("standby", "budget spent"), "{worker}");
    let status = cluster.order("status");
    assert!(status.contains("budget spent") && status.contains("1 of 2 workers running"), "{status}");
    // Worker 1 has a budget of its own; a restart that somebody asked for costs nothing.
    cluster.order("restart /1 --wait");
    kill(&cluster, "1");
    cluster.wait_ready(5);
    kill(&cluster, "1");
    assert_eq!(cluster.wait_exit().code(), Some(1));
    cluster.assert_nothing_left();
}

#[test]
fn a_worker_whose_budget_is_spent_can_be_started_by_command() {
    let Some(app) = app("c-epoll") else { return };
    let mut cluster = Cluster::start(&app, Options::workers(2).flags("--respawn 0"));
    harness::signal(pid(&cluster, "0"), libc::SIGKILL);
    cluster.log().wait_for("not started again: its restarts are spent");
    cluster.order("start /0 --wait");
    cluster.wait_ready(3);
    harness::wait_for_ids(&cluster.target(), &app, 2);
    cluster.stop();
}

#[test]
fn a_bad_first_start_ends_at_once_and_says_why() {
    // Nobody waits for the next start, which is an hour away.
    let options = Options::workers(3).flags("--restart-delay 1h --max-restart-delay 1h").at_once();
    let mut cluster = Cluster::start_command(&["sh", "-c", "exit 3"], options);
    assert_eq!(cluster.wait_exit().code(), Some(1));
    let told = cluster.log().lines_with("no worker has come so far as to listen");
    assert!(told.len() == 1 && told[0].ends_with(": code 3"), "{told:?}");
    assert_eq!(cluster.log().count(" started, pid "), 3, "each is tried once");
    cluster.assert_nothing_left();
}

#[test]
fn one_worker_that_starts_is_enough_to_go_on() {
    let Some(app) = app("c-epoll") else { return };
    let program = app.default_command()[0].display().to_string();
    let script = format!("[ $PROCESS_LOGICAL_ID = 1 ] || exit 3; exec {program}");
    let options = Options::workers(2).flags("--restart-delay 1ms --max-restart-delay 20ms").at_once();
    let cluster = Cluster::start_command(&["sh", "-c", &script], options);
    cluster.log().wait_for_count("worker 0 exited: code 3", 4, PATIENCE);
    cluster.log().wait_for("worker 1 is ready");
    assert_eq!(harness::who(&cluster.target()).expect("worker 1 serves").id, "1");
    cluster.stop();
}

#[test]
fn keep_trying_overcomes_a_bad_first_start() {
    let Some(app) = app("c-epoll") else { return };
    let program = app.default_command()[0].display().to_string();
    let script = format!("[ -e mended ] || exit 3; exec {program}");
    let flags = "--keep-trying --restart-delay 1ms --max-restart-delay 50ms";
    let options = Options::workers(1).flags(flags).at_once();
    let mut cluster = Cluster::start_command(&["sh", "-c", &script], options);
    cluster.log().wait_for_count(" exited: code 3", 3, PATIENCE);
    std::fs::write(cluster.temp().path().join("mended"), "").expect("the directory is ours");
    cluster.wait_ready(1);
    harness::who(&cluster.target()).expect("an answer");
    cluster.stop();
}

#[test]
fn a_stop_timeout_of_zero_kills_at_once() {
    let Some(cluster) = stubborn(2, "--stop-timeout 0 --shutdown-timeout 1h") else { return };
    cluster.order("stop /0 --wait");
    let worker = cluster.inspect_worker("0");
    assert!(text(&worker, "last_exit").contains("SIGKILL"), "{worker}");
    cluster.stop();
}

#[test]
fn an_infinite_stop_timeout_never_kills() {
    let Some(cluster) = stubborn(1, "--stop-timeout infinity") else { return };
    let process = pid(&cluster, "0");
    let told = cluster.cli("stop /0 --wait --wait-timeout 500ms");
    assert_eq!(told.code, Some(4), "{told:?}");
    let worker = cluster.inspect_worker("0");
    assert!(text(&worker, "state") == "stopping" && worker["force_stop_at"].is_null(), "{worker}");
    assert_eq!(worker["forced_stop"], false);
    cluster.signal(libc::SIGTERM);
    cluster.log().wait_for("however long it takes");
    pass(Duration::from_millis(300));
    assert!(is_alive(process) && cluster.is_alive());
    harness::signal(process, libc::SIGKILL);
    let mut cluster = cluster;
    assert_eq!(cluster.wait_exit().code(), Some(0));
    cluster.assert_nothing_left();
}

#[test]
fn a_restart_is_forced_after_the_stop_timeout() {
    let Some(mut cluster) = stubborn(1, "--stop-timeout 300ms") else { return };
    let old = pid(&cluster, "0");
    let begun = Instant::now();
    cluster.order("restart /0 --no-wait");
    let worker = cluster.inspect_worker("0");
    // The time to stop begins with the signal, and that comes once it has drained.
    if text(&worker, "state") == "stopping" {
        assert!(worker["force_stop_at"].is_u64() || worker["draining"].is_object(), "{worker}");
    }
    cluster.log().wait_for("worker 0 did not stop within ");
    assert!(begun.elapsed() > Duration::from_millis(290));
    cluster.wait_ready(2);
    assert_ne!(pid(&cluster, "0"), old);
    assert!(text(&cluster.inspect_worker("0"), "last_exit").contains("SIGKILL"));
    harness::who(&cluster.target()).expect("an answer");
    cluster.stop();
}

#[test]
fn a_worker_that_is_starting_is_stopped_and_stays_down() {
    let command = ["sh", "-c", "exec sleep 1000"];
    let cluster = Cluster::start_command(&command, Options::workers(1).at_once());
    cluster.log().wait_for("worker 0 started, pid ");
    assert_eq!(cluster.inspect_worker("0")["state"], "starting");
    let process = pid(&cluster, "0");
    cluster.order("stop /0 --wait");
    let worker = cluster.inspect_worker("0");
    assert_eq!((text(&worker, "state"), text(&worker, "reason")), ("standby", "stopped"), "{worker}");
    assert!(!is_alive(process));
    assert!(worker["starting_at"].is_null() && worker["restarts"] == 0, "{worker}");
    assert_eq!(cluster.log().count(" started, pid "), 1);
    cluster.stop();
}

#[test]
fn a_stop_while_workers_start_starts_no_more() {
    let command = ["sh", "-c", "exec sleep 1000"];
    let mut cluster =
        Cluster::start_command(&command, Options::workers(8).flags("--max-starting 1").at_once());
    cluster.log().wait_for("worker 0 started, pid ");
    cluster.signal(libc::SIGTERM);
    assert_eq!(cluster.wait_exit().code(), Some(0));
    let (text, stopping) = (cluster.log().text(), "stopping ");
    let after = text.split_once(stopping).expect("that is logged").1;
    assert!(!after.contains(" started, pid "), "{text}");
    cluster.assert_nothing_left();
}

/// Python's blocking server with a line of code before it.
fn python_with(first: &str) -> Option<[std::ffi::OsString; 3]> {
    let folder = app_dir().join("python");
    let script = format!(
        "import sys; sys.path.insert(0, '{}'); {first}; import blocking; blocking.main(blocking.accept)",
        folder.display()
    );
    require("python3").then(|| [interpreter("python3"), "-c".into(), script.into()])
}

#[test]
fn a_hang_up_is_the_programs_own_affair() {
    let trap = "import signal; signal.signal(signal.SIGHUP, lambda *_: print('read anew', flush=True))";
    let Some(command) = python_with(trap) else { return };
    let cluster = Cluster::start_command(&command, Options::workers(2));
    let process = pid(&cluster, "0");
    cluster.order("hang-up /0");
    cluster.stdout().wait_for("read anew");
    let worker = cluster.inspect_worker("0");
    assert_eq!((text(&worker, "state"), pid(&cluster, "0")), ("running", process), "{worker}");
    assert_eq!(cluster.stdout().count("read anew"), 1, "the other is not asked");
    assert_eq!(cluster.log().count(" exited: "), 0);
    cluster.stop();
}

#[test]
fn a_dump_shows_where_it_was_and_ends_it() {
    let Some(command) = python_with("import faulthandler; faulthandler.enable()") else { return };
    let cluster = Cluster::start_command(&command, Options::workers(1));
    cluster.order("dump /0 --wait");
    // Written in pieces, between which the supervisor may write its own.
    cluster.log().wait_for("blocking.py");
    let worker = cluster.inspect_worker("0");
    assert!(
        text(&worker, "state") == "standby" && text(&worker, "last_exit").contains("SIGABRT"),
        "{worker}"
    );
    cluster.order("start --wait");
    harness::who(&cluster.target()).expect("an answer");
    cluster.stop();
}

#[test]
fn a_debugger_opens_and_is_not_disturbed() {
    let Some(app) = app("node-http") else { return };
    // Its usual port may be somebody else's on this machine.
    let options = Options::workers(2).flags("--stop-timeout 200ms").env("NODE_OPTIONS", "--inspect-port=0");
    let cluster = Cluster::start(&app, options);
    let process = pid(&cluster, "0");
    cluster.order("debug /0");
    let inspector = inspector(&cluster);
    let mut conn = Conn::open(&inspector).expect("the inspector listens");
    // It answers nobody who calls it by another name.
    conn.write(b"GET /json/version HTTP/1.1\r\nHost: localhost\r\n\r\n").expect("it is written");
    let told = conn.response().expect("the inspector answers").text();
    assert!(told.contains("node.js/"), "{told}");
    // Four times what a worker has to stop.
    pass(Duration::from_millis(800));
    assert!(is_alive(process));
    let worker = cluster.inspect_worker("0");
    assert!(text(&worker, "state") == "stopping" && worker["is_debugging"] == true, "{worker}");
    assert!(worker["force_stop_at"].is_null() && worker["pid"] == process, "{worker}");
    only_the_other_serves(&cluster, &app);
    cluster.order("force-stop /0 --wait");
    cluster.order("start /0 --wait");
    harness::wait_for_ids(&cluster.target(), &app, 2);
    cluster.stop();
}

fn inspector(cluster: &Cluster) -> Target {
    cluster.log().wait_for("Debugger listening on ws://");
    let line = cluster.log().lines_with("Debugger listening on ws://").remove(0);
    let address = line.split_once("ws://").and_then(|(_, rest)| rest.split('/').next());
    address.and_then(Target::parse).unwrap_or_else(|| panic!("no address in {line:?}"))
}

fn only_the_other_serves(cluster: &Cluster, app: &App) {
    let answers = harness::ask_in_turn(&cluster.target(), app, 10);
    assert!(answers.iter().all(|who| who.id == "1"), "{answers:?}");
}
