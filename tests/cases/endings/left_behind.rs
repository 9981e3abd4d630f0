//! What a killed supervisor leaves listening on an address: the next cluster finds it, names it and does not join it. It would
//! share the port otherwise, and clients would wait for processes that never accept.

use harness::{
    App, Cluster, Listen, Options, PATIENCE, Pid, Target, app, app_dir, conn_to, get, interpreter, is_alive,
    pause, require, signal, wait_for_ids, wait_until, who,
};
use std::collections::BTreeSet;
use std::ffi::OsString;

fn python(name: &str) -> [OsString; 2] {
    [interpreter("python3"), app_dir().join("python").join(name).into_os_string()]
}

fn port(target: &Target) -> String {
    let Target::Tcp(address) = target else { panic!("{target} is not TCP") };
    address.port().to_string()
}

/// Another cluster on this port, of a program that ends where it cannot listen.
fn next(host: &'static str, port: &str) -> Cluster {
    let wrapper = format!("PORT={port} exec \"$0\" \"$@\"");
    let mut command: Vec<OsString> = vec!["sh".into(), "-c".into(), wrapper.into()];
    command.extend(python("blocking.py"));
    let options = Options::workers(2).listen(Listen::Host(host)).flags("--dispatch credit").at_once();
    Cluster::start_command(&command, options)
}

/// It ends with 1, and one line names these processes and no others.
#[track_caller]
fn is_refused(host: &'static str, port: &str, what: &str, left: &[Pid]) {
    let mut next = next(host, port);
    assert_eq!(next.wait_exit().code(), Some(1), "on {host}: {}", next.log().text());
    let lines = next.log().lines_with(what);
    assert_eq!(lines.len(), 1, "on {host}: {}", next.log().text());
    let (_, commands) = lines[0].split_once("kill ").expect("it tells how to end them");
    let named: BTreeSet<Pid> = commands.split(' ').filter_map(|word| word.parse().ok()).collect();
    assert_eq!(named, left.iter().copied().collect(), "{}", lines[0]);
    for pid in left {
        assert!(lines[0].contains(&format!("pid {pid} (")), "{}", lines[0]);
    }
    assert_eq!((next.ready_count(), next.log().count(" listens on ")), (0, 0));
}

fn kill(processes: &[Pid]) {
    processes.iter().for_each(|pid| signal(*pid, libc::SIGKILL));
    wait_until("they are gone", PATIENCE, || !processes.iter().any(|pid| is_alive(*pid)));
}

/// Ends them as the line tells; then the address is free, and nobody waits for anybody.
#[track_caller]
fn is_free_without(left: &[Pid], host: &'static str, port: &str, target: &Target, app: &App) {
    kill(left);
    let mut next = next(host, port);
    next.wait_ready(2);
    wait_for_ids(target, app, 2);
    (0..40).for_each(|_| drop(who(target).expect("an answer")));
    next.stop();
}

const ENDED_NOT: &str = "processes that have not ended without their supervisor (pid ";

fn end_supervisor(cluster: &mut Cluster) {
    cluster.signal(libc::SIGKILL);
    cluster.wait_exit();
}

/// Its workers ignore SIGTERM, and each has a helper that has its listening socket too.
fn stubborn(host: &'static str) -> Option<(Cluster, App)> {
    let app = app("python-blocking").filter(|_| require("python3"))?;
    let options = Options::workers(2).listen(Listen::Host(host)).flags("--dispatch credit");
    let cluster = Cluster::start_command(&python("stubborn.py"), options);
    wait_for_ids(&cluster.target(), &app, 2);
    Some((cluster, app))
}

#[test]
fn hung_workers_are_found_by_all_who_would_share_their_clients() {
    let rows: [(&str, &[&str]); 4] = [
        ("127.0.0.1", &["127.0.0.1", "0.0.0.0", "::"]),
        ("0.0.0.0", &["127.0.0.1"]),
        ("::1", &["::1", "::"]),
        ("::", &["::", "0.0.0.0", "127.0.0.1", "::1"]),
    ];
    for (host, others) in rows {
        let Some((mut cluster, app)) = stubborn(host) else { return };
        let (target, port) = (cluster.target().local(), port(&cluster.target()));
        // One after the other: they write on one pipe.
        for (id, count) in [("0", 1), ("1", 2)] {
            conn_to(&target, &app, id).request("/lock").expect("it is written");
            cluster.stdout().wait_for_count("locking", count, PATIENCE);
        }
        end_supervisor(&mut cluster);
        let left = cluster.processes();
        assert_eq!(left.len(), 4, "two workers and two helpers");
        for other in others {
            is_refused(other, &port, ENDED_NOT, &left);
        }
        is_free_without(&left, host, &port, &target, &app);
    }
}

/// One that is stopped in a session of its own gets neither signal of the kernel's when its supervisor dies.
#[test]
fn stopped_workers_are_found() {
    let Some(app) = app("python-blocking") else { return };
    if !require("setsid") {
        return;
    }
    let mut command: Vec<OsString> = vec!["setsid".into(), "--wait".into()];
    command.extend(python("blocking.py"));
    let mut cluster = Cluster::start_command(&command, Options::workers(2).flags("--dispatch credit"));
    let target = cluster.target();
    wait_for_ids(&target, &app, 2);
    let servers = ["0", "1"].map(|id| conn_to(&target, &app, id).who().expect("an answer").pid);
    servers.iter().for_each(|pid| pause(*pid));
    end_supervisor(&mut cluster);
    let port = port(&target);
    is_refused("127.0.0.1", &port, ", stopped)", &servers);
    is_free_without(&servers, "127.0.0.1", &port, &target, &app);
}

/// Workers and supervisor are killed at once; what lives on never listened itself.
#[test]
fn orphans_of_workers_are_found() {
    let Some((mut cluster, app)) = stubborn("127.0.0.1") else { return };
    let (target, port) = (cluster.target(), port(&cluster.target()));
    pause(cluster.pid());
    let workers: Vec<Pid> = cluster.started().into_values().collect();
    kill(&workers);
    end_supervisor(&mut cluster);
    let left = cluster.processes();
    assert_eq!(left.len(), 2, "the helpers");
    is_refused("127.0.0.1", &port, ENDED_NOT, &left);
    is_free_without(&left, "127.0.0.1", &port, &target, &app);
}

#[test]
fn workers_that_were_kept_are_named_as_such_and_go_on() {
    let Some(app) = app("c-epoll") else { return };
    for host in ["127.0.0.1", "::"] {
        let flags = "--on-supervisor-death keep --dispatch credit";
        let mut cluster = Cluster::start(&app, Options::workers(2).listen(Listen::Host(host)).flags(flags));
        let target = cluster.target().local();
        wait_for_ids(&target, &app, 2);
        end_supervisor(&mut cluster);
        let left = cluster.processes();
        let port = port(&target);
        let what = "workers that go on serving without their supervisor (pid ";
        is_refused(host, &port, what, &left);
        is_refused("127.0.0.1", &port, "; --on-supervisor-death keep): ", &left);
        assert_eq!(get(&target, "/").expect("they still serve").status, 200);
        is_free_without(&left, host, &port, &target, &app);
    }
}
