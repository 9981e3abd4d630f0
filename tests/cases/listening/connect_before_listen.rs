//! Programs that test by connect() whether their address is free before they bind it: as a worker they find nobody there, as
//! they would alone, and who is a client of another worker gets through.

use harness::{
    App, Cluster, Listen, Options, PATIENCE, Port, app, app_dir, conn_to, get, interpreter, signal,
    wait_for_ids, wait_until,
};

/// python/careful.py.
fn start(options: Options) -> Option<(Cluster, App)> {
    let app = app("python-blocking")?;
    let command = [interpreter("python3"), app_dir().join("python/careful.py").into_os_string()];
    Some((Cluster::start_command(&command, options), app))
}

#[test]
fn find_nobody_there() {
    let options = || Options::workers(3).flags("--max-starting 1");
    for options in [
        options().listen(Listen::Host("127.0.0.1")),
        options().listen(Listen::Host("0.0.0.0")),
        options().listen(Listen::Host("127.0.0.1")).env("WAIT", "1"),
        options().listen(Listen::Path("careful.sock")),
        options().listen(Listen::RelativePath("careful.sock")),
        options().listen(Listen::Abstract),
    ] {
        let Some((cluster, app)) = start(options) else { return };
        wait_for_ids(&cluster.target(), &app, 3);
        assert_eq!(cluster.log().count(" exited: "), 0, "{}", cluster.log().text());
        // Of a unix path the first finds no file.
        cluster.stdout().wait_for_count("tested: E", 3, PATIENCE);
        assert_eq!(cluster.stdout().count("tested: None"), 0);
        let refused = cluster.stdout().count("tested: ECONNREFUSED");
        assert_eq!(refused + cluster.stdout().count("tested: ENOENT"), 3, "{}", cluster.stdout().text());
        cluster.log().wait_for_count(" before it listens there: refused", 2, PATIENCE);
        assert_eq!(
            cluster.log().count(" before it listens there: refused"),
            2,
            "each of the others is told of once"
        );
        cluster.stop();
    }
}

#[test]
fn find_nobody_there_when_they_come_again() {
    let flags = "--min-uptime 1ms --restart-delay 1ms --when-no-worker hold";
    for workers in [1, 2] {
        let Some((mut cluster, app)) =
            start(Options::workers(workers).flags(flags).flags("--max-starting 1"))
        else {
            return;
        };
        for round in 1..=3 {
            signal(cluster.started()["0"], libc::SIGKILL);
            cluster.log().wait_for_count(": signal SIGKILL", round, PATIENCE);
            cluster.wait_ready(workers + round);
        }
        wait_for_ids(&cluster.target(), &app, workers);
        assert_eq!(cluster.log().count(" exited: code 1"), 0, "{}", cluster.log().text());
        cluster.stop();
    }
}

#[test]
fn reach_themselves_once_they_listen() {
    let Some((cluster, app)) = start(Options::workers(2).flags("--max-starting 1")) else { return };
    for id in ["0", "1"] {
        // The child's connection goes to the other, which serves one at a time.
        let mut conn = conn_to(&cluster.target(), &app, id);
        assert_eq!(conn.get("/child").expect("an answer").text(), "answered\n");
    }
    cluster.stop();
}

#[test]
fn are_served_where_they_are_clients() {
    let port = Port::free();
    let options = Options::workers(3).env("SIBLING", port.number().to_string());
    let Some((cluster, app)) = start(options) else { return };
    wait_for_ids(&cluster.target(), &app, 3);
    assert_eq!(cluster.log().count(" exited: "), 0, "{}", cluster.log().text());
    wait_until("worker 0 serves its own address too", PATIENCE, || {
        get(&cluster.target(), "/").is_ok_and(|answer| answer.status == 200)
    });
    cluster.stop();
}
