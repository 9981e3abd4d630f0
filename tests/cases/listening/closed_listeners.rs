//! Listeners that a program has closed are closed by the supervisor too, without a client; and a process that is killed, or
//! whose main thread has ended, has closed nothing.

use harness::{
    App, Cluster, Conn, Options, PATIENCE, app, app_dir, conn_to, get, interpreter, open, signal, state,
    wait_until,
};
use std::time::Duration;

/// For hundreds of listeners, or thousands of descriptors, on a busy machine.
const LONG: Duration = Duration::from_secs(120);

/// python/many_listeners.py.
fn start(options: Options) -> Option<(Cluster, App)> {
    let app = app("python-blocking")?;
    let command = [interpreter("python3"), app_dir().join("python/many_listeners.py").into_os_string()];
    Some((Cluster::start_command(&command, options), app))
}

fn count_balancers(cluster: &Cluster) -> usize {
    let picture = cluster.inspect();
    picture["load_balancers"].as_array().expect("a list").len()
}

#[test]
fn what_a_program_has_opened_and_closed_does_not_stay() {
    let Some((cluster, app)) = start(Options::workers(1)) else { return };
    // Its page comes to the supervisor after it is ready, and before its first answer.
    let told = get(&cluster.target(), "/open-and-close?n=1").expect("an answer").text();
    assert_eq!(told, "1\n");
    wait_until("the first is closed", PATIENCE, || count_balancers(&cluster) == 1);
    let before = cluster.fd_count();
    let mut conn =
        Conn::open(&cluster.target()).and_then(|conn| conn.within(LONG)).expect("the server listens");
    assert_eq!(conn.get("/open-and-close?n=200").expect("an answer").text(), "200\n");
    drop(conn);
    wait_until("only the one that is open is left", LONG, || count_balancers(&cluster) == 1);
    wait_until("its descriptors are free again", PATIENCE, || cluster.fd_count() <= before);
    assert_eq!(open(&cluster.target(), &app).who().expect("an answer").id, "0");
    cluster.stop();
}

#[test]
fn what_moves_to_a_child_or_to_another_number_stays() {
    let Some((cluster, app)) = start(Options::workers(1)) else { return };
    let moved = get(&cluster.target(), "/move").expect("an answer").text();
    // Each look finds all but one where they were, or somewhere else.
    let closed = get(&cluster.target(), "/open-and-close?n=1").expect("an answer").text();
    assert_eq!((moved.as_str(), closed.as_str()), ("moved\n", "1\n"));
    wait_until("what was closed is found", PATIENCE, || cluster.log().count(" no longer listens on ") >= 1);
    assert_eq!(count_balancers(&cluster), 3, "the main one, one at another number, one in a child");
    assert_eq!(open(&cluster.target(), &app).who().expect("an answer").id, "0");
    cluster.stop();
}

#[test]
fn a_process_whose_main_thread_has_ended_has_closed_nothing() {
    let Some((cluster, app)) = start(Options::workers(1).env("MAIN_THREAD", "ends")) else { return };
    let worker = cluster.started()["0"];
    wait_until("its main thread has ended", PATIENCE, || state(worker) == Some('Z'));
    let closed = get(&cluster.target(), "/open-and-close?n=2").expect("an answer").text();
    assert_eq!(closed, "2\n");
    wait_until("what was closed is found", PATIENCE, || cluster.log().count(" no longer listens on ") == 2);
    for _ in 0..3 {
        assert_eq!(open(&cluster.target(), &app).who().expect("an answer").id, "0");
    }
    assert_eq!(count_balancers(&cluster), 1);
    cluster.stop();
}

#[test]
fn a_sole_worker_that_is_killed_has_not_closed_its_address() {
    // The window lies within the kernel's exit: the descriptor table is gone and the pidfd has not told of the end. Neither
    // SIGSTOP nor a tracer can hold a process there, so it is made longer: by many descriptors, which the kernel closes one by
    // one meanwhile. What a look concludes within the window is tested beside `io/process/descriptor_table` and `io/lanes/lane_owner_probe`.
    let options = Options::workers(1).env("FDS", "18000");
    let flags = "--min-uptime 1ms --restart-delay 1ms --when-no-worker hold --lag-limit off";
    let Some((cluster, app)) = start(options.flags(flags)) else { return };
    for round in 1..=6 {
        let worker = cluster.started()["0"];
        let mut held = conn_to(&cluster.target(), &app, "0");
        held.request("/slow?ms=60000").expect("the kernel takes it");
        let waiting = Conn::open(&cluster.target()).and_then(|conn| conn.within(LONG));
        let mut waiting = waiting.expect("the cluster listens");
        waiting.last_request("/").expect("the kernel takes it");
        signal(worker, libc::SIGKILL);
        cluster.log().wait_for_count(": signal SIGKILL", round, LONG);
        cluster.log().wait_for_count(" is ready", 1 + round, LONG);
        let served = waiting.response().expect("who waited is served by the next").who().expect("a pid");
        assert_ne!(served.pid, worker);
    }
    assert_eq!(cluster.log().count(" is closed"), 0, "{}", cluster.log().text());
    assert_eq!(cluster.log().count(" no longer listens on "), 0, "{}", cluster.log().text());
    cluster.stop();
}
