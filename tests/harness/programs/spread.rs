//! Who answers: questions that tests ask many times.

use crate::clients::http::{Conn, Target, Who};
use crate::programs::apps::App;
use crate::programs::contract::open;
use crate::system::wait::{PATIENCE, wait_until};
use std::collections::{BTreeMap, BTreeSet};

/// Who answers so many connections, made one after the other, each closed by the server before the next is made.
#[track_caller]
pub fn ask_in_turn(target: &Target, app: &App, count: usize) -> Vec<Who> {
    let ask = |number| {
        let mut conn = open(target, app);
        let who = conn.last_request("/").and_then(|()| conn.response()).and_then(|response| response.who());
        let who = who.unwrap_or_else(|error| panic!("connection {number} of {count}: {error}"));
        assert!(conn.at_end(), "the server was asked to close the connection");
        who
    };
    (0..count).map(ask).collect()
}

/// How often each answered.
pub fn shares(answers: &[Who]) -> BTreeMap<Who, usize> {
    let mut shares = BTreeMap::new();
    for who in answers {
        *shares.entry(who.clone()).or_default() += 1;
    }
    shares
}

/// Asks on until each of the logical ids 0 to `workers - 1` has answered, and nobody else.
#[track_caller]
pub fn wait_for_ids(target: &Target, app: &App, workers: usize) {
    let wanted: BTreeSet<_> = (0..workers).map(|id| id.to_string()).collect();
    let mut seen = BTreeSet::new();
    wait_until(&format!("each of {workers} workers answers"), PATIENCE, || {
        seen.extend(ask_in_turn(target, app, workers).into_iter().map(|who| who.id));
        seen.len() >= wanted.len()
    });
    assert_eq!(seen, wanted);
}

/// A kept connection to the worker with this id.
#[track_caller]
pub fn conn_to(target: &Target, app: &App, id: &str) -> Conn {
    let mut found = None;
    wait_until(&format!("worker {id} answers"), PATIENCE, || {
        let mut conn = open(target, app);
        if conn.who().expect("an answer").id == id {
            found = Some(conn);
        }
        found.is_some()
    });
    found.expect("the wait ended by finding it")
}
