//! A record that is too large for a datagram: the journal takes it as a descriptor of memory that nobody can change any more.

use nix::fcntl::{FcntlArg, SealFlag, fcntl};
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::socket::{ControlMessage, MsgFlags, UnixAddr, sendmsg};
use std::io::{self, Write};
use std::os::fd::{AsFd, AsRawFd};

/// Sends it on a connected socket, without waiting.
pub(super) fn send(socket: impl AsFd, record: &[u8]) -> nix::Result<()> {
    let memory = memfd_create(c"clustermon-log", MFdFlags::MFD_CLOEXEC | MFdFlags::MFD_ALLOW_SEALING)?;
    let mut file = std::fs::File::from(memory);
    let written = file.write_all(record);
    written.map_err(|error: io::Error| nix::errno::Errno::from_raw(error.raw_os_error().unwrap_or(0)))?;
    // The journal takes no memory that could change while it is read.
    let seals =
        SealFlag::F_SEAL_SHRINK | SealFlag::F_SEAL_GROW | SealFlag::F_SEAL_WRITE | SealFlag::F_SEAL_SEAL;
    fcntl(&file, FcntlArg::F_ADD_SEALS(seals))?;
    let fds = [file.as_raw_fd()];
    let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL;
    sendmsg::<UnixAddr>(socket.as_fd().as_raw_fd(), &[], &[ControlMessage::ScmRights(&fds)], flags, None)?;
    Ok(())
}
