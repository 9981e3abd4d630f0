//! What a thunk asks, as plain data and as a frame.

use super::{Hello, MAGIC, MAX_VALUE, Place, read_place, write_place};
use crate::address::Address;
use crate::codec::{Reader, Writer};

/// What a thunk asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Request<'a> {
    /// `listen(fd, backlog)` was called; carries the socket. Answered by `Lane` (with the worker's end),
    /// `Member` (perhaps with a socket) or `Errno`.
    Listen { fd: i32, backlog: i32, place: Place<'a> },
    /// `bind()` to port 0 of a shared address; carries the socket, which the supervisor binds. Answered by `Errno`, or by
    /// `NotOwned` where the port is to be this process's own.
    BindAny { address: Address },
    /// The kernel said EADDRINUSE: does the cluster own this address? Answered by `Owned` or `NotOwned`.
    Owns { cookie: u64, address: Address, place: Place<'a> },
    /// The address of a socket that was answered `Owned`. Answered by `Name` or `NotOwned`.
    OwnedName { cookie: u64 },
    /// The program set SO_REUSEPORT itself: it means to listen more than once. Answered by `Errno`.
    ReusePort { cookie: u64 },
    /// `setsockopt()` on a lane. Answered by `Errno`.
    SetOption { lane: u64, level: i32, name: i32, value: &'a [u8] },
    /// `getsockopt()` on a lane, with the size of the caller's buffer. Answered by `Value` or `Errno`.
    GetOption { lane: u64, level: i32, name: i32, size: u32 },
    /// May this socket file be removed? `Owned`: the cluster serves it, so it stays.
    Unlink { device: u64, inode: u64 },
    /// The release page, see [`crate::release`]. Answered by `Page`.
    Page,
    /// A pulse page for this process, see [`crate::pulse`]. Answered by `Page`.
    Attach,
    /// This process came by another's lane, as its child or otherwise, and accepts from it as `fd`: may it have one of its
    /// own? Answered by `Lane` (with the worker's end) or `Errno`: then it goes on with the one that it has, and asks again
    /// later if that is EAGAIN. `unsure`: it may not see whether an epoll set that holds the lane is its parent's too.
    Adopt { lane: u64, fd: i32, unsure: bool },
    /// A process of a worker that may still be starting is about to connect there. Answered by `Errno` where it is to fail, by
    /// `NotOwned` where it goes on, and by `Owned` where it goes on and need not ask again.
    Connects { address: Address, place: Place<'a> },
    /// The listening socket behind a lane of this process's worker, to accept from it on credit. Answered by `Listener`, or by
    /// `NotOwned` where connections of this lane are handed over.
    Listener { lane: u64 },
    /// `bind()` of a UDP socket to a port of an address that is shared; carries the socket, which the supervisor binds. `meant`: the program
    /// itself has set SO_REUSEPORT. Answered by `Member` (perhaps with a socket that is bound already and takes its place), by `Errno`, or by
    /// `NotOwned` where the process is to bind it.
    BindDatagrams { fd: i32, address: Address, meant: bool },
    /// A UDP socket that was answered `Member` has been connected. Answered by `Errno`.
    LeaveDatagrams { cookie: u64 },
    /// `bind()` to a port of a shared address that the kernel refuses this process (EACCES); carries the socket, which the supervisor binds
    /// where the user's rules name the port. Answered by `Errno`, by `Owned` where the cluster has the address already and the bind is in
    /// name only, or by `NotOwned` where the refusal stands.
    BindNamed { address: Address },
    /// The page of that lane, see [`crate::credit`]. Answered by `Page` or `NotOwned`.
    LanePage { lane: u64 },
}

const LISTEN: u16 = 1;
const BIND_ANY: u16 = 2;
const OWNS: u16 = 3;
const OWNED_NAME: u16 = 4;
const REUSE_PORT: u16 = 5;
const SET_OPTION: u16 = 6;
const GET_OPTION: u16 = 7;
const UNLINK: u16 = 8;
const PAGE: u16 = 9;
const ATTACH: u16 = 10;
const ADOPT: u16 = 11;
const CONNECTS: u16 = 12;
const LISTENER: u16 = 13;
const LANE_PAGE: u16 = 14;
const BIND_DATAGRAMS: u16 = 15;
const LEAVE_DATAGRAMS: u16 = 16;
const BIND_NAMED: u16 = 17;

impl<'a> Request<'a> {
    /// Writes a frame; its length, or `None` if `buffer` is too small.
    pub fn encode(&self, hello: &Hello, buffer: &mut [u8]) -> Option<usize> {
        let mut out = Writer::new(buffer);
        out.raw(&MAGIC);
        out.u16(hello.version);
        out.u16(self.kind());
        out.raw(&hello.token);
        out.u32(hello.pid);
        match self {
            Self::Listen { fd, backlog, place } => {
                out.i32(*fd);
                out.i32(*backlog);
                if hello.version >= 2 {
                    write_place(&mut out, place);
                }
            }
            Self::BindAny { address } | Self::BindNamed { address } => out.address(address),
            Self::Owns { cookie, address, place } => {
                out.u64(*cookie);
                out.address(address);
                write_place(&mut out, place);
            }
            Self::OwnedName { cookie } | Self::ReusePort { cookie } => out.u64(*cookie),
            Self::SetOption { lane, level, name, value } => {
                out.u64(*lane);
                out.i32(*level);
                out.i32(*name);
                out.bytes(value);
            }
            Self::GetOption { lane, level, name, size } => {
                out.u64(*lane);
                out.i32(*level);
                out.i32(*name);
                out.u32(*size);
            }
            Self::Unlink { device, inode } => {
                out.u64(*device);
                out.u64(*inode);
            }
            Self::BindDatagrams { fd, address, meant } => {
                out.i32(*fd);
                out.address(address);
                out.i32((*meant).into());
            }
            Self::LeaveDatagrams { cookie } => out.u64(*cookie),
            Self::Page | Self::Attach => {}
            Self::Listener { lane } | Self::LanePage { lane } => out.u64(*lane),
            Self::Adopt { lane, fd, unsure } => {
                out.u64(*lane);
                out.i32(*fd);
                // Said only where it is so: a frame without it is that of an older build.
                if *unsure {
                    out.i32(1);
                }
            }
            Self::Connects { address, place } => {
                out.address(address);
                write_place(&mut out, place);
            }
        }
        out.finish()
    }

    /// Reads a frame; `None` if it is no request that this build knows.
    pub fn decode(frame: &'a [u8]) -> Option<(Hello, Self)> {
        let mut input = Reader::new(frame);
        if input.raw(4)? != MAGIC {
            return None;
        }
        let version = input.u16()?;
        let kind = input.u16()?;
        let token = input.raw(16)?.try_into().ok()?;
        let hello = Hello { version, token, pid: input.u32()? };
        if version == 0 {
            return None;
        }
        let request = match kind {
            LISTEN => {
                Self::Listen { fd: input.i32()?, backlog: input.i32()?, place: read_place(&mut input)? }
            }
            BIND_ANY => Self::BindAny { address: input.address()? },
            BIND_NAMED => Self::BindNamed { address: input.address()? },
            OWNS => {
                Self::Owns { cookie: input.u64()?, address: input.address()?, place: read_place(&mut input)? }
            }
            OWNED_NAME => Self::OwnedName { cookie: input.u64()? },
            REUSE_PORT => Self::ReusePort { cookie: input.u64()? },
            SET_OPTION => Self::SetOption {
                lane: input.u64()?,
                level: input.i32()?,
                name: input.i32()?,
                value: input.bytes().filter(|value| value.len() <= MAX_VALUE)?,
            },
            GET_OPTION => Self::GetOption {
                lane: input.u64()?,
                level: input.i32()?,
                name: input.i32()?,
                size: input.u32()?,
            },
            UNLINK => Self::Unlink { device: input.u64()?, inode: input.u64()? },
            PAGE => Self::Page,
            ATTACH => Self::Attach,
            ADOPT => Self::Adopt {
                lane: input.u64()?,
                fd: input.i32()?,
                unsure: !input.is_empty() && input.i32()? != 0,
            },
            CONNECTS => Self::Connects { address: input.address()?, place: read_place(&mut input)? },
            LISTENER => Self::Listener { lane: input.u64()? },
            LANE_PAGE => Self::LanePage { lane: input.u64()? },
            BIND_DATAGRAMS => Self::BindDatagrams {
                fd: input.i32()?,
                address: input.address()?,
                meant: !input.is_empty() && input.i32()? != 0,
            },
            LEAVE_DATAGRAMS => Self::LeaveDatagrams { cookie: input.u64()? },
            _ => return None,
        };
        Some((hello, request))
    }

    /// True if the frame must carry a socket.
    pub fn carries_socket(&self) -> bool {
        matches!(
            self,
            Self::Listen { .. } | Self::BindAny { .. } | Self::BindNamed { .. } | Self::BindDatagrams { .. }
        )
    }

    fn kind(&self) -> u16 {
        match self {
            Self::Listen { .. } => LISTEN,
            Self::BindAny { .. } => BIND_ANY,
            Self::Owns { .. } => OWNS,
            Self::OwnedName { .. } => OWNED_NAME,
            Self::ReusePort { .. } => REUSE_PORT,
            Self::SetOption { .. } => SET_OPTION,
            Self::GetOption { .. } => GET_OPTION,
            Self::Unlink { .. } => UNLINK,
            Self::Page => PAGE,
            Self::Attach => ATTACH,
            Self::Adopt { .. } => ADOPT,
            Self::Connects { .. } => CONNECTS,
            Self::Listener { .. } => LISTENER,
            Self::LanePage { .. } => LANE_PAGE,
            Self::BindDatagrams { .. } => BIND_DATAGRAMS,
            Self::LeaveDatagrams { .. } => LEAVE_DATAGRAMS,
            Self::BindNamed { .. } => BIND_NAMED,
        }
    }
}
