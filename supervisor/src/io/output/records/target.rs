//! Sends records to the journal or to syslog, in the thread of a `LineWriter`. It waits for who reads them; one that is not there costs
//! lines, which are counted, and is looked for again.

use super::connection::Connection;
use super::syslog::Address;
use super::{each, large};
use crate::io::output::line_writer::target::{Patience, Target};
use crate::io::output::log_file::condition;
use nix::errno::Errno;

#[derive(Debug)]
pub(in crate::io::output) struct RecordTarget {
    address: Address,
    /// What is too large goes as a descriptor, which the journal alone understands.
    by_descriptor: bool,
    connection: Option<Connection>,
    /// Nobody writes and nobody reads any more.
    given_up: bool,
}

impl RecordTarget {
    pub(in crate::io::output) fn new(address: Address, by_descriptor: bool) -> Self {
        Self { address, by_descriptor, connection: None, given_up: false }
    }

    /// An error if nobody is there now.
    pub(in crate::io::output) fn is_there(&self) -> std::io::Result<()> {
        Connection::open(&self.address).map(drop)
    }

    fn send(&mut self, record: &[u8], patience: &Patience<'_>) -> Result<(), Errno> {
        // A daemon that was started anew has another socket.
        let mut is_second = false;
        while !self.given_up {
            let connection = match &self.connection {
                Some(connection) => connection,
                None => {
                    let opened = Connection::open(&self.address);
                    let errno = |error: std::io::Error| Errno::from_raw(error.raw_os_error().unwrap_or(0));
                    self.connection.insert(opened.map_err(errno)?)
                }
            };
            let sent = match connection.send(record) {
                Err(Errno::EMSGSIZE | Errno::ENOBUFS) if self.by_descriptor => {
                    large::send(connection, record)
                }
                sent => sent,
            };
            match sent {
                Ok(()) => return Ok(()),
                Err(Errno::EAGAIN) => self.given_up = !patience.lasts_until_writable(connection),
                Err(Errno::ECONNREFUSED | Errno::ENOTCONN | Errno::ECONNRESET | Errno::EPIPE)
                    if !is_second =>
                {
                    is_second = true;
                    self.connection = None;
                }
                Err(errno) => {
                    self.connection = None;
                    return Err(errno);
                }
            }
        }
        Err(Errno::EAGAIN)
    }
}

impl Target for RecordTarget {
    fn takes_text(&self) -> bool {
        false
    }

    fn put(&mut self, records: &[u8], _: u64, patience: &Patience<'_>) -> u64 {
        let (mut lost, mut failure) = (0, None);
        for record in each(records) {
            if let Err(errno) = self.send(record, patience) {
                lost += 1;
                failure = Some(errno);
            }
        }
        condition::tell(failure.map(|errno| (errno.desc(), lost)));
        lost
    }
}

#[cfg(test)]
mod tests {
    use super::super::append;
    use super::*;
    use crate::io::scratch::Scratch;
    use nix::sys::socket::{ControlMessageOwned, UnixAddr, recvmsg};
    use std::io::{IoSliceMut, Read, Seek};
    use std::os::fd::{AsRawFd, FromRawFd};
    use std::os::unix::net::UnixDatagram;
    use std::sync::atomic::AtomicBool;

    fn batch(records: &[&[u8]]) -> Vec<u8> {
        let mut batch = Vec::new();
        for record in records {
            append(&mut batch, |into| into.extend_from_slice(record));
        }
        batch
    }

    #[test]
    fn a_record_is_a_datagram_and_a_large_one_a_descriptor() {
        let scratch = Scratch::new();
        let path = scratch.path().join("socket");
        let journal = UnixDatagram::bind(&path).unwrap();
        let mut target = RecordTarget::new(Address::Unix(path), true);
        let nobody_writes = AtomicBool::new(false);
        let large = vec![b'x'; 3 << 20];
        let records = batch(&[b"one", &large]);
        assert_eq!(target.put(&records, 2, &Patience::new(&nobody_writes)), 0);
        let mut buffer = [0; 16];
        assert_eq!(journal.recv(&mut buffer).unwrap(), 3);
        let mut space = nix::cmsg_space!([i32; 1]);
        let mut none = [IoSliceMut::new(&mut buffer)];
        let flags = nix::sys::socket::MsgFlags::empty();
        let got = recvmsg::<UnixAddr>(journal.as_raw_fd(), &mut none, Some(&mut space), flags).unwrap();
        let Some(ControlMessageOwned::ScmRights(fds)) = got.cmsgs().unwrap().next() else { panic!() };
        // SAFETY: the kernel has just made it for us.
        let mut memory = unsafe { std::fs::File::from_raw_fd(fds[0]) };
        let mut text = Vec::new();
        memory.rewind().unwrap();
        memory.read_to_end(&mut text).unwrap();
        assert!(text == large);
        assert!(memory.set_len(0).is_err(), "it can be changed");
    }

    #[test]
    fn who_is_not_there_costs_lines_and_is_found_again() {
        let scratch = Scratch::new();
        let path = scratch.path().join("socket");
        let mut target = RecordTarget::new(Address::Unix(path.clone()), false);
        let nobody_writes = AtomicBool::new(false);
        let mut put = || target.put(&batch(&[b"one", b"two"]), 2, &Patience::new(&nobody_writes));
        assert_eq!(put(), 2);
        let first = UnixDatagram::bind(&path).unwrap();
        assert_eq!(put(), 0);
        drop(first);
        std::fs::remove_file(&path).unwrap();
        let _second = UnixDatagram::bind(&path).unwrap();
        assert_eq!(put(), 0, "another in its place");
    }

    #[test]
    fn who_reads_nothing_is_waited_for_only_while_somebody_writes() {
        let scratch = Scratch::new();
        let path = scratch.path().join("socket");
        let _silent = UnixDatagram::bind(&path).unwrap();
        let mut target = RecordTarget::new(Address::Unix(path), false);
        let nobody_writes = AtomicBool::new(true);
        let records = batch(&vec![&[b'x'; 1000][..]; 3000]);
        let lost = target.put(&records, 3000, &Patience::new(&nobody_writes));
        assert!((1000..3000).contains(&lost), "{lost}");
    }
}
