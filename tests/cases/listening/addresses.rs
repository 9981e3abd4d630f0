//! All kinds of addresses: unix paths and abstract names, IPv6, IPv4 and IPv6 together, port 0.

use harness::{
    Cluster, Conn, Listen, Options, Target, app, app_dir, ask_in_turn, check_contract, each, interpreter,
    open, wait_for_ids, wait_until,
};
use std::collections::BTreeSet;
use std::os::fd::AsRawFd;
use std::time::Duration;

#[test]
fn unix_paths_are_shared() {
    for listen in [Listen::Path("a.sock"), Listen::RelativePath("b.sock")] {
        // asyncio removes a socket file before it binds and so do the others not: both must work.
        each(
            |app| app.unix,
            |app| {
                let cluster = Cluster::start(&app, Options::workers(3).listen(listen));
                check_contract(&cluster.target(), &app);
                wait_for_ids(&cluster.target(), &app, 3);
                cluster.stop();
            },
        );
    }
}

#[test]
fn abstract_names_are_shared() {
    each(
        |app| app.abstract_names,
        |app| {
            let cluster = Cluster::start(&app, Options::workers(3).listen(Listen::Abstract));
            assert_eq!(cluster.addresses(), [cluster.target().to_string()]);
            check_contract(&cluster.target(), &app);
            wait_for_ids(&cluster.target(), &app, 3);
            cluster.stop();
        },
    );
}

#[test]
fn a_unix_path_outlives_its_workers() {
    let Some(app) = app("python-asyncio") else { return };
    let options = Options::workers(2).listen(Listen::Path("a.sock")).flags("--min-uptime 1ms");
    let mut cluster = Cluster::start(&app, options);
    for round in 1..=4 {
        let who = ask_in_turn(&cluster.target(), &app, 1).remove(0);
        harness::signal(who.pid, libc::SIGTERM);
        cluster.wait_ready(2 + round);
        wait_for_ids(&cluster.target(), &app, 2);
    }
    cluster.stop();
}

/// python/path_race.py: the path leads to the socket of whoever bound it last, whatever the order in which they listen.
#[test]
fn a_unix_path_leads_to_the_socket_that_has_its_file() {
    let Some(app) = app("python-blocking") else { return };
    let command = [interpreter("python3"), app_dir().join("python/path_race.py").into_os_string()];
    let options = Options::workers(2).listen(Listen::Path("a.sock")).flags("--max-starting 2");
    let cluster = Cluster::start_command(&command, options);
    wait_for_ids(&cluster.target(), &app, 2);
    cluster.stop();
}

#[test]
fn a_unix_peer_is_a_worker() {
    let Some(app) = app("c-epoll") else { return };
    let cluster = Cluster::start(&app, Options::workers(2).listen(Listen::Path("a.sock")));
    let conn = Conn::open(&cluster.target()).expect("a worker listens");
    let mut peer = libc::ucred { pid: 0, uid: 0, gid: 0 };
    let mut length = size_of::<libc::ucred>() as libc::socklen_t;
    // SAFETY: `peer` and `length` are valid for writing, and `length` is the size of `peer`.
    let result = unsafe {
        let peer = (&raw mut peer).cast();
        let fd = std::os::fd::AsFd::as_fd(&conn).as_raw_fd();
        libc::getsockopt(fd, libc::SOL_SOCKET, libc::SO_PEERCRED, peer, &mut length)
    };
    assert_eq!(result, 0);
    assert!(cluster.started().values().any(|pid| *pid == peer.pid as u32), "{} is no worker", peer.pid);
    cluster.stop();
}

#[test]
fn ipv6_is_shared() {
    each(
        |_| true,
        |app| {
            let cluster = Cluster::start(&app, Options::workers(2).listen(Listen::Host("::1")));
            check_contract(&cluster.target(), &app);
            wait_for_ids(&cluster.target(), &app, 2);
            cluster.stop();
        },
    );
}

#[test]
fn one_listener_for_both_families_is_shared() {
    // `::` without V6ONLY takes IPv4 too; Node does so by default, C by the system's default.
    each(
        |app| matches!(app.name, "node-http" | "c-epoll"),
        |app| {
            let cluster = Cluster::start(&app, Options::workers(2).listen(Listen::Host("")));
            wait_for_ids(&cluster.target(), &app, 2);
            wait_for_ids(&on_ipv6(&cluster.target()), &app, 2);
            assert_eq!(cluster.addresses().len(), 1, "{:?}", cluster.addresses());
            cluster.stop();
        },
    );
}

fn on_ipv6(target: &Target) -> Target {
    match target {
        Target::Tcp(address) => Target::Tcp((std::net::Ipv6Addr::LOCALHOST, address.port()).into()),
        other => other.clone(),
    }
}

#[test]
fn sixty_four_workers_bind_two_families_in_random_order() {
    let Some(app) = app("python-asyncio") else { return };
    let options = Options::workers(64).listen(Listen::Host("")).flags("--max-starting 64").at_once();
    let cluster = Cluster::start(&app, options);
    cluster.log().wait_for_count(" is ready", 64, Duration::from_secs(120));
    for target in [cluster.target(), on_ipv6(&cluster.target())] {
        let mut seen = BTreeSet::new();
        wait_until(&format!("64 workers answer on {target}"), Duration::from_secs(60), || {
            seen.extend(ask_in_turn(&target, &app, 64).into_iter().map(|who| who.id));
            seen.len() == 64
        });
    }
    assert_eq!(cluster.started().len(), 64);
    assert_eq!(cluster.log().count(" exited: "), 0);
    cluster.stop();
}

#[test]
fn four_workers_on_port_zero_report_one_port() {
    each(
        |_| true,
        |app| {
            let cluster = Cluster::start(&app, Options::workers(4).listen(Listen::Zero("0.0.0.0")));
            let target = cluster.target();
            wait_for_ids(&target, &app, 4);
            let ask = |_| {
                let mut conn = open(&target, &app);
                conn.last_request("/port").expect("it is written");
                conn.response().expect("an answer").text()
            };
            let ports: BTreeSet<_> = (0..8).map(ask).collect();
            assert_eq!(ports.len(), 1, "{ports:?}");
            let port = ports.first().expect("there is one").trim().to_owned();
            assert_eq!(Target::parse(&port).map(|target| target.local()), Some(target.clone()));
            assert_eq!(cluster.addresses().len(), 1, "{:?}", cluster.addresses());
            cluster.stop();
        },
    );
}
