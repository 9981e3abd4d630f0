//! Clients that connect and never send a byte: they hold up no reload and no stop for longer than `--idle-grace`.

use harness::{App, Cluster, Options, PATIENCE, app, conn_to, wait_until};
use std::net::TcpStream;

/// Longer than any test: who waits for the whole drain fails.
const FLAGS: &str = "--drain-timeout 10m --shutdown-timeout 20m --idle-grace 100ms --min-healthy-time 50ms";

/// As many silent connections as make each of two workers have some, taken by the program.
fn silent(cluster: &Cluster, app: &App) -> Vec<TcpStream> {
    let target = cluster.target();
    let harness::Target::Tcp(address) = &target else { panic!("{target}") };
    let open: Vec<_> = (0..8).map(|_| TcpStream::connect(address).expect("it listens")).collect();
    // One that comes later has its answer only after the program took those.
    for id in ["0", "1"] {
        conn_to(&target, app, id).who().expect("an answer");
    }
    open
}

#[test]
fn hold_up_no_reload() {
    let Some(app) = app("c-epoll") else { return };
    let cluster = Cluster::start(&app, Options::workers(2).flags(FLAGS));
    let clients = silent(&cluster, &app);
    cluster.order("reload --wait");
    wait_until("both old processes have ended", PATIENCE, || cluster.log().count(" exited: ") >= 2);
    assert_eq!(cluster.log().count("has not drained"), 0);
    drop(clients);
    cluster.stop();
}

#[test]
fn hold_up_no_stop() {
    let Some(app) = app("c-epoll") else { return };
    let cluster = Cluster::start(&app, Options::workers(2).flags(FLAGS));
    let _clients = silent(&cluster, &app);
    cluster.stop();
}
