//! Feeds arbitrary bytes to every decoder of the wire; what decodes must encode to something that decodes the same. The page of a
//! lane, which has no decoder, is read and used as it lies there.

use crate::page;
use clustermon_protocol::identity::Identity;
use clustermon_protocol::message::{MAX_FRAME, Reply, Request};
use clustermon_protocol::record::{LEN, Record, Upward};
use clustermon_protocol::rules;

/// The target.
pub fn wire(data: &[u8]) {
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
    record(data);
    if let Some(upward) = Upward::decode(data) {
        assert_eq!(Upward::decode(&upward.encode()), Some(upward));
    }
    let half = data.len() / 2;
    let _ = Identity::parse(data);
    if let Some(identity) = Identity::complete(&data[..half], &data[half..]) {
        let _ = rules::shared("+*:80", &identity.address, b"");
    }
    if let Ok(text) = std::str::from_utf8(data) {
        let _ = rules::Rule::parse(text);
    }
    page::garbage(data);
    page::history(data);
}

/// A downward record, the rest of which is zeros where the input is short: those of credits say nothing there.
fn record(data: &[u8]) {
    let mut bytes = [0; LEN];
    let len = data.len().min(LEN);
    bytes[..len].copy_from_slice(&data[..len]);
    if let Some(record) = Record::decode(&bytes) {
        assert_eq!(Record::decode(&record.encode()), Some(record));
    }
}
