//! A load balancer whose socket fails: it is opened again, and the workers, who hold lanes, notice nothing.

use harness::{
    App, Cluster, Conn, Listen, Log, Options, PATIENCE, Pid, app, fd_count, refused, wait_for_ids, wait_until,
};
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::linux::net::SocketAddrExt;
use std::process::Stdio;

/// Shuts down every listening stream socket of the process that is bound to this address.
#[track_caller]
fn break_socket(pid: Pid, address: &str) {
    // SAFETY: no memory is involved.
    let raw = unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) };
    assert!(raw >= 0, "pidfd_open: {}", io::Error::last_os_error());
    // SAFETY: the kernel has just made it for us.
    let process = unsafe { OwnedFd::from_raw_fd(raw as i32) };
    let numbers: Vec<i32> = std::fs::read_dir(format!("/proc/{pid}/fd"))
        .expect("it runs")
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .collect();
    let mut broken = 0;
    for number in numbers {
        // SAFETY: no memory is involved.
        let raw = unsafe { libc::syscall(libc::SYS_pidfd_getfd, process.as_raw_fd(), number, 0) };
        if raw < 0 {
            let error = io::Error::last_os_error();
            assert_eq!(error.raw_os_error(), Some(libc::EBADF), "pidfd_getfd: {error}");
            continue;
        }
        // SAFETY: the kernel has just made it for us.
        let copy = unsafe { OwnedFd::from_raw_fd(raw as i32) };
        if listens(&copy) && name(&copy) == address {
            // SAFETY: no memory is involved.
            assert_eq!(unsafe { libc::shutdown(copy.as_raw_fd(), libc::SHUT_RDWR) }, 0);
            broken += 1;
        }
    }
    assert_eq!(broken, 1, "the supervisor has one socket on {address}");
}

fn listens(socket: &OwnedFd) -> bool {
    let (mut value, mut size) = (0i32, 4u32);
    // SAFETY: `value` and `size` are valid for writing, and `size` is the size of `value`.
    let result = unsafe {
        let value = (&raw mut value).cast();
        libc::getsockopt(socket.as_raw_fd(), libc::SOL_SOCKET, libc::SO_ACCEPTCONN, value, &mut size)
    };
    result == 0 && value != 0
}

/// The socket's own address, as the log writes it.
fn name(socket: &OwnedFd) -> String {
    let copy = || socket.try_clone().expect("descriptors are left");
    if let Ok(address) = std::net::TcpListener::from(copy()).local_addr() {
        return address.to_string();
    }
    let address = std::os::unix::net::UnixListener::from(copy()).local_addr();
    let Ok(address) = address else { return String::new() };
    match (address.as_pathname(), address.as_abstract_name()) {
        (Some(path), _) => path.display().to_string(),
        (None, Some(name)) => format!("@{}", String::from_utf8_lossy(name)),
        (None, None) => String::new(),
    }
}

fn skipped() -> bool {
    // SAFETY: no memory is involved.
    let root = unsafe { libc::geteuid() } == 0;
    if !root {
        eprintln!("skipped: only root may take descriptors from another process for sure");
    }
    !root
}

fn start(app: &App, listen: Listen, delay: &str) -> Cluster {
    Cluster::start(app, options(listen, delay))
}

fn options(listen: Listen, delay: &str) -> Options {
    Options::workers(3).listen(listen).flags(&format!("--server-restart-delay {delay}"))
}

