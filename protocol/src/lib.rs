//! The wire between the supervisor and the thunk: who speaks when, and what the bytes mean. It makes no system call
//! and allocates nothing, so that the freestanding thunk can use all of it.
//!
//! # Two conversations
//! *Request*: the thunk connects to the abstract SEQPACKET socket named in [`env::SOCKET`], sends one
//! [`message::Request`] (with the socket it is about as SCM_RIGHTS where the request says so), reads one
//! [`message::Reply`] and closes. One connection per request: programs close every fd they do not know.
//!
//! *Lane*: a connected SEQPACKET pair. Downwards, each [`record::Record`] carries one connection, is a right
//! to accept one ([`credit`]), or is a void record.
//! Upwards, a worker sends a two-byte [`record::Upward`] now and then. The worker's end is recognised by its name, see
//! [`identity`].
//!
//! # Versions
//! Each frame carries a version. Fields are only ever appended. A reader takes missing trailing fields for their
//! defaults and ignores trailing bytes that it does not know, so a supervisor serves every older thunk and a thunk
//! survives a newer supervisor.

#![no_std]
#![cfg_attr(not(test), forbid(unsafe_code))]

pub mod address;
pub mod codec;
pub mod credit;
pub mod env;
pub mod identity;
pub mod message;
pub mod pulse;
pub mod record;
pub mod release;
pub mod rules;
pub mod scm;

/// The version that this build speaks. 1 had no `place` in `Listen`.
pub const VERSION: u16 = 2;
