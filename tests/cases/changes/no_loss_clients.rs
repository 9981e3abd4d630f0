//! The clients that look for lost requests find those that are lost: servers that misbehave in one way each.

use harness::loss::{Counts, Kind, Mix, Traffic};
use harness::{PATIENCE, wait_until};
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npid=1\n";

const NOBODY: Mix = Mix { closing: 0, kept: 0, uploads: 0, slow: 0, ..Mix::SMALL };
const CLOSING: Mix = Mix { closing: 2, ..NOBODY };
const KEPT: Mix = Mix { kept: 2, think: Duration::from_millis(1), ..NOBODY };

/// What the clients count of a server that treats each connection like this. The test's process keeps the listener.
#[track_caller]
fn counts(mix: Mix, serve: fn(TcpStream) -> io::Result<()>) -> Counts {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("there are free ports");
    let address = listener.local_addr().expect("it is bound");
    let served = Arc::new(AtomicUsize::new(0));
    let count = served.clone();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let count = count.clone();
            thread::spawn(move || {
                let _ = serve(stream);
                count.fetch_add(1, Ordering::Relaxed);
            });
        }
    });
    let traffic = Traffic::start(address, mix);
    wait_until("some connections were served", PATIENCE, || served.load(Ordering::Relaxed) >= 6);
    let tally = traffic.finish();
    let total = tally.total();
    assert_eq!(tally.incidents.len() as u64, total.failed + total.raced + total.reset, "{tally:?}");
    let kind = if mix.kept > 0 { Kind::Kept } else { Kind::Closing };
    assert_eq!(tally.of(kind).requests(), total.requests(), "there are no others");
    total
}

/// Reads a request to its end; an error if the client has closed.
fn request(stream: &mut TcpStream) -> io::Result<()> {
    let mut seen = Vec::new();
    let mut chunk = [0; 1024];
    while !seen.ends_with(b"\r\n\r\n") {
        match stream.read(&mut chunk)? {
            0 => return Err(ErrorKind::UnexpectedEof.into()),
            length => seen.extend_from_slice(&chunk[..length]),
        }
    }
    Ok(())
}

fn answer_once(stream: &mut TcpStream) -> io::Result<()> {
    request(stream)?;
    stream.write_all(ANSWER)
}

#[test]
fn all_is_well() {
    let counts = counts(CLOSING, |mut stream| answer_once(&mut stream));
    assert!(counts.answered >= 6 && counts.requests() == counts.answered, "{counts:?}");
    assert!(counts.refused == 0 && counts.reopened == 0, "{counts:?}");
}

#[test]
fn no_answer() {
    let counts = counts(CLOSING, |mut stream| request(&mut stream));
    assert!(counts.failed >= 6 && counts.requests() == counts.failed, "{counts:?}");
}

#[test]
fn half_an_answer() {
    let counts = counts(CLOSING, |mut stream| {
        request(&mut stream)?;
        stream.write_all(&ANSWER[..ANSWER.len() - 1])
    });
    assert!(counts.failed >= 6 && counts.requests() == counts.failed, "{counts:?}");
}

#[test]
fn another_answer() {
    let counts = counts(CLOSING, |mut stream| {
        request(&mut stream)?;
        stream.write_all(b"HTTP/1.1 503 Busy\r\nContent-Length: 6\r\n\r\npid=1\n")
    });
    assert!(counts.failed >= 6 && counts.requests() == counts.failed, "{counts:?}");
}

#[test]
fn reset_unread() {
    let counts = counts(CLOSING, |stream| stream.peek(&mut [0]).map(|_| ()));
    assert!(counts.failed >= 6 && counts.requests() == counts.failed, "{counts:?}");
}

#[test]
fn kept_and_read_but_not_answered() {
    let counts = counts(KEPT, |mut stream| {
        answer_once(&mut stream)?;
        request(&mut stream)
    });
    assert!(counts.failed >= 5 && counts.raced == 0, "{counts:?}");
}

#[test]
fn kept_and_closed_before_the_request_was_read() {
    let counts = counts(KEPT, |mut stream| {
        answer_once(&mut stream)?;
        stream.peek(&mut [0]).map(|_| ())
    });
    assert!(counts.raced >= 5 && counts.failed == 0, "{counts:?}");
}

/// As some servers do: first an end, and then the close.
#[test]
fn kept_and_ended_before_the_request_was_read() {
    let counts = counts(KEPT, |mut stream| {
        answer_once(&mut stream)?;
        stream.peek(&mut [0])?;
        stream.shutdown(std::net::Shutdown::Write)
    });
    // A server that is held up between the two may be misjudged.
    assert!(counts.raced >= 1, "{counts:?}");
}

#[test]
fn kept_and_closed_while_idle() {
    let mix = Mix { think: Duration::from_millis(100), ..KEPT };
    let counts = counts(mix, |mut stream| answer_once(&mut stream));
    assert!(counts.reopened >= 1 && counts.failed == 0, "{counts:?}");
}

#[test]
fn nobody_listens() {
    let socket = harness::Port::free();
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, socket.number()));
    let traffic = Traffic::start(address, CLOSING);
    wait_until("some were refused", PATIENCE, || traffic.tried() >= 6);
    traffic.announce_end();
    let before = traffic.tried();
    wait_until("more were refused", PATIENCE, || traffic.tried() >= before + 6);
    let counts = traffic.finish().total();
    assert!(counts.refused >= 4 && counts.turned_away >= 4, "{counts:?}");
    assert!(counts.requests() == 0, "{counts:?}");
}
