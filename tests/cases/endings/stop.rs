//! The end: every signal that asks for it, wrappers, programs that do not listen to it, and nothing left behind.

use harness::{
    App, Cluster, Options, Via, app, app_dir, each, interpreter, is_alive, open, require, wait_for_ids,
    wait_until,
};
use std::time::Duration;

#[test]
fn each_signal_stops_it() {
    let Some(app) = app("node-http") else { return };
    for number in [libc::SIGTERM, libc::SIGINT, libc::SIGQUIT] {
        let cluster = Cluster::start(&app, Options::workers(2));
        open(&cluster.target(), &app).who().expect("an answer");
        cluster.stop_by(number);
    }
}

#[test]
fn nothing_is_left_behind_wrappers() {
    for via in [Via::Direct, Via::ShellC, Via::Script, Via::Npm] {
        each(
            |app| app.name == "node-http" || (via != Via::Npm && app.name == "python-asyncio"),
            |app| {
                if via == Via::Npm && !require("npm") {
                    return;
                }
                // In order: without a last resort nothing else would end it.
                let options = Options::workers(2).flags("--stop-timeout infinity --shutdown-timeout 1h");
                Cluster::start(&app, options.via(via)).stop();
            },
        );
    }
}

/// python/stubborn.py: ignores the signals, and has a daemon that does so too.
fn stubborn(options: Options) -> Option<(Cluster, App)> {
    let app = app("python-blocking")?;
    let command = [interpreter("python3"), app_dir().join("python/stubborn.py").into_os_string()];
    Some((Cluster::start_command(&command, options), app))
}

#[test]
fn the_stubborn_are_killed_in_time() {
    let Some((cluster, app)) = stubborn(Options::workers(2).flags("--stop-timeout 300ms")) else { return };
    open(&cluster.target(), &app).who().expect("an answer");
    let begun = std::time::Instant::now();
    cluster.stop();
    assert!(begun.elapsed() > Duration::from_millis(290), "they were given their time");
}

#[test]
fn a_second_signal_kills_at_once() {
    for second in [libc::SIGTERM, libc::SIGINT] {
        let Some((cluster, _)) = stubborn(Options::workers(2).flags("--stop-timeout infinity")) else {
            return;
        };
        cluster.signal(libc::SIGTERM);
        cluster.log().wait_for("stopping");
        // What comes within a second is the same request.
        let begun = std::time::Instant::now();
        wait_until("a second has passed", harness::PATIENCE, || begun.elapsed() > Duration::from_secs(1));
        assert!(cluster.is_alive());
        cluster.stop_by(second);
    }
}

/// An entrypoint passes on what its process group gets, too. The handler of a worker needs some time.
#[test]
fn one_request_that_arrives_twice_is_one() {
    if !harness::require("python3") {
        return;
    }
    let script = "import signal, sys, time
def bye(*_):
    time.sleep(0.5); print('closed', flush=True); sys.exit(0)
signal.signal(signal.SIGTERM, bye)
print('up', flush=True)
while True: signal.pause()";
    for (first, second) in [
        (libc::SIGTERM, libc::SIGTERM),
        (libc::SIGINT, libc::SIGINT),
        (libc::SIGINT, libc::SIGTERM),
        (libc::SIGTERM, libc::SIGINT),
    ] {
        let cluster = Cluster::start_command(&["python3", "-c", script], Options::workers(1).at_once());
        cluster.stdout().wait_for("up");
        cluster.signal(first);
        cluster.signal(second);
        let out = cluster.stdout().clone();
        cluster.stop_by(second);
        assert_eq!(out.count("closed"), 1, "{first}, {second}");
    }
}

#[test]
fn a_killed_worker_leaves_no_daemon_behind_at_the_end() {
    let Some((mut cluster, _)) = stubborn(Options::workers(1).flags("--min-uptime 1ms --stop-timeout 100ms"))
    else {
        return;
    };
    harness::signal(cluster.started()["0"], libc::SIGKILL);
    cluster.wait_ready(2);
    cluster.stop();
}

