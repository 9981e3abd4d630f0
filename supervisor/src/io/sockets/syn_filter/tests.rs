//! Closed listeners, with real clients.

#![expect(clippy::disallowed_methods, reason = "a test's deadline")]

use super::*;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// A listener, and where its clients find it. None on a machine without that family.
fn listeners() -> Vec<(TcpListener, SocketAddr)> {
    let to = [("127.0.0.1:0", "127.0.0.1"), ("[::1]:0", "::1"), ("[::]:0", "127.0.0.1"), ("[::]:0", "::1")];
    to.iter()
        .filter_map(|(at, host)| {
            let listener = TcpListener::bind(at).ok()?;
            let port = listener.local_addr().unwrap().port();
            Some((listener, SocketAddr::new(host.parse().unwrap(), port)))
        })
        .collect()
}

#[test]
fn a_closed_door_answers_nobody_and_what_was_let_in_is_accepted() {
    for (listener, address) in listeners() {
        let mut before = TcpStream::connect(address).unwrap();
        close(listener.as_fd()).unwrap();
        close(listener.as_fd()).unwrap();
        assert!(!is_empty(listener.as_fd()).unwrap());
        let after = TcpStream::connect_timeout(&address, Duration::from_millis(50));
        assert_eq!(after.unwrap_err().kind(), ErrorKind::TimedOut, "{address}");
        // What was let in works both ways.
        let (mut accepted, _) = listener.accept().unwrap();
        assert!(is_empty(listener.as_fd()).unwrap());
        before.write_all(b"a").unwrap();
        accepted.read_exact(&mut [0]).unwrap();
        accepted.write_all(b"b").unwrap();
        before.read_exact(&mut [0]).unwrap();
    }
}

#[test]
fn a_filter_of_the_program_stays() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut all = [step(libc::BPF_RET | libc::BPF_K, 0, 0, u32::MAX)];
    attach(listener.as_fd(), &mut all).unwrap();
    assert_eq!(close(listener.as_fd()).unwrap_err().kind(), ErrorKind::AlreadyExists);
    TcpStream::connect_timeout(&listener.local_addr().unwrap(), Duration::from_secs(10)).unwrap();
}

#[test]
fn a_unix_door_refuses() {
    let scratch = crate::io::scratch::Scratch::new();
    let path = scratch.path().join("s");
    let listener = UnixListener::bind(&path).unwrap();
    let _before = UnixStream::connect(&path).unwrap();
    close(listener.as_fd()).unwrap();
    assert_eq!(UnixStream::connect(&path).unwrap_err().kind(), ErrorKind::ConnectionRefused);
    assert!(!is_empty(listener.as_fd()).unwrap());
    listener.accept().unwrap();
    assert!(is_empty(listener.as_fd()).unwrap());
    assert_eq!(listener.accept().unwrap_err().raw_os_error(), Some(libc::EINVAL));
}

/// Asks on one connection after another until nobody answers: how many were cut before the answer came.
fn client(address: SocketAddr, served: &AtomicU32) -> u32 {
    let mut cut = 0;
    while let Ok(mut stream) = TcpStream::connect_timeout(&address, Duration::from_secs(20)) {
        match stream.write_all(b"a").and_then(|()| stream.read_exact(&mut [0])) {
            Ok(()) => drop(served.fetch_add(1, Ordering::Relaxed)),
            Err(_) => cut += 1,
        }
    }
    cut
}

#[test]
fn nobody_who_has_connected_is_cut() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    // Room for all: whoever finds the queue full asks again only after a second.
    nix::sys::socket::listen(&listener, nix::sys::socket::Backlog::new(4096).unwrap()).unwrap();
    listener.set_nonblocking(true).unwrap();
    let served = AtomicU32::new(0);
    std::thread::scope(|scope| {
        let clients: Vec<_> = (0..200).map(|_| scope.spawn(|| client(address, &served))).collect();
        let end = Instant::now() + Duration::from_secs(60);
        let mut closing = false;
        loop {
            match listener.accept() {
                Ok((mut stream, _)) => {
                    stream.read_exact(&mut [0]).unwrap();
                    stream.write_all(b"b").unwrap();
                }
                Err(_) if closing && is_empty(listener.as_fd()).unwrap() => break,
                Err(_) => assert!(Instant::now() < end, "it does not become empty"),
            }
            if !closing && served.load(Ordering::Relaxed) > 1000 {
                closing = true;
                close(listener.as_fd()).unwrap();
            }
        }
        drop(listener);
        let cut: u32 = clients.into_iter().map(|client| client.join().unwrap()).sum();
        assert_eq!(cut, 0);
    })
}
