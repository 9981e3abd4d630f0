//! Talks to the programs of the matrix, each in its own protocol: one question, whose answer is the pid of who serves.

use super::http2;
use super::table::Speaks;
use crate::clients::http::{Conn, Target};
use crate::system::process::Pid;
use std::io::{self, ErrorKind};

/// One connection.
#[derive(Debug)]
pub(super) struct Client {
    conn: Conn,
    speaks: Speaks,
    /// Questions asked so far.
    asked: u32,
}

/// Who answered, and the logical id that it told, if it tells one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Answer {
    pub pid: Pid,
    pub id: Option<String>,
}

impl Client {
    pub(super) fn open(target: &Target, speaks: Speaks) -> io::Result<Self> {
        Ok(Self { conn: Conn::open(target)?, speaks, asked: 0 })
    }

    /// Asks and leaves the connection open.
    pub(super) fn ask(&mut self) -> io::Result<Answer> {
        self.question(false)
    }

    /// Asks for the last time and waits until the connection is closed.
    pub(super) fn ask_last(mut self) -> io::Result<Answer> {
        let answer = self.question(true)?;
        match self.speaks {
            Speaks::Http => {}
            Speaks::Memcached | Speaks::Redis => {
                self.conn.write(b"quit\r\n")?;
                if self.speaks == Speaks::Redis {
                    self.conn.line()?;
                }
            }
            // Whoever hears no more of the client closes.
            Speaks::Http2 => self.conn.end_writing()?,
        }
        while !self.conn.at_end() {
            // HTTP/2 says goodbye first.
            if self.speaks != Speaks::Http2 || http2::skip(&mut self.conn).is_err() {
                return Err(io::Error::new(ErrorKind::InvalidData, "the connection is not closed"));
            }
        }
        Ok(answer)
    }

    /// Whether the server closed the connection.
    pub(super) fn at_end(&mut self) -> bool {
        self.conn.at_end()
    }

    /// Asks for a page and reads nothing.
    pub(super) fn request(&mut self, page: &str) -> io::Result<()> {
        self.conn.request(page)
    }

    pub(super) fn is_readable(&self) -> bool {
        self.conn.is_readable()
    }

    /// The answer to `request`.
    pub(super) fn answer(&mut self) -> io::Result<Answer> {
        from_contract(&self.conn.response()?.text())
    }

    fn question(&mut self, last: bool) -> io::Result<Answer> {
        self.asked += 1;
        match self.speaks {
            Speaks::Http => {
                if last {
                    self.conn.last_request("/")?;
                } else {
                    self.conn.request("/")?;
                }
                self.answer()
            }
            Speaks::Http2 => from_contract(&http2::get(&mut self.conn, self.asked)?),
            Speaks::Memcached => {
                self.conn.write(b"stats\r\n")?;
                let mut pid = None;
                loop {
                    let line = self.conn.line()?;
                    if line == "END" {
                        break;
                    }
                    pid = pid.or(line.strip_prefix("STAT pid ").and_then(|text| text.parse().ok()));
                }
                without_id(pid)
            }
            Speaks::Redis => {
                self.conn.write(b"INFO server\r\n")?;
                let head = self.conn.line()?;
                let length = head.strip_prefix('$').and_then(|text| text.parse::<usize>().ok());
                let mut left = length.ok_or_else(|| bad(&head))? + 2;
                let mut pid = None;
                while left > 0 {
                    let line = self.conn.line()?;
                    left = left.saturating_sub(line.len() + 2);
                    pid = pid.or(line.strip_prefix("process_id:").and_then(|text| text.parse().ok()));
                }
                without_id(pid)
            }
        }
    }
}

fn without_id(pid: Option<Pid>) -> io::Result<Answer> {
    pid.map(|pid| Answer { pid, id: None }).ok_or_else(|| bad("no pid among them"))
}

/// `pid=1 id=2`; the id is empty where the program cannot know it.
fn from_contract(text: &str) -> io::Result<Answer> {
    let parts = text.strip_prefix("pid=").and_then(|rest| rest.trim_end_matches('\n').split_once(" id="));
    let (pid, id) = parts.ok_or_else(|| bad(text))?;
    let pid = pid.parse().map_err(|_| bad(text))?;
    Ok(Answer { pid, id: (!id.is_empty()).then(|| id.to_owned()) })
}

fn bad(text: &str) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, format!("no answer: {text:?}"))
}
