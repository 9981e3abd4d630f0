//! One thread, one mio loop: edge-triggered epoll, accept until it would block. TCP only.

use clustermon_test_apps::{Action, Address, answer, take_request};
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};
use std::collections::HashMap;
use std::io::{self, ErrorKind, Read, Write};

const LISTENER: Token = Token(0);

struct Conn {
    stream: TcpStream,
    input: Vec<u8>,
    output: Vec<u8>,
    closing: bool,
}

fn main() -> io::Result<()> {
    let Address::Tcp(address) = Address::from_env() else {
        return Err(io::Error::other("this program listens on TCP only"));
    };
    let mut poll = Poll::new()?;
    let mut listener = TcpListener::bind(address.parse().map_err(io::Error::other)?)?;
    let name = listener.local_addr()?.to_string();
    poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;

    let mut events = Events::with_capacity(128);
    let mut conns = HashMap::new();
    let mut next = 1;
    loop {
        match poll.poll(&mut events, None) {
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            other => other?,
        }
        for event in &events {
            if event.token() == LISTENER {
                while let Some(mut stream) = accept(&listener)? {
                    let token = Token(next);
                    next += 1;
                    poll.registry().register(&mut stream, token, Interest::READABLE | Interest::WRITABLE)?;
                    conns.insert(
                        token,
                        Conn { stream, input: Vec::new(), output: Vec::new(), closing: false },
                    );
                }
            } else if let Some(conn) = conns.get_mut(&event.token())
                && !conn.serve(&name).unwrap_or(false)
            {
                conns.remove(&event.token());
            }
        }
    }
}

fn accept(listener: &TcpListener) -> io::Result<Option<TcpStream>> {
    loop {
        match listener.accept() {
            Ok((stream, _)) => return Ok(Some(stream)),
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(None),
            Err(error) if matches!(error.kind(), ErrorKind::Interrupted | ErrorKind::ConnectionAborted) => {}
            Err(error) => return Err(error),
        }
    }
}

impl Conn {
    /// Reads, answers and writes all that is possible now; false when the connection is over.
    #[expect(
        clippy::disallowed_methods,
        reason = "the contract asks for a slow page, and this loop has no timers"
    )]
    fn serve(&mut self, name: &str) -> io::Result<bool> {
        let mut chunk = [0; 65536];
        loop {
            match self.stream.read(&mut chunk) {
                Ok(0) => return Ok(false),
                Ok(length) => self.input.extend_from_slice(&chunk[..length]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        while let Some(request) = take_request(&mut self.input) {
            self.closing |= request.close;
            match answer(request, name) {
                Action::Send(bytes) => self.output.extend(bytes),
                Action::SendAfter(delay, bytes) => {
                    std::thread::sleep(delay);
                    self.output.extend(bytes);
                }
                Action::Exit(code) => std::process::exit(code),
            }
        }
        while !self.output.is_empty() {
            match self.stream.write(&self.output) {
                Ok(length) => drop(self.output.drain(..length)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(true),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(!self.closing)
    }
}
