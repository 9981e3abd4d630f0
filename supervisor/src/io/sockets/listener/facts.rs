//! What a listening socket is, as the kernel tells: its address, and what makes the listeners of two workers the same.

use crate::io::kernel::sockopt::{cookie, get_option, int_option, own_address};
use crate::io::privileges::view::View;
use clustermon_protocol::address::{Address, INET6, UNIX};
use std::io;
use std::os::fd::BorrowedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// What makes two workers' listeners the same. The backlog does not.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Key {
    Inet {
        address: Address,
        v6_only: bool,
        device: Vec<u8>,
    },
    /// The path, with the links of its directory followed.
    Path(PathBuf),
    Abstract(Vec<u8>),
}

/// What a socket is, as the kernel tells.
#[derive(Clone, Debug)]
pub(crate) struct Facts {
    pub(crate) address: Address,
    pub(crate) key: Key,
    pub(crate) cookie: u64,
    pub(crate) inode: u64,
    pub(crate) listening: bool,
    /// It is a service manager's, and stays so.
    pub(crate) given: bool,
}

impl Facts {
    /// Asks the kernel about a socket of a worker; `address` is set where the bind was in name only, `place` where the worker knows of a
    /// path what this process would not. An error if it is none of TCP, MPTCP or a unix stream, or has no address yet.
    pub(crate) fn of(socket: BorrowedFd<'_>, address: Option<Address>, place: &[u8]) -> io::Result<Self> {
        let address = match address {
            Some(address) => address,
            None => own_address(socket)?,
        };
        let number = |name| int_option(socket, libc::SOL_SOCKET, name);
        let is_other = address.family() != UNIX
            && ![libc::IPPROTO_TCP, libc::IPPROTO_MPTCP].contains(&number(libc::SO_PROTOCOL)?);
        // Without a port it would listen on a random one.
        let unbound = address.is_unnamed() || address.port() == Some(0);
        if number(libc::SO_TYPE)? != libc::SOCK_STREAM || is_other || unbound {
            return Err(io::Error::from_raw_os_error(libc::EINVAL));
        }
        let key = if let Some(name) = address.abstract_name() {
            Key::Abstract(name.to_vec())
        } else if let Some(path) = address.path() {
            Key::Path(canonical(if place.is_empty() { path } else { place }))
        } else {
            let v6_only =
                address.family() == INET6 && int_option(socket, libc::IPPROTO_IPV6, libc::IPV6_V6ONLY)? != 0;
            let mut device = [0; libc::IFNAMSIZ];
            let len = get_option(socket, libc::SOL_SOCKET, libc::SO_BINDTODEVICE, &mut device)?;
            Key::Inet { address, v6_only, device: device[..len].to_vec() }
        };
        Ok(Self {
            address,
            key,
            cookie: cookie(socket)?,
            inode: nix::sys::stat::fstat(socket)?.st_ino,
            listening: number(libc::SO_ACCEPTCONN)? != 0,
            given: false,
        })
    }

    /// The same where paths are those that somebody else sees.
    pub(crate) fn seen_by(mut self, view: &View, place: &[u8]) -> io::Result<Self> {
        if let (Key::Path(_), Some(path)) = (&self.key, self.address.path()) {
            self.key = Key::Path(view.run(|| canonical(if place.is_empty() { path } else { place }))?);
        }
        Ok(self)
    }
}

/// A path whose directory may be reached by several names; the file itself need not exist.
fn canonical(path: &[u8]) -> PathBuf {
    let path = Path::new(std::ffi::OsStr::from_bytes(path));
    let directory = path.parent().and_then(|directory| directory.canonicalize().ok());
    match (directory, path.file_name()) {
        (Some(directory), Some(name)) => directory.join(name),
        _ => path.to_owned(),
    }
}