#[test]
fn a_broken_socket_is_opened_again() {
    let Some(app) = app("c-epoll") else { return };
    if skipped() {
        return;
    }
    // A port that the system chose has to stay the same, too.
    let zero = Listen::Zero("0.0.0.0");
    for listen in
        [Listen::Host("127.0.0.1"), Listen::Host("::1"), zero, Listen::Path("a.sock"), Listen::Abstract]
    {
        let cluster = start(&app, listen, "50ms");
        let (target, workers) = (cluster.target(), cluster.started());
        let address = cluster.addresses().remove(0);
        let mut kept = harness::conn_to(&target, &app, "1");
        let mut fds = None;
        for round in 1..=5 {
            break_socket(cluster.pid(), &address);
            cluster.log().wait_for_count("; opened again in 50ms", round, PATIENCE);
            cluster.log().wait_for_count(&format!("{address} is open again"), round, PATIENCE);
            assert_eq!(kept.who().expect("an open connection is not touched").id, "1");
            wait_for_ids(&target, &app, 3);
            let limit = *fds.get_or_insert_with(|| fd_count(cluster.pid()));
            wait_until("no descriptor is left over", PATIENCE, || fd_count(cluster.pid()) <= limit);
        }
        assert_eq!(cluster.started(), workers, "no worker was started anew");
        assert_eq!(cluster.log().count(" listens on "), 3, "each keeps its lane");
        assert_eq!(cluster.inspect()["load_balancers"][0]["state"], "running");
        cluster.stop();
    }
}

#[test]
fn until_then_it_is_in_standby() {
    let Some(app) = app("c-epoll") else { return };
    if skipped() {
        return;
    }
    for listen in [Listen::Host("127.0.0.1"), Listen::Path("a.sock")] {
        let cluster = start(&app, listen, "1h");
        break_socket(cluster.pid(), &cluster.target().to_string());
        cluster.log().wait_for("opened again in 1h00m");
        let balancer = cluster.inspect()["load_balancers"][0].clone();
        assert_eq!(balancer["state"], "standby", "{balancer}");
        assert!(refused(&cluster.target()), "nobody listens");
        cluster.stop();
    }
}

#[test]
fn the_change_of_a_balancer_is_told() {
    let Some(app) = app("c-epoll") else { return };
    if skipped() {
        return;
    }
    let cluster = start(&app, Listen::Host("127.0.0.1"), "1ms");
    let mut follower = harness::cli_command(&cluster.runtime_dir(), "events");
    let mut follower = follower.stdout(Stdio::piped()).spawn().expect("it starts");
    let (told, reader) = Log::collect(follower.stdout.take().expect("it is piped"));
    let address = cluster.target().to_string();
    // It follows from some moment on, which is not seen from outside: until then the socket is broken again.
    let mut round = 0;
    wait_until("all three states are told", PATIENCE, || {
        round += 1;
        break_socket(cluster.pid(), &address);
        cluster.log().wait_for_count(" is open again", round, PATIENCE);
        ["standby: its socket ", "starting", "running"]
            .iter()
            .all(|state| told.count(&format!("load balancer {address} {state}")) > 0)
    });
    cluster.stop();
    assert_eq!(follower.wait().expect("it is ours").code(), Some(0));
    reader.join().expect("it has ended");
}

#[test]
fn what_is_held_for_it_is_not_lost() {
    let Some(app) = app("c-epoll") else { return };
    if skipped() {
        return;
    }
    // What waits for a credit is in the queue of the socket that breaks, and lost with it as without a supervisor.
    let options = options(Listen::Host("127.0.0.1"), "50ms").flags("--dispatch handoff");
    let cluster = Cluster::start(&app, options);
    let target = cluster.target();
    let workers: Vec<Pid> = cluster.started().into_values().collect();
    workers.iter().for_each(|pid| harness::pause(*pid));
    // Window 2: six wait in lanes, for which the supervisor has no socket.
    let mut conns: Vec<Conn> = (0..6)
        .map(|_| {
            let mut conn = Conn::open(&target).expect("the kernel takes it");
            conn.last_request("/").expect("it is written");
            conn
        })
        .collect();
    wait_until("all have been handed over", PATIENCE, || {
        cluster.inspect()["load_balancers"][0]["connections"] == 6
    });
    break_socket(cluster.pid(), &target.to_string());
    cluster.log().wait_for("is open again");
    workers.iter().for_each(|pid| harness::resume(*pid));
    for conn in &mut conns {
        conn.response().and_then(|response| response.who()).expect("an answer");
    }
    cluster.stop();
}
