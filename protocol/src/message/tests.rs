//! Golden bytes, round trips and random bytes for the request and reply frames.

extern crate std;
use super::*;
use crate::VERSION;
use crate::address::Address;
use core::net::Ipv4Addr;
use proptest::prelude::*;
use std::vec::Vec;

const HELLO: Hello = Hello { version: VERSION, token: [7; 16], pid: 42 };

fn frame(request: &Request<'_>, hello: &Hello) -> Vec<u8> {
    let mut buffer = [0; MAX_FRAME];
    let len = request.encode(hello, &mut buffer).unwrap();
    buffer[..len].to_vec()
}

#[test]
fn golden_listen() {
    let place = Place { path: b"/a", device: 1, inode: 2 };
    let bytes = frame(&Request::Listen { fd: 3, backlog: 511, place }, &HELLO);
    let mut golden = Vec::from(*b"clmR\x02\x00\x01\x00");
    golden.extend([7; 16]);
    golden.extend([42, 0, 0, 0, 3, 0, 0, 0, 0xff, 1, 0, 0]);
    golden.extend([1, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 2, 0, b'/', b'a']);
    assert_eq!(bytes, golden);
}

#[test]
fn an_older_thunk_is_understood() {
    // A version 1 frame, byte for byte: Listen ended after the backlog.
    let mut golden = Vec::from(*b"clmR\x01\x00\x01\x00");
    golden.extend([7; 16]);
    golden.extend([42, 0, 0, 0, 3, 0, 0, 0, 0xff, 1, 0, 0]);
    let (hello, request) = Request::decode(&golden).unwrap();
    assert_eq!(hello.version, 1);
    assert_eq!(request, Request::Listen { fd: 3, backlog: 511, place: Place::default() });
    assert_eq!(frame(&request, &hello), golden);
}

#[test]
fn a_newer_thunk_is_understood() {
    let mut bytes = frame(&Request::OwnedName { cookie: 9 }, &Hello { version: 77, ..HELLO });
    bytes.extend(b"fields of the future");
    assert_eq!(Request::decode(&bytes).unwrap().1, Request::OwnedName { cookie: 9 });
}

#[test]
fn what_is_asked_of_udp_sockets_carries_one_and_is_read_as_it_was_written() {
    let address = Address::v4(Ipv4Addr::LOCALHOST, 53);
    for meant in [true, false] {
        let request = Request::BindDatagrams { fd: 3, address, meant };
        assert!(request.carries_socket());
        assert_eq!(Request::decode(&frame(&request, &HELLO)).unwrap().1, request);
    }
    let request = Request::LeaveDatagrams { cookie: 9 };
    assert!(!request.carries_socket());
    assert_eq!(Request::decode(&frame(&request, &HELLO)).unwrap().1, request);
}

#[test]
fn golden_replies() {
    let mut buffer = [0; 64];
    let len = Reply::Errno(98).encode(&mut buffer).unwrap();
    assert_eq!(&buffer[..len], b"clmR\x02\x00\x01\x00\x62\x00\x00\x00");
    let len = Reply::Lane { lane: 1 }.encode(&mut buffer).unwrap();
    assert_eq!(&buffer[..len], b"clmR\x02\x00\x02\x00\x01\0\0\0\0\0\0\0");
    let len = Reply::Member.encode(&mut buffer).unwrap();
    assert_eq!(&buffer[..len], b"clmR\x02\x00\x09\x00");
    assert_eq!(Reply::decode(&buffer[..len]), Some(Reply::Member));
}

#[test]
fn golden_adopt() {
    let mut golden = Vec::from(*b"clmR\x02\x00\x0b\x00");
    golden.extend([7; 16]);
    golden.extend([42, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0]);
    assert_eq!(frame(&Request::Adopt { lane: 9, fd: 5, unsure: false }, &HELLO), golden);
    golden.extend([1, 0, 0, 0]);
    assert_eq!(frame(&Request::Adopt { lane: 9, fd: 5, unsure: true }, &HELLO), golden);
}

#[test]
fn a_place_too_long_is_left_out() {
    let path = [b'p'; MAX_PLACE + 1];
    let place = Place { path: &path, device: 1, inode: 2 };
    let bytes = frame(&Request::Listen { fd: 3, backlog: 1, place }, &HELLO);
    let expected = Place { path: b"", ..place };
    assert_eq!(Request::decode(&bytes).unwrap().1, Request::Listen { fd: 3, backlog: 1, place: expected });
}

fn address() -> impl Strategy<Value = Address> {
    (any::<[u8; 4]>(), any::<u16>()).prop_map(|(ip, port)| Address::v4(Ipv4Addr::from(ip), port))
}

proptest! {
    #[test]
    fn random_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300), kind in 0u16..13) {
        let _ = Request::decode(&bytes);
        let _ = Reply::decode(&bytes);
        let mut framed = Vec::from(*b"clmR\x02\x00");
        framed.extend(kind.to_le_bytes());
        framed.extend(bytes);
        let _ = Request::decode(&framed);
        let _ = Reply::decode(&framed);
    }

    #[test]
    fn what_is_written_is_read(
        address in address(), cookie: u64, fd: i32, backlog: i32,
        path in proptest::collection::vec(any::<u8>(), 0..MAX_PLACE),
        value in proptest::collection::vec(any::<u8>(), 0..MAX_VALUE),
    ) {
        let place = Place { path: &path, device: cookie, inode: !cookie };
        for request in [
            Request::Listen { fd, backlog, place },
            Request::BindAny { address },
            Request::BindNamed { address },
            Request::Owns { cookie, address, place },
            Request::OwnedName { cookie },
            Request::ReusePort { cookie },
            Request::SetOption { lane: cookie, level: fd, name: backlog, value: &value },
            Request::GetOption { lane: cookie, level: fd, name: backlog, size: 4 },
            Request::Unlink { device: cookie, inode: 1 },
            Request::Page,
            Request::Attach,
            Request::Adopt { lane: cookie, fd, unsure: backlog > 0 },
            Request::Connects { address, place },
        ] {
            let bytes = frame(&request, &HELLO);
            prop_assert_eq!(Request::decode(&bytes), Some((HELLO, request)));
            for cut in 0..bytes.len() {
                let _ = Request::decode(&bytes[..cut]);
            }
        }
        let mut buffer = [0; MAX_FRAME];
        for reply in [
            Reply::Errno(fd), Reply::Lane { lane: cookie }, Reply::Owned, Reply::NotOwned,
            Reply::Name(address), Reply::Value(&value), Reply::Page,
        ] {
            let len = reply.encode(&mut buffer).unwrap();
            let frame = buffer[..len].to_vec();
            prop_assert_eq!(Reply::decode(&frame), Some(reply));
        }
    }
}
