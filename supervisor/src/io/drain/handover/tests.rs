//! Moves, with a real server and clients that never stop.

#![expect(clippy::disallowed_methods, reason = "tests start processes and have deadlines")]

use super::*;
use crate::ids::WorkerId;
use crate::io::kernel::message;
use crate::io::sockets::sock_diag::tcp;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Instant;

/// Any moment will do to begin a virtual clock with.
pub(super) fn begin() -> Instant {
    Instant::now()
}

/// Of a machine that does much else.
const PATIENCE: Duration = Duration::from_secs(60);

/// A server that is handed its connections by its standard input. It answers after a pause: in a thread for each, in its
/// loop, or by a timer while its loop waits. It says `r` once it can be handed some.
const SERVER: &str = r#"
import array, select, socket, sys, threading, time
door = socket.socket(fileno=0)
sets = select.epoll()
sets.register(0, select.EPOLLIN)
pause, kind = float(sys.argv[1]), sys.argv[2]
head, body = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n", b"ok"
later = []
def answer(conn):
    conn.sendall(head)
    conn.sendall(body)
def serve(conn, buffer):
    while True:
        bytes = conn.recv(65536)
        if not bytes:
            return None
        buffer += bytes
        while b"end" in buffer:
            buffer = buffer.split(b"end", 1)[1]
            if kind == "timer":
                later.append((time.monotonic() + pause, conn))
            else:
                time.sleep(pause)
                answer(conn)
        if kind != "threads":
            return buffer
known = {}
door.sendall(b"r")
while True:
    for number, _ in sets.poll(max(0, later[0][0] - time.monotonic()) if later else None):
        if number == 0:
            byte, control, _, _ = door.recvmsg(1, socket.CMSG_SPACE(4))
            if not byte:
                sys.exit(0)
            conn = socket.socket(fileno=array.array("i", control[0][2])[0])
            conn.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if kind == "threads":
                threading.Thread(target=serve, args=(conn, b""), daemon=True).start()
            else:
                conn.setblocking(False)
                known[conn.fileno()] = [conn, b""]
                sets.register(conn.fileno(), select.EPOLLIN)
        else:
            entry = known[number]
            entry[1] = serve(*entry)
            if entry[1] is None:
                del known[number]
                entry[0].close()
    while later and later[0][0] <= time.monotonic():
        answer(later.pop(0)[1])
"#;

struct Server {
    child: Child,
    door: UnixStream,
}

impl Server {
    /// None, with a word, on a machine without Python.
    fn start(pause: &str, kind: &str) -> Option<Self> {
        let (door, theirs) = UnixStream::pair().unwrap();
        let mut command = Command::new("python3");
        command.args(["-c", SERVER, pause, kind]).stdin(Stdio::from(OwnedFd::from(theirs)));
        let child = match command.spawn() {
            Ok(child) => child,
            Err(error) => {
                let _ = writeln!(io::stderr(), "not tried: python3: {error}");
                return None;
            }
        };
        let mut server = Self { child, door };
        server.door.set_read_timeout(Some(PATIENCE)).unwrap();
        server.door.read_exact(&mut [0]).unwrap();
        Some(server)
    }

    /// Hands over a connection.
    fn give(&self, connection: &OwnedFd) {
        // There is room: each is taken at once.
        let end = Instant::now() + PATIENCE;
        while let Err(error) = message::send(self.door.as_fd(), b"c", Some(connection.as_fd())) {
            assert!(error.kind() == io::ErrorKind::WouldBlock && Instant::now() < end, "{error}");
            std::thread::yield_now();
        }
    }

