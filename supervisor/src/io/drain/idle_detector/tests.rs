//! Quiet, with real sockets in real processes.

#![expect(clippy::disallowed_methods, reason = "tests start processes and have deadlines")]

use super::*;
use crate::io::privileges::view::Onlooker;
use nix::sys::socket::{AddressFamily, MsgFlags, SockFlag, SockType, recv, send, socketpair};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::process::{Child, Command, Stdio};
use std::time::Instant;

const WORKER: WorkerId = WorkerId { slot: 3, incarnation: 1 };
/// Short, so that the tests are; long enough to be seen from a busy machine.
const GRACE: Duration = Duration::from_millis(300);

/// A process with a socket as its standard input and output, in a group of its own; ended with the test.
struct Process(Child);

impl Process {
    /// Runs a shell script.
    fn with(socket: impl Into<OwnedFd>, script: &str) -> Self {
        let socket = socket.into();
        let output = socket.try_clone().unwrap();
        let mut command = Command::new("/bin/sh");
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        command.args(["-c", script]).stdin(Stdio::from(socket)).stdout(Stdio::from(output));
        Self(command.spawn().unwrap())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let group = nix::unistd::Pid::from_raw(self.0.id() as i32);
        let _ = nix::sys::signal::killpg(group, nix::sys::signal::Signal::SIGKILL);
        let _ = self.0.wait();
    }
}

struct Watch {
    quiet: IdleDetector,
    poll: mio::Poll,
}

impl Watch {
    fn new() -> Self {
        let poll = mio::Poll::new().unwrap();
        let waker = Arc::new(Waker::new(poll.registry(), mio::Token(0)).unwrap());
        Self { quiet: IdleDetector::start(waker, Onlooker::default()).unwrap(), poll }
    }

    fn of(process: &Process, ports: &[u16], grace: Duration) -> Self {
        let mut watch = Self::new();
        watch.quiet.watch(watched(process, ports, grace));
        watch
    }

    fn next(&mut self) -> Report {
        let end = Instant::now() + Duration::from_secs(20);
        loop {
            if let Some((worker, report)) = self.quiet.next() {
                assert_eq!(worker, WORKER);
                return report;
            }
            assert!(Instant::now() < end, "no report");
            self.poll.poll(&mut mio::Events::with_capacity(4), Some(Duration::from_secs(1))).unwrap();
        }
    }

    /// The next report is this one; or one that differs only in not being quiet yet, for where the kernel has many sockets
    /// it has to say the same twice.
    #[track_caller]
    fn becomes(&mut self, wanted: &Report) {
        let mut report = self.next();
        if report != *wanted {
            assert_eq!(report, Report { quiet: false, ..wanted.clone() });
            report = self.next();
        }
        assert_eq!(report, *wanted);
    }

    /// The numbers of reports until one is quiet.
    fn until_quiet(&mut self) -> Report {
        loop {
            let report = self.next();
            if report.quiet {
                return report;
            }
        }
    }
}

fn watched(process: &Process, ports: &[u16], idle_grace: Duration) -> Watched {
    let pids = vec![process.0.id()];
    let ports = ports.to_vec();
    Watched {
        worker: WORKER,
        pids,
        lanes: Vec::new(),
        queues: Vec::new(),
        ports,
        names: Vec::new(),
        idle_grace,
    }
}

fn report(connections: u32, busy: u32, quiet: bool) -> Report {
    Report { connections, busy, quiet, blind: None }
}

/// Both ends of a connection, and the server's port.
fn connection() -> (TcpStream, TcpStream, u16) {
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = server.local_addr().unwrap();
    let client = TcpStream::connect(address).unwrap();
    (client, server.accept().unwrap().0, address.port())
}

#[test]
fn quiet_at_once_without_a_connection() {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let process = Process::with(theirs, "exec cat");
    let mut watch = Watch::of(&process, &[1], GRACE);
    watch.becomes(&report(0, 0, true));
    drop(ours);
}

#[test]
fn quiet_once_the_answer_is_old_enough() {
    let (mut client, accepted, port) = connection();
    let process = Process::with(accepted, "exec cat");
    let mut watch = Watch::of(&process, &[port], GRACE);
    assert_eq!(watch.next(), report(1, 1, false));
    let asked = Instant::now();
    client.write_all(b"echo").unwrap();
    client.read_exact(&mut [0; 4]).unwrap();
    watch.becomes(&report(1, 0, true));
    // The kernel counts in ticks, of 10 ms at most.
    assert!(asked.elapsed() + Duration::from_millis(20) >= GRACE);
}

#[test]
fn a_request_without_an_answer_is_busy_until_the_connection_is_gone() {
    for script in ["exec sleep 1000", "read request; exec sleep 1000"] {
        let (mut client, accepted, port) = connection();
        client.write_all(b"request\n").unwrap();
        let process = Process::with(accepted, script);
        let mut watch = Watch::of(&process, &[port], Duration::ZERO);
        assert_eq!(watch.next(), report(1, 1, false));
        drop(process);
        watch.becomes(&report(0, 0, true));
    }
}

