//! Keeps a thread that waits in a call from getting the next request: what the client sends is dropped by a packet filter
//! before the socket, and the client's system sends it again, 200 ms later at the earliest. Nothing is lost by it.

use super::rcvlowat;
use super::snapshot::{Processes, SeenConnection};
use crate::io::kernel::packet_filter::{self, step};
use crate::io::sockets::syn_filter;
use std::collections::HashMap;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};

/// Drops what carries bytes; acknowledgements and the end go on. It sees a packet from its TCP header on.
const NO_BYTES: [libc::sock_filter; 8] = [
    // The length of the header, in words of four bytes, is in the upper half of a byte.
    step(libc::BPF_LD | libc::BPF_B | libc::BPF_ABS, 0, 0, LENGTH_AT),
    step(libc::BPF_ALU | libc::BPF_RSH | libc::BPF_K, 0, 0, 4),
    step(libc::BPF_ALU | libc::BPF_LSH | libc::BPF_K, 0, 0, 2),
    step(libc::BPF_MISC | libc::BPF_TAX, 0, 0, 0),
    step(libc::BPF_LD | libc::BPF_W | libc::BPF_LEN, 0, 0, 0),
    step(libc::BPF_JMP | libc::BPF_JGT | libc::BPF_X, 0, 1, 0),
    step(libc::BPF_RET | libc::BPF_K, 0, 0, 0),
    step(libc::BPF_RET | libc::BPF_K, 0, 0, u32::MAX),
];
const LENGTH_AT: u32 = 12;

/// Connections that are shut: inodes by cookie.
#[derive(Debug, Default)]
pub(super) struct DropFilter {
    inodes: HashMap<u64, u64>,
}

impl DropFilter {
    pub(super) fn has(&self, cookie: u64) -> bool {
        self.inodes.contains_key(&cookie)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.inodes.is_empty()
    }

    /// Shuts one, unless its program has a filter of its own there, or has closed it meanwhile.
    pub(super) fn shut(&mut self, seen: &SeenConnection, processes: &Processes) -> io::Result<()> {
        if let Some(copy) = rcvlowat::copy(seen.cookie, seen.inode, processes)?
            && !syn_filter::has_filter(copy.as_fd())?
        {
            packet_filter::attach(copy.as_fd(), &mut NO_BYTES.clone())?;
            self.inodes.insert(seen.cookie, seen.inode);
        }
        Ok(())
    }

    /// Opens those that are not to stay shut.
    pub(super) fn open(&mut self, processes: &Processes, is_to_stay: impl Fn(u64) -> bool) {
        self.inodes.retain(|cookie, inode| {
            if is_to_stay(*cookie) {
                return true;
            }
            match rcvlowat::copy(*cookie, *inode, processes) {
                Ok(Some(copy)) => packet_filter::detach(copy.as_fd()),
                Ok(None) => {}
                Err(error) => log::warn!("a connection stays shut: {error}"),
            }
            false
        });
    }

    /// Opens one that was taken.
    pub(super) fn open_taken(&mut self, cookie: u64, taken: BorrowedFd<'_>) {
        if self.inodes.remove(&cookie).is_some() {
            packet_filter::detach(taken);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;
    use std::io::{ErrorKind, Read, Write};
    use std::net::{TcpListener, TcpStream};
    use std::os::fd::AsRawFd;
    use std::os::unix::fs::MetadataExt;
    use std::time::Duration;

    #[test]
    fn what_is_sent_arrives_once_it_is_open_again() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (mut server, _) = listener.accept().unwrap();
        let fd = server.as_raw_fd();
        let inode = std::fs::metadata(format!("/proc/self/fd/{fd}")).unwrap().ino();
        let cookie = crate::io::kernel::sockopt::cookie(server.as_fd()).unwrap();
        let pid = std::process::id();
        let mut processes = Processes::new(HashSet::from([pid]));
        processes.insert(pid, fd, inode);
        let seen = SeenConnection {
            cookie,
            inode,
            received: 0,
            consumed: 0,
            written: 0,
            unread: 0,
            unsent: 0,
            sent_ago: Duration::ZERO,
            received_ago: Duration::ZERO,
            round_trip: Duration::ZERO,
        };
        let mut shut = DropFilter::default();
        shut.shut(&seen, &processes).unwrap();
        assert!(shut.has(cookie));
        client.write_all(b"request").unwrap();
        // The other direction goes on, acknowledged.
        server.write_all(b"answer").unwrap();
        client.read_exact(&mut [0; 6]).unwrap();
        server.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
        assert_eq!(server.read(&mut [0; 7]).unwrap_err().kind(), ErrorKind::WouldBlock);
        shut.open(&processes, |_| true);
        assert!(!shut.is_empty());
        shut.open(&processes, |_| false);
        assert!(shut.is_empty());
        server.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        let mut request = [0; 7];
        server.read_exact(&mut request).unwrap();
        assert_eq!(&request, b"request");
        // The end is no byte.
        shut.shut(&seen, &processes).unwrap();
        drop(client);
        assert_eq!(server.read(&mut request).unwrap(), 0);
        shut.open_taken(cookie, server.as_fd());
        assert!(shut.is_empty());
    }
}
