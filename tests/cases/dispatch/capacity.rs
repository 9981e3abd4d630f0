//! Many connections, many descriptors: the supervisor keeps none and is held up by none.

use harness::{Cluster, Load, Options, PATIENCE, app, ask_in_turn, command, conn_to, signal, wait_until};
use std::path::PathBuf;
use std::time::Duration;

#[test]
fn ten_thousand_connections_leave_no_descriptor() {
    let Some(app) = app("c-epoll") else { return };
    let cluster = Cluster::start(&app, Options::workers(2));
    ask_in_turn(&cluster.target(), &app, 50);
    let before = cluster.fd_count();
    let load = Load::start(&cluster.target(), 8, "/");
    wait_until("10,000 requests end", Duration::from_secs(120), || load.done() >= 10_000);
    let samples = load.finish();
    let failed: Vec<_> = samples.iter().filter(|sample| sample.result.is_err()).collect();
    assert!(failed.is_empty(), "{} failed: {:?}", failed.len(), failed[0]);
    wait_until("the supervisor holds as many descriptors as before", PATIENCE, || {
        cluster.fd_count() <= before
    });
    cluster.stop();
}

#[test]
fn many_open_connections_are_not_held_by_the_supervisor() {
    let Some(app) = app("c-epoll") else { return };
    let cluster = Cluster::start(&app, Options::workers(2));
    ask_in_turn(&cluster.target(), &app, 50);
    let before = cluster.fd_count();
    let open: Vec<_> = (0..1000)
        .map(|_| {
            let mut conn = harness::open(&cluster.target(), &app);
            conn.who().expect("an answer");
            conn
        })
        .collect();
    wait_until("the supervisor holds as many descriptors as before", PATIENCE, || {
        cluster.fd_count() <= before
    });
    drop(open);
    cluster.stop();
}

/// Nanoseconds for which the supervisor's thread of this name has had a processor.
fn processor_time(cluster: &Cluster, thread: &str) -> u64 {
    let tasks = std::fs::read_dir(format!("/proc/{}/task", cluster.pid())).expect("it runs");
    let tasks = tasks.map(|task| task.expect("it can be listed").path());
    let read = |path: PathBuf| std::fs::read_to_string(path).unwrap_or_default();
    let named = tasks.filter(|task| read(task.join("comm")).trim_end() == thread);
    let time = |task: PathBuf| read(task.join("schedstat")).split(' ').next()?.parse::<u64>().ok();
    named.filter_map(time).sum()
}

#[test]
fn a_worker_full_of_descriptors_is_looked_through_beside_the_loop() {
    let Some(app) = app("c-epoll") else { return };
    let idle = 19_000;
    if hard_limit() < idle + 500 {
        eprintln!("skipped: the limit of descriptors is {}", hard_limit());
        return;
    }
    let raised = format!("--nofile={}", hard_limit());
    let options = Options::workers(2).env("IDLE_FDS", idle.to_string()).below(&["prlimit", &raised, "--"]);
    let mut cluster = Cluster::start(&app, options.flags("--window 1"));
    let mut conn = conn_to(&cluster.target(), &app, "0");
    let load = Load::start(&cluster.target(), 4, "/");
    wait_until("the load runs", PATIENCE, || load.done() > 200);
    let before = processor_time(&cluster, "lane-owners");
    command(&mut conn, "/close-listener");
    cluster.log().wait_for("worker 0 no longer listens on ");
    let read = processor_time(&cluster, "lane-owners") - before;
    assert!(read > 0, "another thread than the one that is there for it has read the descriptors");
    let goal = load.done() + 500;
    wait_until("the load goes on", PATIENCE, || load.done() > goal);
    signal(cluster.started()["0"], libc::SIGKILL);
    cluster.wait_ready(3);
    let goal = load.done() + 500;
    wait_until("the load goes on", PATIENCE, || load.done() > goal);
    load.finish_unharmed();
    cluster.stop();
}

fn hard_limit() -> u64 {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `limit` is valid for writing.
    let result = unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit) };
    if result == 0 { limit.rlim_max } else { 0 }
}