#[test]
fn connections_to_others_do_not_count() {
    let (outgoing, _accepted, _) = connection();
    let process = Process::with(outgoing, "exec sleep 1000");
    let mut watch = Watch::of(&process, &[1], GRACE);
    watch.becomes(&report(0, 0, true));
}

#[test]
fn what_waits_at_a_port_of_its_own_counts() {
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = server.local_addr().unwrap();
    let process = Process::with(server, "exec sleep 1000");
    let waiting = TcpStream::connect(address).unwrap();
    let mut watch = Watch::of(&process, &[], GRACE);
    assert_eq!(watch.next(), report(0, 1, false));
    drop(process);
    watch.becomes(&report(0, 0, true));
    drop(waiting);
}

#[test]
fn what_waits_in_a_lane_counts() {
    let flags = SockFlag::SOCK_CLOEXEC;
    let (supervisor, worker) = socketpair(AddressFamily::Unix, SockType::SeqPacket, None, flags).unwrap();
    let (_ours, theirs) = UnixStream::pair().unwrap();
    let process = Process::with(theirs, "exec sleep 1000");
    send(supervisor.as_raw_fd(), b"record", MsgFlags::empty()).unwrap();
    let mut watch = Watch::new();
    let mut with_lane = watched(&process, &[], GRACE);
    with_lane.lanes.push(supervisor.try_clone().unwrap());
    watch.quiet.watch(with_lane);
    assert_eq!(watch.next(), report(0, 1, false));
    recv(worker.as_raw_fd(), &mut [0; 6], MsgFlags::empty()).unwrap();
    watch.becomes(&report(0, 0, true));
}

#[test]
fn children_and_new_members_count() {
    let (mut client, accepted, port) = connection();
    let (_ours, theirs) = UnixStream::pair().unwrap();
    let first = Process::with(theirs, "exec sleep 1000");
    // The shell waits, its child reads.
    let second = Process::with(accepted, "cat; true");
    client.write_all(b"echo").unwrap();
    client.read_exact(&mut [0; 4]).unwrap();
    let mut watch = Watch::new();
    let mut both = watched(&first, &[port], Duration::from_secs(1000));
    both.pids.push(second.0.id());
    watch.quiet.watch(both);
    assert_eq!(watch.next(), report(1, 1, false));
    watch.quiet.update(WORKER, vec![first.0.id()]);
    watch.becomes(&report(0, 0, true));
}

#[test]
fn a_child_alone_counts() {
    let (mut client, accepted, port) = connection();
    // The shell's own copies are closed.
    let script = "exec 3<&0 </dev/null >/dev/null; (exec cat <&3 >&3) 3<&3 & exec 3<&-; wait";
    let process = Process::with(accepted, script);
    client.write_all(b"echo").unwrap();
    client.read_exact(&mut [0; 4]).unwrap();
    let mut watch = Watch::of(&process, &[port], Duration::from_secs(1000));
    assert_eq!(watch.next(), report(1, 1, false));
    drop(client);
    watch.becomes(&report(0, 0, true));
}

#[test]
fn unix_connections_count_by_the_name_of_their_listener() {
    let scratch = crate::io::scratch::Scratch::new();
    let path = scratch.path().join("s");
    let server = UnixListener::bind(&path).unwrap();
    let mut client = UnixStream::connect(&path).unwrap();
    client.write_all(b"echo").unwrap();
    let process = Process::with(server.accept().unwrap().0, "exec sleep 1000");
    let mut watch = Watch::new();
    let mut other = watched(&process, &[], GRACE);
    other.names.push(b"\0another".to_vec());
    watch.quiet.watch(other);
    watch.becomes(&report(0, 0, true));
    let mut this = watched(&process, &[], GRACE);
    this.names.push(path.as_os_str().as_bytes().to_vec());
    watch.quiet.watch(this);
    assert_eq!(watch.next(), report(1, 1, false));
    drop(process);
    watch.becomes(&report(0, 0, true));
}

#[test]
fn a_silent_unix_connection_is_quiet_after_the_grace() {
    let scratch = crate::io::scratch::Scratch::new();
    let path = scratch.path().join("s");
    let server = UnixListener::bind(&path).unwrap();
    let mut client = UnixStream::connect(&path).unwrap();
    let process = Process::with(server.accept().unwrap().0, "exec cat");
    client.write_all(b"echo").unwrap();
    client.read_exact(&mut [0; 4]).unwrap();
    let begin = Instant::now();
    let mut watch = Watch::new();
    let mut this = watched(&process, &[], GRACE);
    this.names.push(path.as_os_str().as_bytes().to_vec());
    watch.quiet.watch(this);
    assert_eq!(watch.until_quiet(), report(1, 0, true));
    assert!(begin.elapsed() >= GRACE);
}

#[test]
fn a_forgotten_worker_is_not_told_of() {
    let (client, accepted, port) = connection();
    let process = Process::with(accepted, "exec cat");
    let mut watch = Watch::of(&process, &[port], GRACE);
    assert_eq!(watch.next(), report(1, 1, false));
    drop(client);
    watch.quiet.forget(WORKER);
    assert!(watch.quiet.next().is_none());
    // Watched anew, it is told of anew.
    watch.quiet.watch(watched(&process, &[port], GRACE));
    watch.until_quiet();
}
