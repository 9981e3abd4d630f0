//! Real sockets and a poll of their own: what clients of every kind are answered, and what they cannot do.

use super::super::connection::{MAX_MISSED, MAX_UNSENT};
use super::super::wire::MAX_REQUEST;
use super::{ClientId, Control, ControlError, MAX_CLIENTS, Place};
use crate::api::{Action, Command, Event, Failure, Reply, Target};
use crate::io::events::source::Source;
use crate::io::scratch::Scratch;
use mio::{Events, Poll};
use std::io::{ErrorKind, Read, Write};
use std::net::Shutdown;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(20);

#[expect(clippy::disallowed_methods, reason = "a test's deadline")]
fn clock() -> Instant {
    Instant::now()
}

/// A loop like the supervisor's, that carries nothing out.
struct Server {
    poll: Poll,
    control: Control,
    asked: Vec<(ClientId, Command)>,
    scratch: Scratch,
}

impl Server {
    fn new() -> Self {
        let scratch = Scratch::new();
        let poll = Poll::new().unwrap();
        let place = Place::At(scratch.path().join("c.sock"));
        let control = Control::open(&place, poll.registry()).unwrap();
        Self { poll, control, asked: Vec::new(), scratch }
    }

    fn connect(&self) -> UnixStream {
        let client = UnixStream::connect(self.control.path()).unwrap();
        client.set_nonblocking(true).unwrap();
        client
    }

    /// Waits for what happens, a little at most.
    fn turn(&mut self) {
        let mut events = Events::with_capacity(16);
        self.poll.poll(&mut events, Some(Duration::from_millis(2))).unwrap();
        let now = clock();
        for event in &events {
            match Source::of(event.token()) {
                Some(Source::Control) => self.control.accept(now),
                Some(Source::Client(place)) => {
                    self.control.readable(place, now);
                    self.control.writable(place, now);
                }
                other => panic!("{other:?}"),
            }
        }
        if self.control.next_deadline().is_some_and(|at| at <= now) {
            self.control.expire(now);
        }
        while let Some(asked) = self.control.next() {
            self.asked.push(asked);
        }
    }

    #[track_caller]
    fn turn_until<T>(&mut self, mut found: impl FnMut(&mut Self) -> Option<T>) -> T {
        let deadline = clock() + PATIENCE;
        loop {
            if let Some(found) = found(self) {
                return found;
            }
            assert!(clock() < deadline, "waited in vain");
            self.turn();
        }
    }

    #[track_caller]
    fn next(&mut self) -> (ClientId, Command) {
        self.turn_until(|server| (!server.asked.is_empty()).then(|| server.asked.remove(0)))
    }

    fn done(&mut self, client: ClientId) {
        self.control.reply(client, &Ok(Reply::Done), clock());
    }

    /// Answers whatever is asked from now on.
    #[track_caller]
    fn serve_until<T>(&mut self, mut found: impl FnMut() -> Option<T>) -> T {
        self.turn_until(|server| {
            for (client, _) in std::mem::take(&mut server.asked) {
                server.done(client);
            }
            found()
        })
    }

    #[track_caller]
    fn line(&mut self, client: &mut UnixStream) -> String {
        let mut line = Vec::new();
        self.turn_until(|_| read_line(client, &mut line).then_some(()));
        String::from_utf8(line).unwrap()
    }
}

/// True once the line is there, or the end.
fn read_line(client: &mut UnixStream, line: &mut Vec<u8>) -> bool {
    let mut byte = [0];
    loop {
        match client.read(&mut byte) {
            Ok(0) => return true,
            Ok(_) if byte[0] == b'\n' => return true,
            Ok(_) => line.push(byte[0]),
            Err(error) if error.kind() == ErrorKind::WouldBlock => return false,
            Err(error) => panic!("{error}"),
        }
    }
}

fn is_ended(client: &mut UnixStream) -> bool {
    match client.read(&mut [0; 8192]) {
        Ok(0) => true,
        Ok(_) => false,
        Err(error) => error.kind() == ErrorKind::ConnectionReset,
    }
}

