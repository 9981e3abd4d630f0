//! The abstract name of a lane's worker end. It travels with the socket through dup, fork, exec and SCM_RIGHTS, so one
//! getsockname tells what an fd is, and no table has to be kept in step.
//!
//! A `sockaddr_un` holds 107 bytes after the leading NUL; a long unix path continues in the name of the peer end.

use crate::address::{Address, MAX, UNIX};

const OWN: [u8; 4] = *b"clmL";
const PEER: [u8; 4] = *b"clmP";
/// Family, NUL, magic, lane, nonce.
const HEAD: usize = 2 + 1 + 4 + 8 + 8;
/// How much of an address the first name holds, after one byte for its length.
const FIRST: usize = MAX - HEAD - 1;

/// What a lane stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The lane's number, unique within its supervisor.
    pub lane: u64,
    /// The supervisor's own number: abstract names are shared by a whole network namespace.
    pub nonce: u64,
    /// The address that is listened on.
    pub address: Address,
}

/// What the worker end's own name tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parsed {
    /// All of it.
    Whole(Identity),
    /// The name of the peer end is needed for the rest; see [`Identity::complete`].
    Partial,
}

fn head(magic: [u8; 4], lane: u64, nonce: u64) -> [u8; MAX] {
    let mut name = [0; MAX];
    name[..2].copy_from_slice(&UNIX.to_ne_bytes());
    name[3..7].copy_from_slice(&magic);
    name[7..15].copy_from_slice(&lane.to_le_bytes());
    name[15..23].copy_from_slice(&nonce.to_le_bytes());
    name
}

fn split(name: &[u8], magic: [u8; 4]) -> Option<(u64, u64, &[u8])> {
    if name.len() < HEAD || name[..2] != UNIX.to_ne_bytes() || name[2] != 0 || name[3..7] != magic {
        return None;
    }
    let lane = u64::from_le_bytes(name[7..15].try_into().ok()?);
    let nonce = u64::from_le_bytes(name[15..23].try_into().ok()?);
    Some((lane, nonce, &name[HEAD..]))
}

impl Identity {
    /// The `sockaddr_un` to bind the worker end to, and its length.
    pub fn own_name(&self) -> ([u8; MAX], usize) {
        let mut name = head(OWN, self.lane, self.nonce);
        let address = self.address.as_bytes();
        let part = address.len().min(FIRST);
        name[HEAD] = address.len() as u8;
        name[HEAD + 1..HEAD + 1 + part].copy_from_slice(&address[..part]);
        (name, HEAD + 1 + part)
    }

    /// The `sockaddr_un` to bind the supervisor end to, if the address does not fit into one name.
    pub fn peer_name(&self) -> Option<([u8; MAX], usize)> {
        let rest = self.address.as_bytes().get(FIRST..).filter(|rest| !rest.is_empty())?;
        let mut name = head(PEER, self.lane, self.nonce);
        name[HEAD..HEAD + rest.len()].copy_from_slice(rest);
        Some((name, HEAD + rest.len()))
    }

    /// Reads what getsockname answered; `None` if the socket is no lane.
    pub fn parse(own: &[u8]) -> Option<Parsed> {
        let (lane, nonce, rest) = split(own, OWN)?;
        let (&len, part) = rest.split_first()?;
        if usize::from(len) > FIRST {
            return (part.len() == FIRST).then_some(Parsed::Partial);
        }
        let address = Address::from_raw(part.get(..usize::from(len))?)?;
        Some(Parsed::Whole(Self { lane, nonce, address }))
    }

    /// Joins what getsockname and getpeername answered; `None` if they do not belong together.
    pub fn complete(own: &[u8], peer: &[u8]) -> Option<Self> {
        let (lane, nonce, rest) = split(own, OWN)?;
        let (peer_lane, peer_nonce, tail) = split(peer, PEER)?;
        let (&len, part) = rest.split_first()?;
        if (lane, nonce) != (peer_lane, peer_nonce) || part.len() + tail.len() != usize::from(len) {
            return None;
        }
        let mut whole = [0; MAX];
        whole.get_mut(..part.len())?.copy_from_slice(part);
        whole.get_mut(part.len()..usize::from(len))?.copy_from_slice(tail);
        let address = Address::from_raw(&whole[..usize::from(len)])?;
        Some(Self { lane, nonce, address })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::net::Ipv6Addr;
    use proptest::prelude::*;

    fn check(address: Address) {
        let identity = Identity { lane: 5, nonce: 9, address };
        let (own, len) = identity.own_name();
        let read = match (Identity::parse(&own[..len]), identity.peer_name()) {
            (Some(Parsed::Whole(read)), None) => read,
            (Some(Parsed::Partial), Some((peer, peer_len))) => {
                Identity::complete(&own[..len], &peer[..peer_len]).unwrap()
            }
            other => panic!("{other:?}"),
        };
        assert_eq!(read, identity);
    }

    #[test]
    fn carries_every_address() {
        check(Address::v6(Ipv6Addr::LOCALHOST, 80));
        for len in 0..=108 {
            let mut raw = [b'x'; 110];
            raw[..2].copy_from_slice(&UNIX.to_ne_bytes());
            check(Address::from_raw(&raw[..2 + len]).unwrap());
        }
    }

    #[test]
    fn names_of_different_lanes_do_not_join() {
        let mut raw = [b'x'; 110];
        raw[..2].copy_from_slice(&UNIX.to_ne_bytes());
        let one = Identity { lane: 1, nonce: 1, address: Address::from_raw(&raw).unwrap() };
        let other = Identity { lane: 2, ..one };
        let (own, len) = one.own_name();
        let (peer, peer_len) = other.peer_name().unwrap();
        assert_eq!(Identity::complete(&own[..len], &peer[..peer_len]), None);
    }

    proptest! {
        #[test]
        fn random_names_never_panic(own in proptest::collection::vec(any::<u8>(), 0..MAX),
                                    tail in proptest::collection::vec(any::<u8>(), 0..MAX)) {
            let _ = Identity::parse(&own);
            let mut framed = head(OWN, 1, 1);
            let n = own.len().min(MAX - HEAD);
            framed[HEAD..HEAD + n].copy_from_slice(&own[..n]);
            let _ = Identity::parse(&framed[..HEAD + n]);
            let mut peer = head(PEER, 1, 1);
            let m = tail.len().min(MAX - HEAD);
            peer[HEAD..HEAD + m].copy_from_slice(&tail[..m]);
            let _ = Identity::complete(&framed[..HEAD + n], &peer[..HEAD + m]);
        }
    }
}
