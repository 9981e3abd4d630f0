//! The engine against servers in threads of the test: what it counts, and from when it times.

use super::super::client::{Connection, Load, Pace, Work};
use super::run;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// Serves one connection after the other in a thread that ends with the test's process.
fn server(serve: impl Fn(TcpStream) + Send + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    std::thread::spawn(move || listener.incoming().flatten().for_each(serve));
    addr
}

fn read_request(stream: &mut TcpStream) -> bool {
    let mut request = Vec::new();
    let mut byte = [0];
    while !request.ends_with(b"\r\n\r\n") {
        match stream.read(&mut byte) {
            Ok(1) => request.push(byte[0]),
            _ => return false,
        }
    }
    true
}

const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

fn load(server: SocketAddr, pace: Pace, connection: Connection) -> Load {
    Load {
        server,
        pid: std::process::id(),
        pace,
        connection,
        work: Work::Plain,
        duration: Duration::from_millis(200),
    }
}

#[test]
fn every_fresh_connection_is_counted_once() {
    let served = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&served);
    let addr = server(move |mut stream| {
        read_request(&mut stream);
        count.fetch_add(1, Ordering::Relaxed);
        stream.write_all(ANSWER).unwrap();
    });
    let sample = run(&load(addr, Pace::Closed { clients: 4 }, Connection::Fresh)).unwrap();
    assert_eq!(sample.failed, 0);
    assert_eq!(sample.latencies.len(), served.load(Ordering::Relaxed));
    assert!(sample.latencies.len() >= 4 && sample.answered_in_time <= sample.latencies.len());
}

#[test]
fn a_kept_connection_is_kept() {
    let accepted = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&accepted);
    let addr = server(move |mut stream| {
        count.fetch_add(1, Ordering::Relaxed);
        while read_request(&mut stream) {
            stream.write_all(ANSWER).unwrap();
        }
    });
    let load = load(addr, Pace::Closed { clients: 1 }, Connection::Kept);
    // On a busy machine the time may be over after the first answer.
    let again = (0..100).any(|_| {
        let before = accepted.load(Ordering::Relaxed);
        let sample = run(&load).unwrap();
        assert_eq!((sample.failed, accepted.load(Ordering::Relaxed) - before), (0, 1));
        sample.latencies.len() > 1
    });
    assert!(again, "nothing but first answers");
}

#[test]
fn bursts_come_together_and_after_a_pause() {
    let begun = Arc::new(std::sync::Mutex::new(Vec::new()));
    let times = Arc::clone(&begun);
    let addr = server(move |mut stream| {
        read_request(&mut stream);
        times.lock().unwrap().push(Instant::now());
        stream.write_all(ANSWER).unwrap();
    });
    let pause = Duration::from_millis(30);
    let sample = run(&load(addr, Pace::Bursts { clients: 3, pause }, Connection::Fresh)).unwrap();
    let begun = begun.lock().unwrap();
    assert_eq!((sample.failed, sample.latencies.len()), (0, begun.len()));
    assert!(begun.len() >= 3 && begun.len().is_multiple_of(3), "{}", begun.len());
    for (last, next) in begun.iter().skip(2).step_by(3).zip(begun.iter().skip(3).step_by(3)) {
        assert!(*next - *last >= pause, "{:?}", *next - *last);
    }
}

#[test]
fn a_cut_answer_is_a_failure() {
    let addr = server(|mut stream| {
        read_request(&mut stream);
        stream.write_all(&ANSWER[..ANSWER.len() - 1]).unwrap();
    });
    let sample = run(&load(addr, Pace::Closed { clients: 2 }, Connection::Fresh)).unwrap();
    assert_eq!(sample.latencies.len(), 0);
    assert!(sample.failed > 1);
}

#[test]
fn a_server_that_is_gone_is_neither_an_answer_nor_a_spin() {
    // A client's own address: nobody listens at it, and nobody else can while the client lives.
    let client = TcpStream::connect(server(drop)).unwrap();
    let gone = client.local_addr().unwrap();
    let sample = run(&load(gone, Pace::Closed { clients: 1 }, Connection::Fresh)).unwrap();
    assert_eq!(sample.latencies.len(), 0);
    assert!((1..=41).contains(&sample.failed), "one client fails at most every 5 ms: {}", sample.failed);
}

#[test]
fn open_pace_times_from_when_a_request_was_due() {
    // Nobody is served until all have been due: a client that waited for answers would see none of it.
    let opens = Instant::now() + Duration::from_millis(500);
    let addr = server(move |mut stream| {
        while Instant::now() < opens {
            std::thread::park_timeout(opens.saturating_duration_since(Instant::now()));
        }
        read_request(&mut stream);
        stream.write_all(ANSWER).unwrap();
    });
    let sample = run(&load(addr, Pace::Open { rate: 100.0 }, Connection::Fresh)).unwrap();
    assert_eq!((sample.latencies.len(), sample.failed, sample.answered_in_time), (20, 0, 0));
    // The last was due after 190 ms.
    let least = sample.latencies.iter().min().unwrap();
    assert!(*least >= Duration::from_millis(200), "{least:?}");
}
