//! One record out of a lane: by a wait, or without waiting; with care where there is little room for the descriptor that may
//! come beside it. It decides nothing about what it finds.

use crate::kernel::abi::*;
use crate::kernel::sys;
use crate::receive::room::{self, Room};
use crate::{pulse, real};
use clustermon_protocol::address::Address;
use clustermon_protocol::record::{LEN, Record};
use clustermon_protocol::release::Ticket;
use clustermon_protocol::scm::{self, Control, Received};
use core::ffi::c_int;

/// How accept() looks for a connection.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// As the fd is set: for a thread that has not been told that something waits here, this may be its wait.
    Wait,
    /// Without waiting, because this thread's last wait has told it of something, which may be this lane.
    Try,
    /// Without waiting, because it was told of this lane and what it was told of is gone.
    Vain,
}

impl Mode {
    fn flags(self) -> c_int {
        match self {
            Self::Wait => 0,
            Self::Try | Self::Vain => MSG_DONTWAIT,
        }
    }
}

/// What came out of a lane.
pub(crate) enum Taken {
    Connection {
        fd: i32,
        peer: Address,
        nonblock: bool,
        ticket: Ticket,
    },
    Void,
    /// One connection may be accepted from the shared listening socket. `lane` is the kernel's number for the lane that this
    /// came from; 0 is not told.
    Single {
        lane: u64,
        /// It may be used while the lane's page has this one.
        series: u32,
    },
    /// Connections may be accepted while the credit of this generation is open.
    Open {
        generation: u64,
    },
    End,
    /// The table of descriptors is full; `lost` names the connection that went with it.
    Full {
        lost: Option<(Address, bool, Ticket)>,
    },
    Failed(c_int),
}

/// Receives, which is this thread's wait where it was told of nothing.
pub(crate) fn receive_in(fd: i32, mode: Mode, room: &Room, cloexec: c_int) -> Taken {
    let receive = || match room {
        Room::Plenty => receive(fd, cloexec | mode.flags()),
        Room::Little | Room::None => receive_in_turn(fd, cloexec, mode.flags()),
    };
    if mode != Mode::Wait {
        return receive();
    }
    let entered = pulse::enter_accept(fd, || blocking(fd));
    let taken = receive();
    pulse::leave_accept(entered);
    taken
}

/// As [`receive`], where there is little room: waits without taking anything, and then takes what it has looked at.
fn receive_in_turn(fd: i32, cloexec: c_int, wait: c_int) -> Taken {
    loop {
        // It may block, so it goes through the C library. Without room for a descriptor none is installed.
        let mut bytes = [0; LEN];
        let mut iov = IoVec { base: bytes.as_mut_ptr().cast(), len: LEN };
        let mut message = Message::new(&mut iov, core::ptr::null_mut(), 0);
        // SAFETY: the message points to a buffer of this frame with its length.
        match unsafe { real::recvmsg(fd, &raw mut message, MSG_PEEK | wait) } {
            0 => return Taken::End,
            1.. => {}
            _ => return failure(real::errno()),
        }
        let taken = room::in_turn(|| {
            match receive_now(fd, MSG_PEEK | MSG_CMSG_CLOEXEC) {
                // It is this thread's, whatever happens to the table of descriptors.
                Taken::Connection { fd: kept, ticket, .. } => {
                    settle(receive_now(fd, cloexec), (kept, ticket), cloexec != 0)
                }
                Taken::Full { .. } => Taken::Full { lost: None },
                Taken::Void | Taken::Single { .. } | Taken::Open { .. } => receive_now(fd, cloexec),
                other => other,
            }
        });
        // Somebody else has it.
        if !matches!(taken, Taken::Failed(EAGAIN)) || wait != 0 || !blocking(fd) {
            return taken;
        }
    }
}

/// Without waiting, what needs no descriptor; a connection stays where it is. For where there is no room for one.
#[cold]
pub(crate) fn receive_credit(fd: i32) -> Taken {
    let mut bytes = [0; LEN];
    let mut iov = IoVec { base: bytes.as_mut_ptr().cast(), len: LEN };
    room::in_turn(|| {
        let mut message = Message::new(&mut iov, core::ptr::null_mut(), 0);
        match sys::recvmsg(fd, &mut message, MSG_PEEK | MSG_DONTWAIT) {
            Ok(0) => Taken::End,
            Ok(_) if matches!(Record::decode(&bytes), Some(Record::Connection { .. })) => {
                Taken::Full { lost: None }
            }
            Ok(_) => receive_now(fd, MSG_CMSG_CLOEXEC),
            Err(EAGAIN) => Taken::Full { lost: None },
            Err(error) => failure(error),
        }
    })
}

/// Joins what was looked at and what was received: usually the same connection, then one of the two descriptors goes.
fn settle(taken: Taken, (kept, seen): (i32, Ticket), cloexec: bool) -> Taken {
    match taken {
        // The record came without its descriptor, but it is the one that was looked at.
        Taken::Full { lost: Some((peer, nonblock, ticket)) } if ticket == seen => {
            if !cloexec {
                let _ = sys::fcntl(kept, F_SETFD, 0);
            }
            Taken::Connection { fd: kept, peer, nonblock, ticket }
        }
        other => {
            sys::close(kept);
            other
        }
    }
}

/// It goes through the C library because it may block, and pthread_cancel must reach it.
fn receive(fd: i32, flags: i32) -> Taken {
    receive_by(|message| {
        // SAFETY: the message points to buffers of its maker with their lengths.
        let count = unsafe { real::recvmsg(fd, message, flags) };
        usize::try_from(count).map_err(|_| real::errno())
    })
}

/// As [`receive`], without waiting, and no cancellation point.
fn receive_now(fd: i32, flags: i32) -> Taken {
    receive_by(|message| sys::recvmsg(fd, message, flags | MSG_DONTWAIT))
}

fn failure(error: c_int) -> Taken {
    match error {
        // The supervisor was killed before it had read what this worker had told it.
        ECONNRESET => Taken::End,
        error => Taken::Failed(error),
    }
}

fn receive_by(call: impl FnOnce(&mut Message) -> sys::Result<usize>) -> Taken {
    let mut bytes = [0; LEN];
    let mut control = Control::empty();
    let mut iov = IoVec { base: bytes.as_mut_ptr().cast(), len: LEN };
    let mut message = Message::new(&mut iov, (&raw mut control).cast(), scm::LEN);
    let count = match call(&mut message) {
        Ok(count) => count,
        Err(error) => return failure(error),
    };
    let received = control.received(message.control_len, message.flags);
    if count == 0 {
        return Taken::End;
    }
    match (Record::decode(&bytes), received) {
        (Some(Record::Connection { peer, nonblock, ticket }), Received::Fd(fd)) => {
            Taken::Connection { fd, peer, nonblock, ticket }
        }
        (Some(Record::Connection { peer, nonblock, ticket }), Received::Truncated(None)) => {
            Taken::Full { lost: Some((peer, nonblock, ticket)) }
        }
        (Some(Record::Single { lane, series }), Received::Nothing) => Taken::Single { lane, series },
        (Some(Record::Open { generation }), Received::Nothing) => Taken::Open { generation },
        (_, Received::Fd(fd) | Received::Truncated(Some(fd))) => {
            sys::close(fd);
            Taken::Void
        }
        (_, Received::Nothing | Received::Truncated(None)) => Taken::Void,
    }
}

pub(crate) fn blocking(fd: i32) -> bool {
    sys::fcntl(fd, F_GETFL, 0).is_ok_and(|flags| flags & O_NONBLOCK == 0)
}