#[test]
fn workers_that_wait_for_their_next_start_need_no_stop() {
    let options = Options::workers(2).flags("--keep-trying --restart-delay 20s").at_once();
    let cluster = Cluster::start_command(&["sh", "-c", "exit 3"], options);
    cluster.log().wait_for_count(" exited: code 3, up ", 2, harness::PATIENCE);
    cluster.stop();
}

#[test]
fn workers_that_never_listen_are_stopped_too() {
    let cluster =
        Cluster::start_command(&["sleep", "1000"], Options::workers(3).flags("--max-starting 3").at_once());
    cluster.log().wait_for_count(" started, pid ", 3, harness::PATIENCE);
    cluster.stop();
}

#[test]
fn no_zombie_is_kept() {
    let Some(app) = app("c-epoll") else { return };
    let options = Options::workers(2).via(Via::Script).flags("--min-uptime 1ms --restart-delay 1ms");
    let mut cluster = Cluster::start(&app, options);
    for round in 1..=5 {
        // The wrapper ends by itself when its program is gone.
        let wrapper = cluster.started()["0"];
        let program = harness::conn_to(&cluster.target(), &app, "0").who().expect("an answer").pid;
        harness::signal(program, libc::SIGKILL);
        cluster.wait_ready(2 + round);
        wait_until("the dead worker is gone from the process table", harness::PATIENCE, || {
            harness::state(wrapper).is_none() && harness::state(program).is_none()
        });
    }
    wait_until("no child waits to be reaped", harness::PATIENCE, || zombie_children(cluster.pid()) == 0);
    cluster.stop();
}

fn zombie_children(parent: u32) -> usize {
    let children =
        std::fs::read_to_string(format!("/proc/{parent}/task/{parent}/children")).unwrap_or_default();
    children
        .split_whitespace()
        .filter(|pid| pid.parse().is_ok_and(|pid| harness::state(pid) == Some('Z')))
        .count()
}

#[test]
fn the_supervisor_of_workers_dies_by_kill() {
    let Some(app) = app("c-epoll") else { return };
    let mut cluster = Cluster::start(&app, Options::workers(2));
    let workers: Vec<_> = cluster.started().into_values().collect();
    cluster.signal(libc::SIGKILL);
    cluster.wait_exit();
    wait_until("its workers end with it", harness::PATIENCE, || !workers.iter().any(|pid| is_alive(*pid)));
}

#[test]
fn behind_wrappers_too_workers_end_with_their_supervisor() {
    for via in [Via::ShellC, Via::Script, Via::Npm] {
        let name = if via == Via::Npm { "node-http" } else { "c-epoll" };
        let Some(app) = app(name) else { return };
        let mut cluster = Cluster::start(&app, Options::workers(2).via(via));
        wait_for_ids(&cluster.target(), &app, 2);
        let all = cluster.processes();
        assert!(all.len() > 2, "{all:?}");
        cluster.signal(libc::SIGKILL);
        cluster.wait_exit();
        wait_until("nothing of it runs", harness::PATIENCE, || cluster.processes().is_empty());
    }
}

#[test]
fn workers_that_are_kept_serve_what_they_have_without_their_supervisor() {
    for name in ["c-epoll", "node-http", "python-blocking"] {
        let Some(app) = app(name) else { continue };
        let options = Options::workers(1).flags("--on-supervisor-death keep");
        let mut cluster = Cluster::start(&app, options);
        let mut conn = open(&cluster.target(), &app);
        let worker = conn.who().expect("an answer").pid;
        cluster.signal(libc::SIGKILL);
        cluster.wait_exit();
        // Long enough for the end of the lane to be seen: nobody spins over it, and nobody stops.
        for _ in 0..20 {
            assert_eq!(conn.who().expect(name).pid, worker);
        }
        assert!(is_alive(worker));
        harness::signal(worker, libc::SIGKILL);
        wait_until("nothing of it runs", harness::PATIENCE, || cluster.processes().is_empty());
    }
}
