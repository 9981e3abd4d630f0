//! The real listening socket of a balancer: opened, moved to another socket, and closed. It never reads from a connection.

mod bound;
mod connection;
mod facts;
pub(in crate::io) mod twin;
mod unblock;

pub(crate) use self::connection::Connection;
pub(in crate::io) use self::connection::accept_from;
use self::connection::is_passing;
pub(crate) use self::facts::{Facts, Key};

use super::sock_diag;
use crate::ids::{BalancerId, LaneId};
use crate::io::kernel::foreign::Foreign;
use crate::io::kernel::sockopt::{self, bind_raw, is_nonblocking, set_nonblocking};
use crate::io::privileges::view::View;
use bound::Bound;
use clustermon_protocol::address::{Address, UNIX};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::Path;

/// One balancer's socket.
#[derive(Debug)]
pub(crate) struct Listener {
    pub(crate) id: BalancerId,
    pub(crate) address: Address,
    pub(crate) key: Key,
    pub(crate) inode: u64,
    /// Device and inode of the file of a unix socket.
    pub(crate) file: Option<(u64, u64)>,
    /// How the worker sees that file.
    pub(crate) view: View,
    /// The length of the queue that was asked for, in connections.
    pub(crate) backlog: u32,
    /// There may be something to accept.
    pub(crate) pending: bool,
    /// The poll does not report what comes.
    pub(crate) muted: bool,
    /// Workers accept from it as they like, and this process does not, unless there is no worker.
    pub(crate) by_kernel: bool,
    /// Their accept() may wait: the first one's socket had no O_NONBLOCK.
    blocks: bool,
    /// Why workers may not accept from it by themselves.
    pub(crate) handoff_because: Option<&'static str>,
    /// Why all workers have it, and not each one of its own: where they accept as they like.
    pub(crate) shared_because: String,
    /// The poll does not report what arrives, because all who may accept have open credits.
    pub(crate) hushed: bool,
    /// Lanes that have been given credits since they were last known to have none.
    pub(crate) granted: Vec<LaneId>,
    /// Nobody new is let in.
    pub(crate) closing: bool,
    /// How workers want their connections: what they last said.
    pub(crate) nonblock: bool,
    /// The socket is a service manager's: it listens on when this is gone, and who waits at it is served by the next.
    pub(crate) given: bool,
    socket: Bound,
    /// Sockets that were served before, with what still waits in their queues.
    older: Vec<Bound>,
}

impl Listener {
    /// Listens on the worker's own socket, so that every option that the program set survives. A unix socket must be
    /// listening already: SO_PEERCRED shows a client who called listen().
    pub(crate) fn open(
        id: BalancerId,
        socket: Foreign,
        facts: Facts,
        file: Option<(u64, u64)>,
        backlog: i32,
        by_kernel: bool,
    ) -> io::Result<Self> {
        let blocks = by_kernel && !is_nonblocking(socket.as_fd());
        if facts.given {
            // It listens already, with the queue that the service manager was told to give it.
        } else if facts.address.family() != UNIX {
            sockopt::listen(socket.as_fd(), backlog)?;
        } else if !facts.listening {
            return Err(io::Error::from_raw_os_error(libc::EINVAL));
        }
        if !by_kernel {
            set_nonblocking(socket.as_fd())?;
        }
        Ok(Self { muted: by_kernel, by_kernel, blocks, ..Self::with(id, socket, facts, file, backlog) })
    }

    fn with(id: BalancerId, socket: Foreign, facts: Facts, file: Option<(u64, u64)>, backlog: i32) -> Self {
        let Facts { address, key, inode, given, .. } = facts;
        let socket = socket.into_owned();
        Self {
            given,
            id,
            address,
            key,
            inode,
            file,
            view: View::default(),
            backlog: backlog.unsigned_abs(),
            pending: true,
            muted: false,
            by_kernel: false,
            blocks: false,
            handoff_because: None,
            shared_because: String::new(),
            hushed: false,
            granted: Vec::new(),
            closing: false,
            nonblock: false,
            socket: if given { Bound::given(socket) } else { socket.into() },
            older: Vec::new(),
        }
    }

    /// One of several that listen at the address, each a worker's own: what the program set of it stays as it is, and nothing is
    /// accepted from it here.
    pub(crate) fn of_group(id: BalancerId, socket: Foreign, facts: Facts, backlog: i32) -> io::Result<Self> {
        sockopt::listen(socket.as_fd(), backlog)?;
        let mut listener = Self::with(id, socket, facts, None, backlog);
        listener.pending = false;
        listener.handoff_because = Some("the kernel chooses");
        Ok(listener)
    }

    /// Workers may accept from it by themselves.
    pub(crate) fn by_credit(&self) -> bool {
        self.handoff_because.is_none() && !self.by_kernel
    }

    /// Workers have the socket.
    fn is_given_out(&self) -> bool {
        self.by_credit() || self.by_kernel
    }

    /// A worker must not wait in its accept(): from now on none does. True if that is new.
    pub(crate) fn must_not_block(&mut self, own: BorrowedFd<'_>) -> bool {
        let is_new = self.blocks && is_nonblocking(own) && set_nonblocking(self.socket.as_fd()).is_ok();
        self.blocks &= !is_new;
        is_new
    }

    /// Workers wait in accept() again, if that is how they have it: this process accepts no more.
    pub(crate) fn let_block(&self) {
        if self.blocks {
            sockopt::set_blocking(self.socket.as_fd());
        }
    }