const INSPECT: &str = "{\"v\":1,\"do\":\"inspect\"}\n";
const EVENTS: &str = "{\"v\":1,\"do\":\"events\"}\n";
const OK: &str = "{\"v\":1,\"ok\":true}";

#[test]
fn requests_are_answered_in_their_order() {
    let mut server = Server::new();
    let mut client = server.connect();
    let restart =
        "{\"v\":1,\"do\":\"restart\",\"target\":{\"worker\":\"2\"},\"wait_ms\":30000}\r\n\n  \n{\"v\":1,";
    client.write_all(restart.as_bytes()).unwrap();
    let (id, command) = server.next();
    let action = Action::Restart { target: Target::Worker("2".to_owned()) };
    assert_eq!(command, Command { action, wait_ms: Some(30_000) });
    client.write_all(b"\"do\":\"inspect\"}\n").unwrap();
    for _ in 0..20 {
        server.turn();
    }
    assert!(server.asked.is_empty(), "the first is not answered yet");
    let failure = Failure::NoSuchWorker { id: "2".to_owned(), known: "0 and 1".to_owned() };
    server.control.reply(id, &Err(failure), clock());
    let (second, command) = server.next();
    assert_eq!(command.action, Action::Inspect);
    // Twice is not once more.
    server.done(second);
    server.done(second);
    let answer = server.line(&mut client);
    assert!(answer.starts_with("{\"v\":1,\"ok\":false,\"code\":3,\"error\":\"no worker 2;"), "{answer}");
    assert!(answer.ends_with("\"kind\":\"no_such_worker\",\"id\":\"2\",\"known\":\"0 and 1\"}"), "{answer}");
    assert_eq!(server.line(&mut client), OK);
}

#[test]
fn garbage_is_told_and_the_connection_goes_on() {
    let mut server = Server::new();
    let mut client = server.connect();
    for (line, part) in [
        (&b"GET / HTTP/1.1"[..], "no JSON"),
        (b"\xff\xfe\x00", "no JSON"),
        (b"{\"v\":2,\"do\":\"inspect\"}", "speaks version 1"),
        (b"{\"do\":\"inspect\"}", "needs \\\"v\\\":1"),
        (b"{\"v\":1,\"do\":\"fly\"}", "unknown variant"),
    ] {
        client.write_all(line).unwrap();
        client.write_all(b"\n").unwrap();
        let answer = server.line(&mut client);
        assert!(answer.contains(part) && answer.contains("\"ok\":false"), "{answer}");
    }
    client.write_all(INSPECT.as_bytes()).unwrap();
    let (id, _) = server.next();
    server.done(id);
    assert_eq!(server.line(&mut client), OK);
}

#[test]
fn a_line_has_its_limit() {
    let mut server = Server::new();
    let mut client = server.connect();
    let mut rest = Vec::new();
    for length in [MAX_REQUEST + 1, 3 * MAX_REQUEST, 1_000_000] {
        rest.resize(rest.len() + length, b' ');
        rest.extend_from_slice(b"{}\n");
    }
    // The longest that is allowed.
    rest.resize(rest.len() + MAX_REQUEST + 1 - INSPECT.len(), b' ');
    rest.extend_from_slice(INSPECT.as_bytes());
    let (mut lines, mut line) = (Vec::new(), Vec::new());
    server.serve_until(|| {
        let written = client.write(&rest).unwrap_or(0);
        rest.drain(..written);
        if read_line(&mut client, &mut line) {
            lines.push(String::from_utf8(std::mem::take(&mut line)).unwrap());
        }
        (lines.len() == 4).then_some(())
    });
    assert!(lines[..3].iter().all(|line| line.contains("longer than 262144 bytes")), "{lines:?}");
    assert_eq!(lines[3], OK);
}

