//! Ports that the workers' user may not bind: the supervisor binds those that `--share` names, and no others.

use super::{NOBODY, Place};
use harness::{Options, PATIENCE, Target, wait_until, who};
use std::collections::BTreeSet;
use std::fs;
use std::net::{TcpListener, UdpSocket};
use std::path::Path;
use std::time::Duration;

/// A free port for the privileged; `None`, and said, where there are none.
fn low_port() -> Option<(TcpListener, u16)> {
    let first = fs::read_to_string("/proc/sys/net/ipv4/ip_unprivileged_port_start").unwrap_or_default();
    let first: u16 = first.trim().parse().unwrap_or(1024);
    // Held by a listener on another address of the loopback, so that no other test takes it.
    let free = (300..first).rev().find_map(|port| {
        TcpListener::bind(("127.0.0.1", port)).ok()?;
        Some((TcpListener::bind(("127.9.9.9", port)).ok()?, port))
    });
    if free.is_none() {
        eprintln!("skipped: every port is free for all here, or taken");
    }
    free
}

/// A cluster whose workers bind that port.
fn start(place: &Place, port: u16, options: Options) -> harness::Cluster {
    let command = ["/usr/bin/env".into(), format!("PORT={port}"), place.program.display().to_string()];
    place.start_with(&command, options)
}

#[test]
fn what_is_named_is_bound_for_them() {
    for (flags, more) in [
        (&[][..], ""),
        (&[], " --dispatch handoff"),
        (&[], " --dispatch kernel"),
        (&["-static"], " --intercept seccomp"),
        (&[], " --intercept seccomp --no-new-privs"),
    ] {
        let Some(place) = Place::new(flags) else { return };
        let Some((_held, port)) = low_port() else { return };
        for rule in
            [format!("127.0.0.1:{port}"), format!("*:{port}"), format!("localhost:{}-{port}", port - 1)]
        {
            let mut cluster =
                start(&place, port, Options::workers(2).flags(&format!("{NOBODY} --share {rule}{more}")));
            let target = Target::parse(&format!("127.0.0.1:{port}")).expect("an address");
            let both = || {
                let mut seen = BTreeSet::new();
                wait_until("both workers answer", PATIENCE, || {
                    seen.extend(who(&target).map(|who| who.id));
                    seen.len() == 2
                });
            };
            both();
            cluster.order("reload");
            cluster.wait_ready(4);
            both();
            cluster.stop();
        }
    }
}

#[test]
fn what_is_not_named_is_refused_and_the_way_is_told() {
    for (flags, more) in [(&[][..], ""), (&["-static"], " --intercept seccomp")] {
        let Some(place) = Place::new(flags) else { return };
        let Some((_held, port)) = low_port() else { return };
        // A rule for any port of a host names none, and a rule for another names another.
        // Where the filter asks, and there is no rule for TCP at all, the kernel alone answers.
        let of_udp = (flags.is_empty()).then(|| format!("udp:{port}"));
        for rule in ["127.0.0.1:*".to_owned(), format!("*:{}", port - 1)].into_iter().chain(of_udp) {
            let options = Options::workers(1).at_once().flags(&format!("{NOBODY} --share {rule}{more}"));
            let mut cluster = start(&place, port, options);
            assert_eq!(cluster.wait_exit().code(), Some(1));
            let told = format!(
                "worker 0 may not bind 127.0.0.1:{port}: Permission denied (os error 13); with --share '*:{port}'"
            );
            assert!(cluster.log().count(&told) > 0, "{rule}: {}", cluster.log().text());
            TcpListener::bind(("127.0.0.1", port)).expect("nobody has bound it");
        }
    }
}

/// Answers each datagram with the worker's user.
const DATAGRAMS: &str = "import os, socket, sys
own = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
own.bind(('127.0.0.1', int(sys.argv[1])))
while True:
    _, sender = own.recvfrom(100)
    own.sendto(str(os.getuid()).encode(), sender)";

#[test]
fn the_same_of_datagrams() {
    const PYTHON: &str = "/usr/bin/python3";
    if !Path::new(PYTHON).exists() {
        eprintln!("skipped: there is no interpreter that everybody may run");
        return;
    }
    let Some(place) = Place::new(&[]) else { return };
    let Some((_held, port)) = low_port() else { return };
    let command = [PYTHON, "-c", DATAGRAMS, &port.to_string()];
    for more in ["", " --intercept seccomp"] {
        let words = format!("{NOBODY} --ready delay:10ms --share udp:{port}{more}");
        let cluster = place.start_with(&command, Options::workers(2).flags(&words));
        let client = UdpSocket::bind("127.0.0.1:0").expect("a port is free");
        client.set_read_timeout(Some(Duration::from_millis(100))).expect("it can be set");
        wait_until("a worker answers", PATIENCE, || {
            // Refused, until somebody listens.
            let mut answer = [0; 16];
            let asked = client.send_to(b"whose", ("127.0.0.1", port)).is_ok();
            asked && client.recv(&mut answer).is_ok_and(|len| &answer[..len] == b"65534")
        });
        cluster.stop();
    }
    // A rule for any port names none.
    let words = format!("{NOBODY} --ready delay:10ms --share udp:*");
    let mut cluster = place.start_with(&command, Options::workers(1).at_once().flags(&words));
    assert_eq!(cluster.wait_exit().code(), Some(1));
    assert!(cluster.log().count("PermissionError") > 0, "{}", cluster.log().text());
}
