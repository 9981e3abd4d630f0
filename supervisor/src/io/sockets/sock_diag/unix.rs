//! What the kernel tells of connected unix stream sockets: whose name they have, what waits in them. It only reads.

use super::tcp::{ESTABLISHED, LISTEN};
use super::{UNIX_DIAG_MSG, attributes, cookie, dump, number};
use clustermon_protocol::address::{Address, UNIX};
use std::io;

const UDIAG_SHOW_NAME: u32 = 1;
const UDIAG_SHOW_VFS: u32 = 2;
const UDIAG_SHOW_RQLEN: u32 = 0x10;
const NAME_AND_QUEUES: u32 = UDIAG_SHOW_NAME | UDIAG_SHOW_RQLEN;
const UNIX_DIAG_NAME: u16 = 0;
const UNIX_DIAG_VFS: u16 = 1;
const UNIX_DIAG_RQLEN: u16 = 4;
const UNIX_DIAG_SHUTDOWN: u16 = 6;
const COOKIE_AT: usize = 8;
const SHUTDOWN_MASK: u8 = 3;

/// One socket at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Socket {
    pub(crate) inode: u64,
    pub(crate) cookie: u64,
    /// A path without its terminating NUL, or an abstract name with its leading one; an accepted socket has its listener's.
    pub(crate) name: Vec<u8>,
    /// Bytes received and not read; of a listener: connections that wait.
    pub(crate) unread: u32,
    /// Buffer space of what was sent and not read by the other side.
    pub(crate) unsent: u32,
    /// The other side has closed.
    pub(crate) alone: bool,
}

/// Calls `visit` with every connected stream socket that has a name.
pub(crate) fn each(mut visit: impl FnMut(Socket)) -> io::Result<()> {
    dump(&request(ESTABLISHED, NAME_AND_QUEUES), |message| {
        if let Some(socket) = parse(message) {
            visit(socket);
        }
    })
}

/// Calls `visit` with the kernel's number of every connected stream socket of this machine.
pub(crate) fn each_open_connection(mut visit: impl FnMut(u64)) -> io::Result<()> {
    dump(&request(ESTABLISHED, 0), |message| {
        if let Some(fixed) = message.get(..UNIX_DIAG_MSG) {
            visit(cookie(fixed, COOKIE_AT));
        }
    })
}

/// Calls `visit` with address and inode of every stream socket that listens and has a name.
pub(crate) fn each_listener(mut visit: impl FnMut(Address, u64)) -> io::Result<()> {
    dump(&request(LISTEN, NAME_AND_QUEUES), |message| {
        let Some(socket) = parse(message) else { return };
        let mut raw = UNIX.to_ne_bytes().to_vec();
        raw.extend(&socket.name);
        if let Some(address) = Address::from_raw(&raw) {
            visit(address, socket.inode);
        }
    })
}

/// How many connections wait at the listening socket with this inode; `None` if none listens.
pub(crate) fn waiting_at(inode: u64) -> io::Result<Option<u32>> {
    let mut waiting = None;
    dump(&request(LISTEN, NAME_AND_QUEUES), |message| {
        if let Some(socket) = parse(message).filter(|socket| socket.inode == inode) {
            waiting = Some(socket.unread);
        }
    })?;
    Ok(waiting)
}

/// The lower half of the inode of the file that the listening socket with this inode made when it was bound, be it removed
/// since or not; `None` if no such socket listens, or by no file.
pub(crate) fn file_of_listener(inode: u64) -> io::Result<Option<u32>> {
    let mut file = None;
    dump(&request(LISTEN, UDIAG_SHOW_VFS), |message| {
        let Some(fixed) = message.get(..UNIX_DIAG_MSG).filter(|fixed| u64::from(number(fixed, 4)) == inode)
        else {
            return;
        };
        let mut found = attributes(&message[fixed.len()..]);
        let vfs = found.find(|(kind, value)| *kind == UNIX_DIAG_VFS && value.len() >= 4);
        file = vfs.map(|(_, value)| number(value, 0));
    })?;
    Ok(file)
}

