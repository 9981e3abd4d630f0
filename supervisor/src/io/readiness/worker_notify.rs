//! Where one process of a worker tells how it fares: a socket of its own, in the protocol of `sd_notify`. Anybody can reach
//! it, so the kernel attests who sends. It takes words in, bounded, and acts on none.

use crate::io::kernel::foreign::Foreign;
use crate::io::kernel::message::{self, Incoming};
use crate::io::output::plain::Plain;
use nix::sys::socket::{setsockopt, sockopt::PassCred};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

/// The longest message that is read; what is longer is cut, as its last line then is.
const LONGEST: usize = 4096;
/// How many messages are read before others have their turn.
const BUDGET: usize = 32;
/// The most of a status text that is kept, in bytes.
const STATUS: usize = 256;

/// One thing that a worker has told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Word {
    Ready,
    Stopping,
    /// It lives.
    Watchdog,
    /// It is not well, and wants to be treated as one that does not live.
    WatchdogTrigger,
    /// It takes longer: so long from now.
    Extend(Duration),
    /// What it is doing, in one line for people; empty is nothing to say.
    Status(String),
}

/// The socket of one incarnation.
#[derive(Debug)]
pub(crate) struct WorkerNotify {
    socket: Foreign,
    name: String,
}

/// What one process sent at once.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Message {
    /// The process as the kernel attests it, in the supervisor's PID namespace; 0 if it has no number there.
    pub(crate) pid: u32,
    /// Its user, in the same way.
    pub(crate) uid: u32,
    pub(crate) words: Vec<Word>,
}

/// What was read.
#[derive(Debug, Default)]
pub(crate) struct Heard {
    pub(crate) messages: Vec<Message>,
    /// There may be more.
    pub(crate) more: bool,
}

impl WorkerNotify {
    /// Opens the socket of the `number`th incarnation of this supervisor, which `nonce` tells from others.
    pub(crate) fn open(nonce: u64, number: u64) -> io::Result<Self> {
        let name = format!("clustermon/{}/{nonce:016x}/notify/{number}", std::process::id());
        let socket = UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(&name)?)?;
        // What was sent before these says nothing of its sender and is not listened to.
        setsockopt(&socket, PassCred, &true)?;
        // There is no store of descriptors here. Older kernels let them in; they are closed as anything foreign.
        message::refuse_descriptors(socket.as_fd());
        Ok(Self { socket: Foreign::from(OwnedFd::from(socket)), name: format!("@{name}") })
    }

    /// What the worker finds in `NOTIFY_SOCKET`.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// What has arrived since, as far as it is one's turn.
    pub(crate) fn read(&self) -> Heard {
        let mut heard = Heard::default();
        let mut bytes = [0; LONGEST];
        for _ in 0..BUDGET {
            match message::receive(self.socket.as_fd(), &mut bytes) {
                Ok(Incoming { len, sender: Some((pid, uid)), .. }) => {
                    heard.messages.push(Message { pid, uid, words: words(&bytes[..len]).collect() });
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return heard,
                // Nothing of a socket without a connection lasts.
                Ok(Incoming { sender: None, .. }) | Err(_) => {}
            }
        }
        heard.more = true;
        heard
    }
}

impl AsFd for WorkerNotify {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// The lines of a message that mean something here, in their order.
fn words(message: &[u8]) -> impl Iterator<Item = Word> + '_ {
    message.split(|byte| *byte == b'\n').filter_map(|line| word(std::str::from_utf8(line).ok()?))
}

fn word(line: &str) -> Option<Word> {
    Some(match line.split_once('=')? {
        ("READY", "1") => Word::Ready,
        ("STOPPING", "1") => Word::Stopping,
        ("WATCHDOG", "1") => Word::Watchdog,
        ("WATCHDOG", "trigger") => Word::WatchdogTrigger,
        ("EXTEND_TIMEOUT_USEC", usec) => Word::Extend(Duration::from_micros(usec.parse().ok()?)),
        ("STATUS", text) => Word::Status(shown(text)),
        _ => return None,
    })
}

/// The text as it can be shown, and no longer than is kept.
fn shown(text: &str) -> String {
    let mut shown = String::new();
    for letter in Plain(text.trim()).to_string().chars() {
        if shown.len() + letter.len_utf8() > STATUS {
            break;
        }
        shown.push(letter);
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(message: &[u8]) -> Vec<Word> {
        words(message).collect()
    }

    #[test]
    fn what_is_meant_is_understood_and_the_rest_left() {
        let message = b"READY=1\nSTATUS= two\x1b[1m words \nMAINPID=7\nEXTEND_TIMEOUT_USEC=1500\nWATCHDOG=1\nSTOPPING=1";
        let status = Word::Status("two\\u{1b}[1m words".to_owned());
        let extend = Word::Extend(Duration::from_micros(1_500));
        assert_eq!(told(message), [Word::Ready, status, extend, Word::Watchdog, Word::Stopping]);
        assert_eq!(told(b"STATUS="), [Word::Status(String::new())]);
        for nothing in
            [&b""[..], b"READY", b"READY=0", b"READY=1 ", b"\xff=1", b"EXTEND_TIMEOUT_USEC=-1", b"\n\n=\n"]
        {
            assert_eq!(told(nothing), [], "{nothing:?}");
        }
        // One line that is no text does not take the others with it.
        assert_eq!(told(b"STATUS=\xff\nREADY=1"), [Word::Ready]);
    }

    #[test]
    fn a_status_is_cut_between_letters() {
        let message = format!("STATUS={}", "ä".repeat(400));
        let [Word::Status(text)] = &told(message.as_bytes())[..] else { panic!("one status") };
        assert_eq!((text.len(), text.chars().count()), (STATUS, STATUS / 2));
    }

    #[test]
    fn what_is_sent_arrives_in_turns() {
        let notified = WorkerNotify::open(u64::from(std::process::id()), 1).unwrap();
        let name = notified.name().strip_prefix('@').unwrap();
        let address = SocketAddr::from_abstract_name(name).unwrap();
        let sender = UnixDatagram::unbound().unwrap();
        sender.set_nonblocking(true).unwrap();
        let (mut sent, mut heard) = (0, 0);
        while sender.send_to_addr(b"WATCHDOG=1", &address).is_ok() {
            sent += 1;
            assert!(sent < 100_000, "the queue has an end");
        }
        assert!(sent > 0);
        loop {
            let next = notified.read();
            assert!(next.messages.len() <= BUDGET);
            let (pid, uid) = (std::process::id(), nix::unistd::getuid().as_raw());
            let expected = Message { pid, uid, words: vec![Word::Watchdog] };
            assert!(next.messages.iter().all(|message| *message == expected), "{next:?}");
            heard += next.messages.len();
            if !next.more {
                break;
            }
        }
        assert_eq!(heard, sent);
    }
}
