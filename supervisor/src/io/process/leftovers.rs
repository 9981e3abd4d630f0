//! Processes that a life of a worker leaves behind when it ends, such as helpers that have left its process group. It finds
//! them among the orphans that have become children of this process, and what is below these; it ends nobody.

use super::process_tree::{children, children_of};
use super::procfs::starttime;
use super::startup::environment;
use clustermon_protocol::env;
use clustermon_protocol::message::Token;
use std::collections::BTreeSet;

/// No tree of processes is followed deeper, and no larger one remembered.
const DEPTH: usize = 16;
const MOST: usize = 256;

/// A process, and when it began: another one that has its number later began later.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct SeenProcess {
    pub(crate) pid: u32,
    began: u64,
}

/// What all processes of one life have in their environment, unless they have changed it.
#[derive(Debug)]
pub(in crate::io) struct Mark(String);

impl Mark {
    pub(in crate::io) fn of(token: &Token) -> Self {
        Self(format!("{}={}", env::TOKEN, digits(token)))
    }

    pub(in crate::io) fn is_in(&self, environment: &[u8]) -> bool {
        environment.split(|byte| *byte == 0).any(|one| one == self.0.as_bytes())
    }
}

/// A token as it stands in an environment.
pub(crate) fn digits(token: &Token) -> String {
    token.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What is below these processes now, at any depth.
pub(crate) fn below(pids: &[u32]) -> BTreeSet<SeenProcess> {
    let mut found = BTreeSet::new();
    let mut level = pids.to_vec();
    for _ in 0..DEPTH {
        level = level.into_iter().flat_map(children_of).collect();
        for &pid in &level {
            if found.len() < MOST {
                found.extend(starttime(pid).map(|began| SeenProcess { pid, began }));
            }
        }
    }
    found
}

/// Which children of this process have exactly this variable in their environment.
pub(in crate::io) fn with_variable(name: &str, value: &str) -> Vec<u32> {
    let mark = Mark(format!("{name}={value}"));
    children().into_iter().filter(|pid| mark.is_in(&environment(*pid))).collect()
}

/// Which children of this process that life of a worker has left behind: those that have its token in their environment,
/// and those that were `seen` below it, whatever their environment. What else there is may be somebody else's.
pub(crate) fn of(token: &Token, seen: &BTreeSet<SeenProcess>, known: impl Fn(u32) -> bool) -> Vec<u32> {
    let mark = Mark::of(token);
    let has_token = |pid: u32| mark.is_in(&environment(pid));
    let was_seen = |pid| starttime(pid).is_some_and(|began| seen.contains(&SeenProcess { pid, began }));
    let orphans = children().into_iter().filter(|pid| !known(*pid));
    orphans.filter(|pid| has_token(*pid) || was_seen(*pid)).collect()
}
