//! What an event of the poll is about: a closed set, packed into mio's token and back. Holds nothing.

use crate::ids::{BalancerId, LaneId, WorkerId};
use mio::Token;

/// One registered descriptor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// The signal descriptor.
    Signals,
    /// The socket on which thunks ask.
    Requests,
    /// A thunk that is asking; its place in the table.
    Request(usize),
    /// The listening socket of a balancer.
    Listener(BalancerId),
    /// The supervisor's end of a lane.
    Lane(LaneId),
    /// The first process of a worker.
    Child(WorkerId),
    /// A further process of a worker that listens: its place in the table.
    Member(usize),
    /// Calls of a worker wait at the seccomp filter.
    Calls(WorkerId),
    /// Another thread has something to say.
    Waker,
    /// What a worker writes to a captured stream: the key of its pipe.
    Output(usize),
    /// The control socket.
    Control,
    /// Who is connected to the control socket: its place in the table.
    Client(usize),
    /// Where a process of a worker tells how it fares: its place in the table.
    Notified(usize),
    /// The pipe on which a worker is to say that it is ready.
    Newline(WorkerId),
    /// The kernel tells of connections that have ended.
    Closings,
    /// Our end of a connection by which a worker is tried.
    Probe(WorkerId),
}

const KIND: u32 = 56;
const SLOT: u32 = 32;
/// Workers are counted in 24 bits, incarnations in 32.
const MASK: u64 = (1 << KIND) - 1;

impl From<Source> for Token {
    fn from(source: Source) -> Self {
        let (kind, value) = match source {
            Source::Signals => (0, 0),
            Source::Requests => (1, 0),
            Source::Request(place) => (2, place as u64),
            Source::Listener(BalancerId(id)) => (3, u64::from(id)),
            Source::Lane(LaneId(id)) => (4, id),
            Source::Child(worker) => (5, u64::from(worker.slot) << SLOT | u64::from(worker.incarnation)),
            Source::Member(place) => (6, place as u64),
            Source::Waker => (7, 0),
            Source::Control => (8, 0),
            Source::Client(place) => (9, place as u64),
            Source::Output(key) => (10, key as u64),
            Source::Notified(place) => (11, place as u64),
            Source::Probe(worker) => (12, u64::from(worker.slot) << SLOT | u64::from(worker.incarnation)),
            Source::Closings => (14, 0),
            Source::Calls(worker) => (15, u64::from(worker.slot) << SLOT | u64::from(worker.incarnation)),
            Source::Newline(worker) => (13, u64::from(worker.slot) << SLOT | u64::from(worker.incarnation)),
        };
        Self((kind << KIND | value & MASK) as usize)
    }
}

impl Source {
    /// Reads a token; `None` if it is none of ours.
    pub(crate) fn of(token: Token) -> Option<Self> {
        let value = token.0 as u64 & MASK;
        Some(match token.0 as u64 >> KIND {
            0 => Self::Signals,
            1 => Self::Requests,
            2 => Self::Request(value as usize),
            3 => Self::Listener(BalancerId(value as u32)),
            4 => Self::Lane(LaneId(value)),
            5 => Self::Child(WorkerId { slot: (value >> SLOT) as u32, incarnation: value as u32 }),
            6 => Self::Member(value as usize),
            7 => Self::Waker,
            8 => Self::Control,
            9 => Self::Client(value as usize),
            10 => Self::Output(value as usize),
            11 => Self::Notified(value as usize),
            12 => Self::Probe(WorkerId { slot: (value >> SLOT) as u32, incarnation: value as u32 }),
            13 => Self::Newline(WorkerId { slot: (value >> SLOT) as u32, incarnation: value as u32 }),
            14 => Self::Closings,
            15 => Self::Calls(WorkerId { slot: (value >> SLOT) as u32, incarnation: value as u32 }),
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_and_sources_are_one() {
        for source in [
            Source::Signals,
            Source::Requests,
            Source::Request(7),
            Source::Listener(BalancerId(u32::MAX)),
            Source::Lane(LaneId(1 << 55)),
            Source::Child(WorkerId { slot: 1023, incarnation: u32::MAX }),
            Source::Member(3),
            Source::Waker,
            Source::Control,
            Source::Client(63),
            Source::Output(2048),
            Source::Notified(5),
            Source::Closings,
            Source::Calls(WorkerId { slot: 5, incarnation: 2 }),
            Source::Probe(WorkerId { slot: 7, incarnation: 9 }),
            Source::Newline(WorkerId { slot: 7, incarnation: 9 }),
        ] {
            assert_eq!(Source::of(Token::from(source)), Some(source));
        }
        assert_eq!(Source::of(Token(usize::MAX)), None);
    }
}
