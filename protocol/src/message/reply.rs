//! What the supervisor answers, as plain data and as a frame.

use super::MAGIC;
use crate::VERSION;
use crate::address::Address;
use crate::codec::{Reader, Writer};

/// What the supervisor answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reply<'a> {
    /// 0, or the error that the call is to fail with.
    Errno(i32),
    /// Carries the worker's end of the lane.
    Lane { lane: u64 },
    /// The cluster owns it.
    Owned,
    /// The cluster does not.
    NotOwned,
    /// An address.
    Name(Address),
    /// The value of a socket option.
    Value(&'a [u8]),
    /// Carries the page that was asked for, to be mapped.
    Page,
    /// Carries the shared listening socket.
    Listener,
    /// The process accepts by itself, without credits: from its own socket, which listens now, or from the one that this carries, which
    /// takes its place. The kernel chooses among the sockets of the workers.
    Member,
}

const ERRNO: u16 = 1;
const LANE: u16 = 2;
const OWNED: u16 = 3;
const NOT_OWNED: u16 = 4;
const NAME: u16 = 5;
const VALUE: u16 = 6;
const PAGE_REPLY: u16 = 7;
const LISTENER_REPLY: u16 = 8;
const MEMBER: u16 = 9;

impl<'a> Reply<'a> {
    /// Writes a frame; its length, or `None` if `buffer` is too small.
    pub fn encode(&self, buffer: &mut [u8]) -> Option<usize> {
        let mut out = Writer::new(buffer);
        out.raw(&MAGIC);
        out.u16(VERSION);
        match self {
            Self::Errno(errno) => {
                out.u16(ERRNO);
                out.i32(*errno);
            }
            Self::Lane { lane } => {
                out.u16(LANE);
                out.u64(*lane);
            }
            Self::Owned => out.u16(OWNED),
            Self::NotOwned => out.u16(NOT_OWNED),
            Self::Name(address) => {
                out.u16(NAME);
                out.address(address);
            }
            Self::Value(value) => {
                out.u16(VALUE);
                out.bytes(value);
            }
            Self::Page => out.u16(PAGE_REPLY),
            Self::Listener => out.u16(LISTENER_REPLY),
            Self::Member => out.u16(MEMBER),
        }
        out.finish()
    }

    /// Reads a frame; `None` if it is no reply that this build knows.
    pub fn decode(frame: &'a [u8]) -> Option<Self> {
        let mut input = Reader::new(frame);
        if input.raw(4)? != MAGIC || input.u16()? == 0 {
            return None;
        }
        Some(match input.u16()? {
            ERRNO => Self::Errno(input.i32()?),
            LANE => Self::Lane { lane: input.u64()? },
            OWNED => Self::Owned,
            NOT_OWNED => Self::NotOwned,
            NAME => Self::Name(input.address()?),
            VALUE => Self::Value(input.bytes()?),
            PAGE_REPLY => Self::Page,
            LISTENER_REPLY => Self::Listener,
            MEMBER => Self::Member,
            _ => return None,
        })
    }
}