#[test]
fn a_flood_is_slowed_down_and_others_are_served() {
    let mut server = Server::new();
    let mut flooder = server.connect();
    let mut other = server.connect();
    let begun = clock();
    let mut rest = INSPECT.repeat(2500).into_bytes();
    let mut answers = 0;
    let mut asked = false;
    server.serve_until(|| {
        let written = flooder.write(&rest).unwrap_or(0);
        rest.drain(..written);
        let mut buffer = [0; 4096];
        if let Ok(length) = flooder.read(&mut buffer) {
            answers += buffer[..length].iter().filter(|byte| **byte == b'\n').count();
        }
        if !asked && answers > 1000 {
            asked = true;
            other.write_all(INSPECT.as_bytes()).unwrap();
        }
        (answers == 2500).then_some(())
    });
    // A thousand at once, a thousand a second after that.
    assert!(begun.elapsed() > Duration::from_millis(1400), "{:?}", begun.elapsed());
    assert_eq!(server.line(&mut other), OK);
}

#[test]
fn who_does_not_read_is_not_asked_for_more() {
    let mut server = Server::new();
    let mut client = server.connect();
    let garbage = "x\n".repeat(MAX_UNSENT);
    let mut written = 0;
    for _ in 0..200 {
        written += client.write(&garbage.as_bytes()[written..]).unwrap_or(0);
        server.turn();
    }
    assert!(written < garbage.len());
    let held: usize = server.control.clients.iter().map(|(_, client)| client.held()).sum();
    assert!(held <= 2 * MAX_REQUEST, "{held}");
    let mut answers = 0;
    server.serve_until(|| {
        let mut buffer = [0; 65536];
        while let Ok(length @ 1..) = client.read(&mut buffer) {
            answers += buffer[..length].iter().filter(|byte| **byte == b'\n').count();
        }
        (answers > 1100).then_some(())
    });
}

