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
pub(in crate::bench) struct Crowd {
    _streams: Vec<TcpStream>,
}

impl Crowd {
    /// So many that have been answered once and are kept.
    pub(in crate::bench) fn idle(server: SocketAddr, count: usize) -> Result<Self> {
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
    pub(in crate::bench) fn silent(server: SocketAddr, count: usize) -> Result<Self> {
        let one = |_| Ok(TcpStream::connect_timeout(&server, PATIENCE)?);
        Ok(Self { _streams: (0..count).map(one).collect::<Result<_>>()? })
    }
}

/// As many descriptors as may be, also for what is started from now on.
pub(in crate::bench) fn raise_descriptors() -> u64 {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: both calls read or write one rlimit, which lives through them.
    unsafe {
        if libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) != 0 {
            return 0;
        }
        let raised = libc::rlimit { rlim_cur: limit.rlim_max, ..limit };
        if libc::setrlimit(libc::RLIMIT_NOFILE, &raw const raised) == 0 {
            raised.rlim_cur
        } else {
            limit.rlim_cur
        }
    }
}
