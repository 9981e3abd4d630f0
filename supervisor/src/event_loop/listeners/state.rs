//! What the shell holds of the addresses that workers share: their sockets, which of them may be accepted from, and which are closing.

use super::closing::Closing;
use super::early_connects::Told;
use crate::ids::BalancerId;
use crate::io::sockets::activation::ActivatedSocket;
use crate::io::sockets::listener::{Key, Listener};
use clustermon_protocol::address::Address;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::time::Instant;

/// The sockets, and what is known of them.
#[derive(Debug, Default)]
pub(in crate::event_loop) struct Listeners {
    pub(in crate::event_loop) all: BTreeMap<BalancerId, Listener>,
    pub(in crate::event_loop) by_key: HashMap<Key, BalancerId>,
    /// Balancers that have something to accept and may.
    pub(in crate::event_loop) ready: VecDeque<BalancerId>,
    /// The supervisor ran out of descriptors: no accept before then.
    pub(in crate::event_loop) exhausted_until: Option<Instant>,
    /// Sockets that let nobody new in.
    pub(in crate::event_loop) closing: Vec<Closing>,
    /// Addresses that are no longer listened on, and were served.
    pub(in crate::event_loop) closed: Vec<(BalancerId, Address)>,
    pub(in crate::event_loop) told_early: Told,
    /// Those of the service manager's.
    pub(in crate::event_loop) activated: Vec<ActivatedSocket>,
    /// The number of the one that was opened last.
    last: u32,
}

impl Listeners {
    /// None yet, and these of the service manager's.
    pub(in crate::event_loop) fn new(activated: Vec<ActivatedSocket>) -> Self {
        Self { activated, ..Self::default() }
    }

    /// A name that no other has had.
    pub(in crate::event_loop) fn name_another(&mut self) -> BalancerId {
        self.last += 1;
        BalancerId(self.last)
    }
}
