//! A port that somebody outside the cluster holds: every worker is told so, and so is the reader of the log.

use harness::{Cluster, Conn, Native, Options, Port, app, each};
use std::net::TcpListener;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

/// A listener with SO_REUSEPORT: it lets others of its user bind.
fn reuseport_listener(port: u16) -> TcpListener {
    // SAFETY: plain calls on a descriptor made here; the pointers are valid for their lengths.
    unsafe {
        let fd = libc::socket(libc::AF_INET, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, 0);
        assert!(fd >= 0);
        let owned = OwnedFd::from_raw_fd(fd);
        let on: libc::c_int = 1;
        let length = size_of_val(&on) as libc::socklen_t;
        libc::setsockopt(fd, libc::SOL_SOCKET, libc::SO_REUSEPORT, (&raw const on).cast(), length);
        let mut address: libc::sockaddr_in = std::mem::zeroed();
        address.sin_family = libc::AF_INET as libc::sa_family_t;
        address.sin_port = port.to_be();
        address.sin_addr.s_addr = u32::from_ne_bytes([127, 0, 0, 1]);
        let length = size_of_val(&address) as libc::socklen_t;
        assert_eq!(libc::bind(owned.as_raw_fd(), (&raw const address).cast(), length), 0);
        assert_eq!(libc::listen(owned.as_raw_fd(), 16), 0);
        TcpListener::from(owned)
    }
}

#[test]
fn hold_the_port() {
    each(
        |app| matches!(app.name, "node-http" | "python-asyncio" | "python-blocking" | "rust-std" | "c-epoll"),
        |app| {
            for reuseport in [false, true] {
                let port = Port::free();
                let stranger = if reuseport {
                    reuseport_listener(port.number())
                } else {
                    TcpListener::bind(("127.0.0.1", port.number())).expect("it is free")
                };
                // Set after, and so in place of, what the harness chose.
                let wrapper = format!("PORT={} exec \"$0\" \"$@\"", port.number());
                let mut command: Vec<std::ffi::OsString> = vec!["sh".into(), "-c".into(), wrapper.into()];
                command.extend(app.default_command());
                let options = Options::workers(2).flags("--respawn 0").at_once();
                let mut cluster = Cluster::start_command(&command, options);
                assert_eq!(cluster.wait_exit().code(), Some(1), "every worker has spent its restarts");
                let text = cluster.log().text();
                let told = cluster.log().lines_with("outside the cluster");
                let address = format!("127.0.0.1:{}", port.number());
                assert!(told.iter().any(|line| line.contains(&address)), "{text}");
                // The stranger is this very process, or one that another test has just forked, which has any name.
                let end = format!(
                    " exited: code 1 (cannot listen on {address}: it is held by a process outside the cluster: "
                );
                let ends = cluster.log().lines_with(&end);
                assert!(ends.len() == 2 && ends.iter().all(|line| line.contains(", pid ")), "{text}");
                assert_eq!(cluster.ready_count(), 0);
                cluster.assert_nothing_left();
                drop(stranger);
            }
        },
    );
}

#[test]
fn cannot_join_the_port_of_the_cluster() {
    let Some(app) = app("c-epoll") else { return };
    let cluster = Cluster::start(&app, Options::workers(2));
    let (_, port) = cluster
        .target()
        .to_string()
        .rsplit_once(':')
        .map(|(h, p)| (h.to_owned(), p.to_owned()))
        .expect("TCP");
    assert!(
        TcpListener::bind(format!("127.0.0.1:{port}")).is_err(),
        "a stranger got the port of the cluster"
    );
    let wrapper = format!("PORT={port} exec \"$0\"");
    let mut command: Vec<std::ffi::OsString> = vec!["sh".into(), "-c".into(), wrapper.into()];
    command.extend(app.default_command());
    let (status, told) = Native::run(command, &Options::default());
    assert_eq!(status.code(), Some(1));
    assert!(told.contains("Address already in use"), "{told}");
    Conn::open(&cluster.target()).expect("the cluster still listens").who().expect("an answer");
    cluster.stop();
}

#[test]
fn two_clusters_do_not_mix() {
    let Some(app) = app("c-epoll") else { return };
    let first = Cluster::start(&app, Options::workers(2));
    let (_, port) =
        first.target().to_string().rsplit_once(':').map(|(h, p)| (h.to_owned(), p.to_owned())).expect("TCP");
    let mut command: Vec<std::ffi::OsString> =
        vec!["sh".into(), "-c".into(), format!("PORT={port} exec \"$0\"").into()];
    command.extend(app.default_command());
    let mut second = Cluster::start_command(&command, Options::workers(2).flags("--respawn 0").at_once());
    assert_eq!(second.wait_exit().code(), Some(1));
    assert!(second.log().count("outside the cluster") > 0, "{}", second.log().text());
    first.stop();
}