    /// Moves to a newer socket of the same address; what waits at the old one is accepted first.
    pub(crate) fn replace(
        &mut self,
        socket: Foreign,
        inode: u64,
        file: Option<(u64, u64)>,
    ) -> io::Result<()> {
        set_nonblocking(socket.as_fd())?;
        self.inode = inode;
        self.file = file;
        (self.pending, self.muted, self.hushed) = (true, false, false);
        self.older.push(std::mem::replace(&mut self.socket, socket.into_owned().into()));
        Ok(())
    }

    /// Whether listening has put a lane in the socket's place: this process is a worker itself, of another supervisor.
    pub(crate) fn is_taken_over(&self) -> io::Result<bool> {
        Ok(nix::sys::stat::fstat(&self.socket)?.st_ino != self.inode)
    }

    /// Listens anew after the socket has failed: on another one, of which nobody has a copy who could shut it down again. Where
    /// that cannot be had the same TCP socket will do; a unix socket stays shut. True if it is another one.
    pub(crate) fn reopen(&mut self) -> io::Result<bool> {
        let backlog = i32::try_from(self.backlog).unwrap_or(i32::MAX);
        let twin = match self.key {
            // Workers would stay at the old one.
            Key::Inet { .. } if self.by_kernel || self.given => Err(io::ErrorKind::Unsupported.into()),
            Key::Inet { .. } => twin::of(self.socket.as_fd(), &self.address, backlog),
            Key::Path(_) | Key::Abstract(_) => self.another(backlog),
        };
        let is_another = twin.is_ok();
        if let Ok(twin) = twin {
            self.socket = twin.into();
            self.inode = nix::sys::stat::fstat(&self.socket)?.st_ino;
        } else if let (Key::Inet { .. }, Err(error)) = (&self.key, &twin) {
            log::debug!("{}: no other socket: {error}", self.address);
            // One that was bound to port 0 has lost its port (though it shows it yet) and would get any other. The others
            // are bound still, which is EINVAL.
            match bind_raw(self.socket.as_fd(), self.address.as_bytes()) {
                Err(error) if error.raw_os_error() != Some(libc::EINVAL) => return Err(error),
                Ok(()) | Err(_) => {}
            }
            sockopt::listen(self.socket.as_fd(), backlog)?;
        } else {
            twin?;
        }
        (self.pending, self.muted, self.hushed) = (true, self.by_kernel, false);
        Ok(is_another)
    }

    /// A fresh unix socket in the place of the failed one.
    fn another(&mut self, backlog: i32) -> io::Result<OwnedFd> {
        use nix::sys::socket::{AddressFamily, Backlog, SockFlag, SockType, listen, socket};
        let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
        let fresh = socket(AddressFamily::Unix, SockType::Stream, flags, None)?;
        if let Key::Path(path) = &self.key {
            let (before, fd) = (self.file, fresh.as_raw_fd());
            // By the rights of the worker, which may have put a link in the place of a folder.
            let renewed = self.view.run(|| {
                if before.is_some() && file_of(path) == before {
                    std::fs::remove_file(path)?;
                }
                let place = nix::sys::socket::UnixAddr::new(path)?;
                nix::sys::socket::bind(fd, &place)?;
                io::Result::Ok(file_of(path))
            });
            self.file = renewed??;
        } else {
            // An abstract name is free once its socket is closed.
            self.socket = socket(AddressFamily::Unix, SockType::Stream, flags, None)?.into();
            bind_raw(fresh.as_fd(), self.address.as_bytes())?;
        }
        listen(&fresh, Backlog::new(backlog).unwrap_or(Backlog::MAXCONN))?;
        Ok(fresh)
    }

    /// The next connection. WouldBlock if there is none.
    pub(crate) fn accept(&mut self) -> io::Result<Connection> {
        while let Some(older) = self.older.first() {
            match accept_from(older.as_fd(), self.nonblock, self.id) {
                Err(error) if !is_passing(&error) => drop(self.older.remove(0)),
                accepted => return accepted,
            }
        }
        accept_from(self.socket.as_fd(), self.nonblock, self.id)
    }

    /// Sets O_NONBLOCK again where somebody who has the socket too has cleared it. True if that was so.
    pub(crate) fn keep_nonblocking(&self) -> bool {
        !is_nonblocking(self.socket.as_fd()) && set_nonblocking(self.socket.as_fd()).is_ok()
    }

    /// Nobody is to connect here any more: workers that accept by themselves have the socket too, so that it would go on to let
    /// clients in after the supervisor has closed it.
    pub(crate) fn stop_listening(&self) {
        if self.is_given_out() && !self.given {
            // SAFETY: no memory is involved.
            unsafe { libc::shutdown(self.socket.as_raw_fd(), libc::SHUT_RDWR) };
        }
    }

    /// Removes the file of a unix socket, if it is still ours.
    pub(crate) fn remove_file(&self) {
        if self.given {
            return;
        }
        if let (Some(file), Key::Path(path)) = (self.file, &self.key)
            && let Err(error) = self.view.run(|| {
                if file_of(path) == Some(file) {
                    let _ = std::fs::remove_file(path);
                }
            })
        {
            log::debug!("{path:?} is left: {error}");
        }
    }
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// Device and inode as a thunk tells them: the device as major << 32 | minor.
pub(crate) fn file_of(path: &Path) -> Option<(u64, u64)> {
    let status = nix::sys::stat::lstat(path).ok()?;
    let device = u64::from(libc::major(status.st_dev)) << 32 | u64::from(libc::minor(status.st_dev));
    Some((device, status.st_ino))
}

/// The same, if the listening socket with this inode made it: another may have taken its place at the path. Where the kernel
/// does not tell, it is taken to be so.
pub(crate) fn file_of_socket(path: &Path, inode: u64) -> Option<(u64, u64)> {
    let made = sock_diag::unix::file_of_listener(inode).ok().flatten();
    file_of(path).filter(|(_, file)| made.is_none_or(|made| made == *file as u32))
}