#[test]
fn followers_get_events_and_slow_ones_are_told_what_they_missed() {
    let mut server = Server::new();
    let event = |text: &str| Event::Log { text: text.to_owned() };
    server.control.publish(&event("nobody hears this"), None);
    assert!(!server.control.has_followers());
    let (mut quick, mut slow) = (server.connect(), server.connect());
    for client in [&mut quick, &mut slow] {
        client.write_all(EVENTS.as_bytes()).unwrap();
        assert_eq!(server.line(client), OK);
    }
    assert!(server.control.has_followers());
    let text = "x".repeat(10_000);
    let mut heard = 0;
    for _ in 0..300 {
        server.control.publish(&event(&text), None);
        let line = server.line(&mut quick);
        assert!(line.starts_with("{\"v\":1,\"event\":\"log\",\"text\":\"xxx"), "{line}");
        heard += 1;
    }
    assert_eq!(heard, 300);
    let (mut events, mut missed) = (0, 0);
    while events + missed < 300 {
        let line = server.line(&mut slow);
        match super::wire::read_event(line.as_bytes()).unwrap() {
            Event::Missed { count } => missed += count,
            Event::Log { .. } => events += 1,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(events + missed, 300);
    assert!(missed > 0 && events >= 100, "{events} came, {missed} were missed");
    server.control.publish(&event("again"), None);
    assert!(server.line(&mut slow).contains("again"));
    drop(quick);
    server.turn_until(|server| (server.control.clients.len() == 1).then_some(()));
}

#[test]
fn a_follower_that_never_reads_is_given_up() {
    let mut server = Server::new();
    let mut slow = server.connect();
    slow.write_all(EVENTS.as_bytes()).unwrap();
    assert_eq!(server.line(&mut slow), OK);
    let event = Event::Log { text: "x".repeat(2_000) };
    for published in 0.. {
        assert!(published < 1_000 + MAX_MISSED, "it is still there");
        if !server.control.has_followers() {
            break;
        }
        server.control.publish(&event, None);
    }
    server.turn_until(|_| is_ended(&mut slow).then_some(()));
}

#[test]
fn who_has_said_the_last_is_still_answered() {
    let mut server = Server::new();
    let mut client = server.connect();
    // Without an end of line.
    client.write_all(INSPECT.trim_end().as_bytes()).unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    let (id, command) = server.next();
    assert_eq!(command.action, Action::Inspect);
    for _ in 0..5 {
        server.turn();
    }
    server.done(id);
    assert_eq!(server.line(&mut client), OK);
    server.turn_until(|_| is_ended(&mut client).then_some(()));
    assert_eq!(server.control.clients.len(), 0);
}

#[test]
fn who_is_gone_leaves_nothing() {
    let mut server = Server::new();
    let mut client = server.connect();
    client.write_all(INSPECT.as_bytes()).unwrap();
    let (gone, _) = server.next();
    drop(client);
    server.turn_until(|server| server.control.clients.is_empty().then_some(()));
    // Its place is taken by another, who must not get its answer.
    let mut other = server.connect();
    other.write_all(INSPECT.as_bytes()).unwrap();
    let (id, _) = server.next();
    assert_ne!(id, gone);
    server.control.reply(gone, &Err(Failure::NotRunning), clock());
    server.done(id);
    assert_eq!(server.line(&mut other), OK);
    // What was asked is done, though nobody waits for the answer.
    let mut hasty = server.connect();
    hasty.write_all(INSPECT.as_bytes()).unwrap();
    drop(hasty);
    let (id, _) = server.next();
    server.done(id);
    server.turn_until(|server| (server.control.clients.len() == 1).then_some(()));
}

#[test]
fn so_many_and_no_more() {
    let mut server = Server::new();
    let mut clients: Vec<_> = (0..MAX_CLIENTS).map(|_| server.connect()).collect();
    server.turn_until(|server| (server.control.clients.len() == MAX_CLIENTS).then_some(()));
    let mut late = server.connect();
    assert!(server.line(&mut late).contains("64 clients are connected already"));
    server.turn_until(|_| is_ended(&mut late).then_some(()));
    clients.pop();
    server.turn_until(|server| (server.control.clients.len() < MAX_CLIENTS).then_some(()));
    let mut next = server.connect();
    next.write_all(INSPECT.as_bytes()).unwrap();
    let (id, _) = server.next();
    server.done(id);
    assert_eq!(server.line(&mut next), OK);
}

fn open(path: &Path) -> Result<Control, ControlError> {
    let poll = Poll::new().unwrap();
    Control::open(&Place::At(path.to_owned()), poll.registry())
}

#[test]
fn the_file_is_closed_to_others_and_goes_at_the_end() {
    let server = Server::new();
    let path = server.control.path().to_owned();
    assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    drop(server.control);
    assert!(!path.exists());
    let control = open(&path).unwrap();
    // Somebody has put another in its place.
    std::fs::remove_file(&path).unwrap();
    let other = UnixListener::bind(&path).unwrap();
    drop(control);
    assert!(path.exists());
    drop(other);
    drop(server.scratch);
}

#[test]
fn the_dead_make_way_and_the_living_do_not() {
    let scratch = Scratch::new();
    let path = scratch.path().join("c.sock");
    drop(UnixListener::bind(&path).unwrap());
    let inode = path.metadata().unwrap().ino();
    let control = open(&path).unwrap();
    assert!(path.metadata().unwrap().ino() != inode || control.path() == path);
    let told = open(&path).unwrap_err();
    assert!(told.is_input());
    let told = told.to_string();
    let own = format!("process {}", std::process::id());
    assert!(told.contains("--control") && told.contains(&own) && !told.contains('\n'), "{told}");
    assert!(UnixStream::connect(&path).is_ok(), "it was not touched");
    drop(control);
    for (file, why) in
        [(scratch.file("plain", "x", 0o644), "no socket"), (scratch.dir("dir", 0o755), "no socket")]
    {
        let told = open(&file).unwrap_err().to_string();
        assert!(told.contains(why), "{told}");
        assert!(file.exists());
    }
    for (path, why) in [("missing/c.sock", "No such file"), ("plain/c.sock", "Not a directory")] {
        let told = open(&scratch.path().join(path)).unwrap_err().to_string();
        assert!(told.contains(why), "{told}");
    }
    assert!(open(Path::new("/")).is_err());
}

#[test]
fn a_path_may_be_long() {
    let scratch = Scratch::new();
    let long = scratch.dir(&"d".repeat(150), 0o755).join("c.sock");
    let control = open(&long).unwrap();
    assert!(long.exists());
    assert!(matches!(open(&long), Err(ControlError::PathTaken { .. })));
    let client = crate::io::control::address::connect(&long, Duration::from_secs(1)).unwrap();
    drop((client, control));
    assert!(!long.exists());
}