/// `struct unix_diag_req`: family, protocol, two bytes unused; states, inode, what to show, cookie.
fn request(state: u8, show: u32) -> Vec<u8> {
    let mut request = vec![libc::AF_UNIX as u8, 0, 0, 0];
    request.extend((1u32 << state).to_ne_bytes());
    request.extend([0; 4]);
    request.extend(show.to_ne_bytes());
    request.extend([0; 8]);
    request
}

fn parse(message: &[u8]) -> Option<Socket> {
    let fixed = message.get(..UNIX_DIAG_MSG)?;
    if i32::from(fixed[1]) != libc::SOCK_STREAM {
        return None;
    }
    let mut socket = Socket {
        inode: u64::from(number(fixed, 4)),
        cookie: cookie(fixed, COOKIE_AT),
        name: Vec::new(),
        unread: 0,
        unsent: 0,
        alone: false,
    };
    for (kind, value) in attributes(&message[UNIX_DIAG_MSG..]) {
        match kind {
            UNIX_DIAG_NAME => socket.name = name(value).to_vec(),
            UNIX_DIAG_RQLEN if value.len() >= 8 => {
                (socket.unread, socket.unsent) = (number(value, 0), number(value, 4));
            }
            UNIX_DIAG_SHUTDOWN => socket.alone = value.first() == Some(&SHUTDOWN_MASK),
            _ => {}
        }
    }
    (!socket.name.is_empty()).then_some(socket)
}

/// The kernel counts the terminating NUL of a path in.
fn name(value: &[u8]) -> &[u8] {
    match value {
        [first, .., 0] if *first != 0 => &value[..value.len() - 1],
        _ => value,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::scratch::Scratch;
    use std::io::{Read, Write};
    use std::os::fd::AsFd;
    use std::os::unix::ffi::OsStrExt;
    use std::os::unix::net::{UnixListener, UnixStream};

    #[test]
    fn a_listener_knows_its_file_though_another_lies_there() {
        let scratch = Scratch::new();
        let path = scratch.path().join("s");
        let inode = |server: &UnixListener| nix::sys::stat::fstat(server.as_fd()).unwrap().st_ino;
        let lies_there = || nix::sys::stat::lstat(&path).unwrap().st_ino as u32;
        let first = UnixListener::bind(&path).unwrap();
        let its = lies_there();
        assert_eq!(file_of_listener(inode(&first)).unwrap(), Some(its));
        std::fs::remove_file(&path).unwrap();
        // Its number may be given again only once nobody has the file open, and the socket has.
        let second = UnixListener::bind(&path).unwrap();
        assert_ne!(lies_there(), its);
        assert_eq!(file_of_listener(inode(&first)).unwrap(), Some(its));
        assert_eq!(file_of_listener(inode(&second)).unwrap(), Some(lies_there()));
        assert_eq!(file_of_listener(u64::MAX).unwrap(), None);
    }

    #[test]
    fn an_accepted_socket_has_the_name_of_its_listener() {
        let scratch = Scratch::new();
        let path = scratch.path().join("s");
        let server = UnixListener::bind(&path).unwrap();
        let mut client = UnixStream::connect(&path).unwrap();
        let (mut accepted, _) = server.accept().unwrap();
        let inode = nix::sys::stat::fstat(accepted.as_fd()).unwrap().st_ino;
        let look = || {
            let mut found = Vec::new();
            each(|socket| found.extend((socket.name == path.as_os_str().as_bytes()).then_some(socket)))
                .unwrap();
            assert_eq!(found.len(), 1);
            found.remove(0)
        };
        assert_eq!((look().inode, look().unread, look().unsent, look().alone), (inode, 0, 0, false));
        client.write_all(b"hello").unwrap();
        assert_eq!(look().unread, 5);
        accepted.read_exact(&mut [0; 5]).unwrap();
        assert_eq!(look().unread, 0);
        accepted.write_all(b"answer").unwrap();
        assert!(look().unsent > 0);
        drop(client);
        assert!(look().alone);
    }
}
