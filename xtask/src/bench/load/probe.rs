//! Single requests, one after the other, to learn whether a server is up and who answers. It measures nothing.

use super::client::{Answer, Connection, Requests, Work};
use crate::Result;
use std::collections::HashSet;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

/// One request on a connection of its own: the pid that answered, or why none did.
pub(in crate::bench) fn ask(server: SocketAddr, patience: Duration) -> Result<u32> {
    ask_for(server, Requests::new(Work::Plain, Connection::Fresh).next(), patience)
}

/// Keeps one worker busy for so long: `GET /burn/N`. Returns once it has answered.
pub(in crate::bench) fn burn(server: SocketAddr, time: Duration) -> Result<u32> {
    let request =
        format!("GET /burn/{} HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n", time.as_millis());
    ask_for(server, request.as_bytes(), time + Duration::from_secs(20))
}

fn ask_for(server: SocketAddr, request: &[u8], patience: Duration) -> Result<u32> {
    let mut stream = TcpStream::connect_timeout(&server, patience)?;
    stream.set_read_timeout(Some(patience))?;
    stream.write_all(request)?;
    let mut bytes = [0; 1024];
    let mut answer = Answer::default();
    loop {
        let read = match stream.read(&mut bytes) {
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            read => read?,
        };
        match read {
            0 => return Err("the connection was closed before an answer".into()),
            n if answer.feed(&bytes[..n]).map_err(|_| "not an answer")? => break,
            _ => {}
        }
    }
    answer.pid().ok_or_else(|| "the answer names no pid".into())
}

/// Asks until `workers` different processes have answered.
pub(in crate::bench) fn ready(server: SocketAddr, workers: usize, within: Duration) -> Result<HashSet<u32>> {
    let mut seen = HashSet::new();
    let mut last = String::from("none");
    let all = until(within, || {
        // While some answer, the next one is asked at once.
        while seen.len() < workers {
            match ask(server, Duration::from_secs(2)) {
                Ok(pid) if !seen.insert(pid) => return false,
                Ok(_) => {}
                Err(error) => {
                    last = error.to_string();
                    return false;
                }
            }
        }
        true
    });
    if all {
        return Ok(seen);
    }
    Err(format!("{} of {workers} workers answer after {within:?} (last failure: {last})", seen.len()).into())
}

/// Looks every tenth of a millisecond, and the kernel's slack, whether something has come true; false if it has not in time.
pub(in crate::bench) fn until(within: Duration, mut is_true: impl FnMut() -> bool) -> bool {
    let deadline = Instant::now() + within;
    loop {
        if is_true() {
            return true;
        }
        if Instant::now() >= deadline {
            return false;
        }
        std::thread::sleep(Duration::from_micros(100));
    }
}
