//! What kind of socket a descriptor is, as the kernel tells it. It asks nobody else.

use crate::kernel::{abi::*, sys};
use clustermon_protocol::address::{INET, INET6, UNIX};
use core::ffi::c_int;

/// TCP, or MPTCP, by which the same clients come.
pub(crate) fn is_tcp(fd: c_int) -> bool {
    matches!(sys::getsockopt_int(fd, SOL_SOCKET, SO_PROTOCOL), Ok(IPPROTO_TCP | IPPROTO_MPTCP))
}

/// A TCP or unix stream socket of that family.
pub(crate) fn is_stream(fd: c_int, family: u16) -> bool {
    let stream = sys::getsockopt_int(fd, SOL_SOCKET, SO_TYPE) == Ok(SOCK_STREAM)
        && sys::getsockopt_int(fd, SOL_SOCKET, SO_DOMAIN) == Ok(i32::from(family));
    stream && (family == UNIX || ([INET, INET6].contains(&family) && is_tcp(fd)))
}

/// A TCP socket that is, or was, an end of a connection: the kernel refuses to listen there. Of unix sockets it is asked
/// before anybody else.
pub(crate) fn is_connected(fd: c_int, family: u16) -> bool {
    let mut state = [TCP_STATE_CLOSE];
    family != UNIX
        && sys::getsockopt(fd, IPPROTO_TCP, TCP_INFO, &mut state).is_ok()
        && !matches!(state, [TCP_STATE_CLOSE | TCP_STATE_LISTEN])
}
