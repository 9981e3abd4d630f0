//! Connections that a server has open beside the load, with nothing in flight on them: idle ones, each of which has had
//! an answer, and silent ones, on which not a byte was sent.

use super::client::{Answer, Connection, Requests, Work};
use crate::Result;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(10);

/// All are closed on drop.
#[derive(Debug)]
pub(super) struct Crowd {
    _streams: Vec<TcpStream>,
}

impl Crowd {
    /// So many that have been answered once and are kept.
    pub(super) fn idle(server: SocketAddr, count: usize) -> Result<Self> {
        let one = |_| {
            let mut stream = TcpStream::connect_timeout(&server, PATIENCE)?;
            stream.set_read_timeout(Some(PATIENCE))?;
            stream.write_all(Requests::new(Work::Plain, Connection::Kept).next())?;
            let (mut answer, mut bytes) = (Answer::default(), [0; 1024]);
            loop {
                match stream.read(&mut bytes)? {
                    0 => return Err("a connection was closed that was to be kept".into()),
                    n if answer.feed(&bytes[..n]).map_err(|_| "not an answer")? => return Ok(stream),
                    _ => {}
                }
            }
        };
        Ok(Self { _streams: (0..count).map(one).collect::<Result<_>>()? })
    }

    /// So many that say nothing.
    pub(super) fn silent(server: SocketAddr, count: usize) -> Result<Self> {
        let one = |_| Ok(TcpStream::connect_timeout(&server, PATIENCE)?);
        Ok(Self { _streams: (0..count).map(one).collect::<Result<_>>()? })
    }
}
