//! What load there is to be, as plain values: how many at a time or how often, over which connections, for what work.
//! The engine makes it happen.

use std::net::SocketAddr;
use std::time::Duration;

/// When the next request begins.
#[derive(Clone, Copy, Debug)]
pub(in crate::bench) enum Pace {
    /// Each of so many clients as soon as it has its answer.
    Closed { clients: usize },
    /// So many a second at equal distances, whether or not earlier ones were answered. Latency counts from the
    /// moment at which a request was due.
    Open { rate: f64 },
    /// So many at once, and when all have their answers and after a pause as many again.
    Bursts { clients: usize, pause: Duration },
}

/// What a request travels on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::bench) enum Connection {
    /// One of its own, until the server closes it.
    Fresh,
    /// The client's, kept for the whole run. Only at a closed pace.
    Kept,
}

/// What the requests ask for.
#[derive(Clone, Copy, Debug)]
pub(in crate::bench) enum Work {
    /// `GET /`
    Plain,
    /// For one in ten at random 40 ms of the task, else 1 ms. The same seed draws the same sequence.
    HeavyTailed { seed: u64, task: Task },
}

/// What a server does for so many milliseconds before it answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::bench) enum Task {
    /// `GET /N`: it sleeps, as for a database or a disk.
    Sleep,
    /// `GET /burn/N`: it uses up so much processor time.
    Burn,
}

/// One run of the client.
#[derive(Clone, Copy, Debug)]
pub(in crate::bench) struct Load {
    pub server: SocketAddr,
    /// Its first process.
    pub pid: u32,
    pub pace: Pace,
    pub connection: Connection,
    pub work: Work,
    pub duration: Duration,
}

/// Writes the requests, one after the other.
#[derive(Debug)]
pub(in crate::bench) struct Requests {
    work: Work,
    connection: Connection,
    dice: u64,
}

impl Requests {
    pub(in crate::bench) fn new(work: Work, connection: Connection) -> Self {
        let seed = if let Work::HeavyTailed { seed, .. } = work { seed } else { 0 };
        // Spread over all bits, and never zero, from which no other number would come.
        let dice = (seed + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        Self { work, connection, dice }
    }

    pub(in crate::bench) fn next(&mut self) -> &'static [u8] {
        let heavy = self.roll().is_multiple_of(10);
        match (self.work, self.connection) {
            (Work::Plain, Connection::Fresh) => b"GET / HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n",
            (Work::Plain, Connection::Kept) => b"GET / HTTP/1.1\r\nHost: bench\r\n\r\n",
            (Work::HeavyTailed { task, .. }, _) => match (task, heavy) {
                (Task::Sleep, true) => b"GET /40 HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n",
                (Task::Sleep, false) => b"GET /1 HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n",
                (Task::Burn, true) => b"GET /burn/40 HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n",
                (Task::Burn, false) => b"GET /burn/1 HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n",
            },
        }
    }

    /// Xorshift, by Marsaglia; the low bits are the weak ones.
    fn roll(&mut self) -> u64 {
        self.dice ^= self.dice << 13;
        self.dice ^= self.dice >> 7;
        self.dice ^= self.dice << 17;
        self.dice >> 16
    }
}

/// How far an answer has come. It keeps the bytes of one answer at a time.
#[derive(Debug, Default)]
pub(super) struct Answer {
    bytes: Vec<u8>,
    /// Head and body, once the head is complete.
    size: Option<usize>,
}

/// An answer that cannot be one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Malformed;

impl Answer {
    pub(in crate::bench) fn clear(&mut self) {
        self.bytes.clear();
        self.size = None;
    }

    /// Takes what was read; says whether the answer is complete.
    pub(super) fn feed(&mut self, bytes: &[u8]) -> Result<bool, Malformed> {
        self.bytes.extend_from_slice(bytes);
        if self.size.is_none() {
            let Some(head) = self.bytes.windows(4).position(|window| window == b"\r\n\r\n") else {
                return Ok(false);
            };
            let body = body_length(&self.bytes[..head]).ok_or(Malformed)?;
            self.size = Some(head + 4 + body);
        }
        Ok(self.is_complete())
    }

    pub(super) fn is_complete(&self) -> bool {
        self.size.is_some_and(|size| self.bytes.len() >= size)
    }

    /// The process that answered, if it said `pid=N`.
    pub(in crate::bench) fn pid(&self) -> Option<u32> {
        let text = std::str::from_utf8(&self.bytes).ok()?;
        let (_, rest) = text.rsplit_once("pid=")?;
        rest.chars().take_while(char::is_ascii_digit).collect::<String>().parse().ok()
    }
}

/// Of a head that says 200 and how long its body is.
fn body_length(head: &[u8]) -> Option<usize> {
    let head = std::str::from_utf8(head).ok()?;
    let mut lines = head.split("\r\n");
    if lines.next()?.split(' ').nth(1)? != "200" {
        return None;
    }
    let mut fields = lines.filter_map(|line| line.split_once(':'));
    let (_, length) = fields.find(|(name, _)| name.eq_ignore_ascii_case("content-length"))?;
    length.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_comes_in_pieces() {
        let mut answer = Answer::default();
        let text = b"HTTP/1.1 200 OK\r\ncontent-length: 7\r\n\r\npid=42\n";
        for end in 1..text.len() {
            assert_eq!(answer.feed(&text[end - 1..end]), Ok(false));
        }
        assert_eq!(answer.feed(b"\n"), Ok(true));
        assert_eq!(answer.pid(), Some(42));
        answer.clear();
        assert!(!answer.is_complete());
    }

    #[test]
    fn errors_and_unmeasured_bodies_are_malformed() {
        for text in
            ["HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n", "HTTP/1.1 200 OK\r\n\r\n", "nonsense\r\n\r\n"]
        {
            assert_eq!(Answer::default().feed(text.as_bytes()), Err(Malformed), "{text}");
        }
    }

    #[test]
    fn a_tenth_is_heavy_by_the_seed() {
        let draw = |seed| {
            let work = Work::HeavyTailed { seed, task: Task::Sleep };
            let mut requests = Requests::new(work, Connection::Fresh);
            (0..10_000).map(|_| requests.next().starts_with(b"GET /40 ")).collect::<Vec<_>>()
        };
        for seed in 0..20 {
            let heavy = draw(seed).into_iter().filter(|heavy| *heavy).count();
            assert!((900..1100).contains(&heavy), "{heavy}");
        }
        assert_eq!(draw(1), draw(1));
        assert_ne!(draw(1), draw(2));
    }
}
