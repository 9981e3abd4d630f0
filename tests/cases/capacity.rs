//! Many connections, many descriptors: the supervisor keeps none and is held up by none.

use harness::{
    Cluster, Load, Options, PATIENCE, Sample, app, ask_in_turn, command, conn_to, signal, wait_until,
};
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
        cluster.fd_count() == before
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
        cluster.fd_count() == before
    });
    drop(open);
    cluster.stop();
}

/// How many answers took so long that a stalled supervisor would explain it.
fn late(samples: &[Sample]) -> usize {
    samples.iter().filter(|sample| sample.took > Duration::from_millis(100)).count()
}

#[test]
fn a_worker_full_of_descriptors_stalls_nobody() {
    let Some(app) = app("c-epoll") else { return };
    let idle = 19_000;
    if hard_limit() < idle + 500 {
        eprintln!("skipped: the limit of descriptors is {}", hard_limit());
        return;
    }
    // What waits at the worker itself may be late. A busy machine may make others late, but not at each attempt.
    let clients = 4;
    let attempts = 4;
    let lucky = (0..attempts).any(|attempt| {
        let raised = format!("--nofile={}", hard_limit());
        let options =
            Options::workers(2).env("IDLE_FDS", idle.to_string()).below(&["prlimit", &raised, "--"]);
        let mut cluster = Cluster::start(&app, options.flags("--window 1"));
        let mut conn = conn_to(&cluster.target(), &app, "0");
        let load = Load::start(&cluster.target(), clients, "/");
        wait_until("the load runs", PATIENCE, || load.done() > 200);
        command(&mut conn, "/close-listener");
        let goal = load.done() + 2000;
        wait_until("the load goes on", PATIENCE, || load.done() > goal);
        let after_close = load.finish();
        let load = Load::start(&cluster.target(), clients, "/");
        signal(cluster.started()["0"], libc::SIGKILL);
        cluster.wait_ready(3);
        let goal = load.done() + 500;
        wait_until("the load goes on", PATIENCE, || load.done() > goal);
        let after_kill = load.finish();
        for sample in after_close.iter().chain(&after_kill) {
            assert!(sample.result.is_ok(), "{sample:?}");
        }
        let late = (late(&after_close), late(&after_kill));
        eprintln!("attempt {attempt}: {late:?} were late");
        cluster.stop();
        late.0 <= 2 && late.1 <= 2
    });
    assert!(lucky, "in each of {attempts} attempts more were late than waited at that worker");
}

fn hard_limit() -> u64 {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `limit` is valid for writing.
    let result = unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit) };
    if result == 0 { limit.rlim_max } else { 0 }
}