    fn watched(&self, port: u16) -> Watched {
        Watched {
            worker: WorkerId { slot: 0, incarnation: 1 },
            pids: vec![self.child.id()],
            lanes: Vec::new(),
            queues: Vec::new(),
            ports: vec![port],
            names: Vec::new(),
            idle_grace: Duration::from_secs(2),
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Asks on one connection until told to stop: how many requests were answered, or what became of one that was not.
fn client(address: SocketAddr, think: Duration, go_on: &AtomicBool) -> Result<u32, String> {
    let stream = TcpStream::connect(address).map_err(|error| error.to_string())?;
    stream.set_nodelay(true).unwrap();
    stream.set_read_timeout(Some(PATIENCE * 2)).unwrap();
    let mut reader = BufReader::new(&stream);
    let mut answered = 0;
    while go_on.load(Ordering::Relaxed) {
        let failed = |error: io::Error| format!("request {answered}: {error}");
        // In two parts, as many clients do.
        (&stream).write_all(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\n").map_err(failed)?;
        (&stream).write_all(b"end").map_err(failed)?;
        let mut line = String::new();
        while line != "\r\n" {
            line.clear();
            if reader.read_line(&mut line).map_err(failed)? == 0 {
                return Err(format!("request {answered}: closed"));
            }
        }
        reader.read_exact(&mut [0; 2]).map_err(failed)?;
        answered += 1;
        std::thread::park_timeout(think);
    }
    Ok(answered)
}

fn wait(time: Duration) -> bool {
    std::thread::park_timeout(time);
    true
}

/// Moves all connections from one server to the next, so many times, while clients go on asking: no request may be lost.
fn move_under_load(times: u32, clients: u32, think: Duration, pause: &str, kind: &str) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let Some(mut server) = Server::start(pause, kind) else { return };
    let go_on = AtomicBool::new(true);
    let answered = AtomicU32::new(0);
    let lost = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..clients {
            scope.spawn(|| match client(address, think, &go_on) {
                Ok(count) => drop(answered.fetch_add(count, Ordering::Relaxed)),
                Err(error) => lost.lock().unwrap().push(error),
            });
        }
        for _ in 0..clients {
            server.give(&listener.accept().unwrap().0.into());
        }
        for _ in 0..times {
            let Some(next) = Server::start(pause, kind) else { break };
            match attempt::take(&server.watched(address.port()), PATIENCE, &wait) {
                Ok(Moved { taken, .. }) => {
                    let same = |taken: &Taken| taken.local.port() == Some(address.port());
                    assert!(taken.len() == clients as usize && taken.iter().all(same), "{taken:?}");
                    taken.iter().for_each(|taken| next.give(&taken.fd));
                }
                Err(left) => {
                    lost.lock().unwrap().push(format!("not moved: {left:?}"));
                    break;
                }
            }
            server = next;
        }
        go_on.store(false, Ordering::Relaxed);
    });
    assert_eq!(lost.into_inner().unwrap(), [""; 0]);
    assert!(answered.into_inner() >= clients);
}

#[test]
fn an_event_loop_loses_no_request() {
    move_under_load(5, 32, Duration::from_millis(50), "0.001", "loop");
}

#[test]
fn threads_lose_no_request() {
    move_under_load(5, 32, Duration::from_millis(50), "0.001", "threads");
}

/// Nothing is seen of a request that is under way, and request and answer fall in one tick.
#[test]
fn answers_that_come_later_are_waited_for() {
    move_under_load(2, 16, Duration::ZERO, "0.02", "timer");
}

#[test]
fn clients_that_ask_at_once_are_held_back() {
    move_under_load(2, 16, Duration::ZERO, "0", "loop");
}

/// One request on a connection, and its answer.
fn ask(stream: &mut TcpStream) {
    stream.write_all(b"end").unwrap();
    receive(stream);
}

fn receive(mut stream: &TcpStream) {
    let mut answer = Vec::new();
    while !answer.ends_with(b"ok") {
        let mut bytes = [0; 64];
        let len = stream.read(&mut bytes).unwrap();
        assert_ne!(len, 0);
        answer.extend_from_slice(&bytes[..len]);
    }
}

/// A server that answers after half a second, and a client whose request it has read.
fn slow() -> Option<(Server, TcpStream, u16)> {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let server = Server::start("0.5", "timer")?;
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(b"end").unwrap();
    server.give(&listener.accept().unwrap().0.into());
    let end = Instant::now() + PATIENCE;
    let mut unread = true;
    while unread {
        assert!(Instant::now() < end, "the request is not read");
        let look = |socket: tcp::Socket| unread = socket.unread > 0;
        tcp::each(&[tcp::ESTABLISHED], Some(&[address.port()]), look).unwrap();
    }
    Some((server, stream, address.port()))
}

#[test]
fn one_that_is_at_work_is_left_as_it_was() {
    let Some((server, mut stream, port)) = slow() else { return };
    let left = attempt::take(&server.watched(port), Duration::from_millis(200), &wait).unwrap_err();
    assert_eq!(left.connections, 1);
    assert!(left.why.contains("between two requests"), "{left:?}");
    receive(&stream);
    ask(&mut stream);
}

#[test]
fn a_move_given_up_leaves_the_worker_as_it_was() {
    let Some((server, mut stream, port)) = slow() else { return };
    let poll = mio::Poll::new().unwrap();
    let waker = Arc::new(Waker::new(poll.registry(), mio::Token(0)).unwrap());
    let moving = Handover::start(server.watched(port), PATIENCE, waker).unwrap();
    assert!(moving.outcome().is_none());
    drop(moving);
    receive(&stream);
    ask(&mut stream);
}

#[test]
fn the_loop_is_woken_with_the_connections() {
    let Some((server, mut stream, port)) = slow() else { return };
    let mut poll = mio::Poll::new().unwrap();
    let waker = Arc::new(Waker::new(poll.registry(), mio::Token(0)).unwrap());
    let moving = Handover::start(server.watched(port), PATIENCE, waker).unwrap();
    let end = Instant::now() + PATIENCE * 2;
    let taken = loop {
        if let Some(outcome) = moving.outcome() {
            break outcome.unwrap();
        }
        assert!(Instant::now() < end, "no outcome");
        poll.poll(&mut mio::Events::with_capacity(4), Some(Duration::from_secs(1))).unwrap();
    };
    let [taken] = &taken.taken[..] else { panic!("{taken:?}") };
    assert!(taken.nonblock && taken.peer.port() == Some(stream.local_addr().unwrap().port()));
    // The answer was on its way.
    receive(&stream);
    let next = Server::start("0", "loop").unwrap();
    next.give(&taken.fd);
    ask(&mut stream);
}
