//! A client of a UDP server: one socket, by which it asks and hears, and what python/datagrams.py answers. It knows no cluster.

use crate::system::process::Pid;
use crate::system::wait::PATIENCE;
use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// One answer of python/datagrams.py.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    pub pid: Pid,
    pub id: String,
    /// Which datagram of this flow it was, for that process.
    pub number: u32,
}

/// A client's socket.
#[derive(Debug)]
pub struct Flow(UdpSocket);

impl Flow {
    pub fn to(server: SocketAddr) -> Self {
        let any = if server.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
        let socket = UdpSocket::bind(any).expect("a port is free");
        socket.connect(server).expect("it is there");
        Self(socket)
    }

    /// One from an address of its own: ports come again within seconds where clients are quick, and then it is no new flow.
    pub fn from_elsewhere(server: SocketAddr) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0x7f01_0000);
        let source = Ipv4Addr::from(NEXT.fetch_add(1, Ordering::Relaxed));
        let socket = UdpSocket::bind((source, 0)).expect("it is an address of the loopback device");
        socket.connect(server).expect("it is there");
        Self(socket)
    }

    pub fn send(&self, request: &str) {
        // What is told here is that an earlier one came to nobody.
        while self.0.send(request.as_bytes()).is_err_and(|error| error.kind() == ErrorKind::ConnectionRefused)
        {
        }
    }

    /// An answer that comes within this time, if one does.
    pub fn hear(&self, within: Duration) -> Option<Answer> {
        let until = Instant::now() + within;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            self.0.set_read_timeout(Some(left.max(Duration::from_millis(1)))).expect("it can be set");
            let mut text = [0; 64];
            match self.0.recv(&mut text) {
                Ok(len) => {
                    let text = std::str::from_utf8(&text[..len]).expect("text");
                    let mut words = text.split(' ');
                    let mut word = || words.next().expect("three words").to_owned();
                    let (pid, id, number) = (word(), word(), word());
                    let pid = pid.parse().expect("a number");
                    return Some(Answer { pid, id, number: number.parse().expect("a number") });
                }
                Err(_) if left.is_zero() => return None,
                Err(_) => {}
            }
        }
    }

    #[track_caller]
    pub fn ask(&mut self) -> Answer {
        self.send("who");
        self.hear(PATIENCE).expect("an answer")
    }

    /// As resolvers do: a second time if nothing has come for a while.
    pub fn ask_twice(&mut self) -> Option<Answer> {
        self.send("who");
        self.hear(Duration::from_millis(300)).or_else(|| {
            self.send("who");
            self.hear(PATIENCE)
        })
    }
}
