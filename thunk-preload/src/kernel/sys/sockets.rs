//! Sockets: their names, their options, and messages. None of these calls waits by itself: that is for the socket's flags.

use super::{Result, checked, nr};
use crate::kernel::abi::Message;

pub(crate) fn socket(family: i32, kind: i32) -> Result<i32> {
    // SAFETY: no memory is involved.
    unsafe { checked(nr::SOCKET, [family as usize, kind as usize, 0, 0, 0, 0]) }.map(|fd| fd as i32)
}

pub(crate) fn bind(fd: i32, address: &[u8]) -> Result<()> {
    // SAFETY: the address is readable for its length.
    unsafe { checked(nr::BIND, [fd as usize, address.as_ptr() as usize, address.len(), 0, 0, 0]) }.map(drop)
}

pub(crate) fn connect(fd: i32, address: &[u8]) -> Result<()> {
    // SAFETY: the address is readable for its length.
    unsafe { checked(nr::CONNECT, [fd as usize, address.as_ptr() as usize, address.len(), 0, 0, 0]) }
        .map(drop)
}

fn name(number: usize, fd: i32, buffer: &mut [u8]) -> Result<usize> {
    let mut len = buffer.len() as u32;
    let args = [fd as usize, buffer.as_mut_ptr() as usize, &raw mut len as usize, 0, 0, 0];
    // SAFETY: the kernel writes at most `len` bytes to the buffer, and the length.
    unsafe { checked(number, args) }?;
    Ok((len as usize).min(buffer.len()))
}

/// The socket's own address: how many bytes of `buffer` it fills.
pub(crate) fn getsockname(fd: i32, buffer: &mut [u8]) -> Result<usize> {
    name(nr::GETSOCKNAME, fd, buffer)
}

/// The peer's address: how many bytes of `buffer` it fills.
pub(crate) fn getpeername(fd: i32, buffer: &mut [u8]) -> Result<usize> {
    name(nr::GETPEERNAME, fd, buffer)
}

/// An option's value: how many bytes of `buffer` it fills.
pub(crate) fn getsockopt(fd: i32, level: i32, option: i32, buffer: &mut [u8]) -> Result<usize> {
    let mut len = buffer.len() as u32;
    let args = [
        fd as usize,
        level as usize,
        option as usize,
        buffer.as_mut_ptr() as usize,
        &raw mut len as usize,
        0,
    ];
    // SAFETY: the kernel writes at most `len` bytes to the buffer, and the length.
    unsafe { checked(nr::GETSOCKOPT, args) }?;
    Ok((len as usize).min(buffer.len()))
}

/// An option that is an `int`.
pub(crate) fn getsockopt_int(fd: i32, level: i32, option: i32) -> Result<i32> {
    let mut value = [0; 4];
    getsockopt(fd, level, option, &mut value)?;
    Ok(i32::from_ne_bytes(value))
}

pub(crate) fn setsockopt(fd: i32, level: i32, option: i32, value: &[u8]) -> Result<()> {
    let args = [fd as usize, level as usize, option as usize, value.as_ptr() as usize, value.len(), 0];
    // SAFETY: the value is readable for its length.
    unsafe { checked(nr::SETSOCKOPT, args) }.map(drop)
}

pub(crate) fn setsockopt_int(fd: i32, level: i32, option: i32, value: i32) -> Result<()> {
    setsockopt(fd, level, option, &value.to_ne_bytes())
}

pub(crate) fn send(fd: i32, bytes: &[u8], flags: i32) -> Result<usize> {
    let args = [fd as usize, bytes.as_ptr() as usize, bytes.len(), flags as usize, 0, 0];
    // SAFETY: the bytes are readable for their length; no address is given.
    unsafe { checked(nr::SENDTO, args) }
}

/// One message, without what may come beside it.
pub(crate) fn receive(fd: i32, buffer: &mut [u8]) -> Result<usize> {
    let args = [fd as usize, buffer.as_mut_ptr() as usize, buffer.len(), 0, 0, 0];
    // SAFETY: the buffer is ours for its length; no address is asked for.
    unsafe { checked(nr::RECVFROM, args) }
}

pub(crate) fn sendmsg(fd: i32, message: &Message, flags: i32) -> Result<usize> {
    // SAFETY: `Message` only points to memory that its maker keeps alive and initialised.
    unsafe { checked(nr::SENDMSG, [fd as usize, message as *const _ as usize, flags as usize, 0, 0, 0]) }
}

pub(crate) fn recvmsg(fd: i32, message: &mut Message, flags: i32) -> Result<usize> {
    // SAFETY: `Message` only points to writable memory of its maker, with the right lengths.
    unsafe { checked(nr::RECVMSG, [fd as usize, message as *mut _ as usize, flags as usize, 0, 0, 0]) }
}

pub(crate) fn shutdown(fd: i32, how: i32) -> Result<()> {
    // SAFETY: no memory is involved.
    unsafe { checked(nr::SHUTDOWN, [fd as usize, how as usize, 0, 0, 0, 0]) }.map(drop)
}
