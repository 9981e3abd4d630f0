//! What travels on a lane: fixed-size records downwards, two bytes upwards. A record carries at most one fd beside it, a credit none.

use crate::address::{Address, MAX};
use crate::release::Ticket;

/// Size of a downward record, in bytes. Fixed, so that what waits in a lane can be counted from its bytes.
pub const LEN: usize = HEAD + MAX;
/// Kind, flags, length of the address, one byte unused, ticket.
const HEAD: usize = 4 + 8;

const CONNECTION: u8 = 1;
const VOID: u8 = 2;
const SINGLE: u8 = 3;
const OPEN: u8 = 4;
const FLAG_NONBLOCK: u8 = 1;

/// What the supervisor sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Record {
    /// An accepted connection; its fd comes beside it. `nonblock` is the state of its O_NONBLOCK.
    Connection { peer: Address, nonblock: bool, ticket: Ticket },
    /// What waited here was taken back: whoever was told 'readable' finds this instead.
    Void,
    /// One connection may be accepted from the shared listening socket; see [`crate::credit`]. `lane` is the kernel's number for
    /// the socket at the worker's end (`SO_COOKIE`), by which the worker knows the lane that this came from without asking;
    /// 0 where it is not told. It may be used while the page has this series.
    Single { lane: u64, series: u32 },
    /// Connections may be accepted until none waits, while the credit of this generation is open.
    Open { generation: u64 },
}

impl Record {
    /// The bytes.
    pub fn encode(&self) -> [u8; LEN] {
        let mut bytes = [0; LEN];
        match self {
            Self::Connection { peer, nonblock, ticket } => {
                bytes[0] = CONNECTION;
                bytes[1] = if *nonblock { FLAG_NONBLOCK } else { 0 };
                bytes[2] = peer.as_bytes().len() as u8;
                bytes[4..8].copy_from_slice(&ticket.slot.to_le_bytes());
                bytes[8..HEAD].copy_from_slice(&ticket.number.to_le_bytes());
                bytes[HEAD..].copy_from_slice(peer.padded());
            }
            Self::Void => bytes[0] = VOID,
            Self::Single { lane, series } => {
                bytes[0] = SINGLE;
                bytes[4..HEAD].copy_from_slice(&lane.to_le_bytes());
                bytes[HEAD..HEAD + 4].copy_from_slice(&series.to_le_bytes());
            }
            Self::Open { generation } => {
                bytes[0] = OPEN;
                bytes[4..HEAD].copy_from_slice(&generation.to_le_bytes());
            }
        }
        bytes
    }

    /// Reads the bytes; `None` if they are no record.
    pub fn decode(bytes: &[u8; LEN]) -> Option<Self> {
        match bytes[0] {
            CONNECTION => Some(Self::Connection {
                peer: Address::from_raw(bytes[HEAD..].get(..usize::from(bytes[2]))?)?,
                nonblock: bytes[1] & FLAG_NONBLOCK != 0,
                ticket: Ticket {
                    slot: u32::from_le_bytes(bytes[4..8].try_into().ok()?),
                    number: u32::from_le_bytes(bytes[8..HEAD].try_into().ok()?),
                },
            }),
            VOID => Some(Self::Void),
            SINGLE => Some(Self::Single {
                lane: u64::from_le_bytes(bytes[4..HEAD].try_into().ok()?),
                series: u32::from_le_bytes(bytes[HEAD..HEAD + 4].try_into().ok()?),
            }),
            OPEN => Some(Self::Open { generation: u64::from_le_bytes(bytes[4..HEAD].try_into().ok()?) }),
            _ => None,
        }
    }
}

/// What a worker sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Upward {
    /// It wants its connections with this state of O_NONBLOCK: saves it a system call each.
    Nonblock(bool),
    /// It shut the listener down and will take no more.
    Shut,
    /// A connection was lost: its fd table was full although it looked first.
    Lost,
    /// The thread that serves goes into its wait: the answer to a ring of the pulse page.
    Waits,
    /// The kernel does not let it receive, with this error: it has forbidden itself the call.
    Barred(u8),
    /// This process has the shared listening socket and the lane's page: it may be given credits.
    TakesCredit,
    /// It cannot accept by itself, or no longer: what it was given is void, and it wants connections handed over.
    NoCredit,
    /// An open credit was shut or a single was used, of which the supervisor wanted to hear.
    Ring,
    /// It has no descriptor for a connection, with this error; what it was given goes back.
    Exhausted(u8),
}

/// Size of an upward record, in bytes.
pub const UPWARD_LEN: usize = 2;

impl Upward {
    /// The bytes.
    pub fn encode(self) -> [u8; UPWARD_LEN] {
        match self {
            Self::Nonblock(on) => [1, u8::from(on)],
            Self::Shut => [2, 0],
            Self::Lost => [3, 0],
            Self::Waits => [4, 0],
            Self::Barred(error) => [5, error],
            Self::TakesCredit => [6, 0],
            Self::NoCredit => [7, 0],
            Self::Ring => [8, 0],
            Self::Exhausted(error) => [9, error],
        }
    }

    /// Reads the bytes; `None` if they are no upward record.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        match bytes {
            [1, on] => Some(Self::Nonblock(*on != 0)),
            [2, _] => Some(Self::Shut),
            [3, _] => Some(Self::Lost),
            [4, _] => Some(Self::Waits),
            [5, error] => Some(Self::Barred(*error)),
            [6, _] => Some(Self::TakesCredit),
            [7, _] => Some(Self::NoCredit),
            [8, _] => Some(Self::Ring),
            [9, error] => Some(Self::Exhausted(*error)),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::net::Ipv4Addr;
    use proptest::prelude::*;

    #[test]
    fn round_trip() {
        let peer = Address::v4(Ipv4Addr::LOCALHOST, 5);
        let ticket = Ticket { slot: 7, number: u32::MAX };
        for record in [
            Record::Void,
            Record::Single { lane: u64::MAX - 2, series: u32::MAX - 1 },
            Record::Open { generation: u64::MAX - 1 },
            Record::Connection { peer, nonblock: true, ticket },
        ] {
            assert_eq!(Record::decode(&record.encode()), Some(record));
        }
        for upward in [
            Upward::Nonblock(true),
            Upward::Nonblock(false),
            Upward::Shut,
            Upward::Lost,
            Upward::Waits,
            Upward::Barred(1),
            Upward::TakesCredit,
            Upward::NoCredit,
            Upward::Ring,
            Upward::Exhausted(24),
        ] {
            assert_eq!(Upward::decode(&upward.encode()), Some(upward));
        }
    }

    proptest! {
        #[test]
        fn random_bytes_never_panic(head: [u8; 8], fill: u8) {
            let mut bytes = [fill; LEN];
            bytes[..8].copy_from_slice(&head);
            let _ = Record::decode(&bytes);
            let _ = Upward::decode(&head[..2]);
        }
    }
}
