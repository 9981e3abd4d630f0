//! Feeds arbitrary bytes to every decoder of the wire; what decodes must encode to something that decodes the same.

#![no_main]

use clustermon_protocol::identity::Identity;
use clustermon_protocol::message::{MAX_FRAME, Reply, Request};
use clustermon_protocol::record::{LEN, Record, Upward};
use clustermon_protocol::rules;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    if let Some((hello, request)) = Request::decode(data) {
        let mut frame = [0; MAX_FRAME];
        // Version 1 says less than it may have been sent; a path over the limit is left out.
        if let Some(len) = request.encode(&hello, &mut frame)
            && hello.version >= 2
            && data.len() <= len
        {
            assert_eq!(Request::decode(&frame[..len]), Some((hello, request)));
        }
    }
    if let Some(reply) = Reply::decode(data) {
        let mut frame = [0; MAX_FRAME * 2];
        if let Some(len) = reply.encode(&mut frame) {
            assert_eq!(Reply::decode(&frame[..len]), Some(reply));
        }
    }
    if let Some(bytes) = data.get(..LEN).and_then(|bytes| <&[u8; LEN]>::try_from(bytes).ok())
        && let Some(record) = Record::decode(bytes)
    {
        assert_eq!(Record::decode(&record.encode()), Some(record));
    }
    let _ = Upward::decode(data);
    let half = data.len() / 2;
    let _ = Identity::parse(data);
    if let Some(identity) = Identity::complete(&data[..half], &data[half..]) {
        let _ = rules::shared("+*:80", &identity.address, b"");
    }
    if let Ok(text) = std::str::from_utf8(data) {
        let _ = rules::Rule::parse(text);
    }
});
