//! What becomes of new connections once the supervisor has been killed: workers that are kept accept them by themselves, and
//! workers that stop let none wait for them.

use harness::{
    App, Cluster, Load, Options, PATIENCE, Target, app, app_dir, interpreter, require, signal, wait_until,
};
use std::io;
use std::net::TcpStream;

/// Some may fork while others are killed.
fn end(cluster: &Cluster) {
    wait_until("nothing of it runs", PATIENCE, || {
        let left = cluster.processes();
        left.iter().for_each(|pid| signal(*pid, libc::SIGKILL));
        left.is_empty()
    });
}

/// Clients ask all the time, and none of them sees anything.
fn kill_under_load(app: &App) {
    let options = Options::workers(2).flags("--on-supervisor-death keep --dispatch credit");
    let mut cluster = Cluster::start(app, options);
    let load = Load::start(&cluster.target(), 4, "/");
    wait_until("200 requests end", PATIENCE, || load.done() >= 200);
    cluster.signal(libc::SIGKILL);
    cluster.wait_exit();
    let before = load.done();
    wait_until("400 more end", PATIENCE, || load.done() >= before + 400);
    load.finish_unharmed();
    end(&cluster);
}

/// Twenty times.
#[test]
fn workers_that_are_kept_accept_new_connections() {
    for (name, times) in [("c-epoll", 8), ("node-http", 6), ("python-blocking", 6)] {
        let Some(app) = app(name) else { continue };
        (0..times).for_each(|_| kill_under_load(&app));
    }
}

fn is_refused(target: &Target) -> bool {
    let Target::Tcp(address) = target else { panic!("{target} is not TCP") };
    let refused = |error: io::Error| error.kind() == io::ErrorKind::ConnectionRefused;
    TcpStream::connect(address).err().is_some_and(refused)
}

/// Whoever takes the port next would otherwise share it with a queue that nobody empties.
#[test]
fn nobody_waits_for_workers_that_stop() {
    if !require("python3") {
        return;
    }
    let stubborn = [interpreter("python3"), app_dir().join("python/stubborn.py").into_os_string()];
    let mut cluster = Cluster::start_command(&stubborn, Options::workers(2).flags("--dispatch credit"));
    let target = cluster.target();
    assert!(!is_refused(&target));
    cluster.signal(libc::SIGKILL);
    cluster.wait_exit();
    wait_until("the port is closed", PATIENCE, || is_refused(&target));
    assert!(!cluster.processes().is_empty(), "the workers have not stopped yet");
    end(&cluster);
}
