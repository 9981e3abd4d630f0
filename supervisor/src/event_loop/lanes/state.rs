//! What the shell holds of lanes: those that there are, those on their way to their workers, and those that are over with something in them.

use super::idle::IdleLanes;
use crate::ids::LaneId;
use crate::io::lanes::lane::Lane;
use crate::io::lanes::lane_owner_probe::LaneOwnerProbe;
use crate::io::lanes::thunk_socket::Delivery;
use std::collections::BTreeMap;

/// The lanes, and what is known of them.
#[derive(Debug)]
pub(in crate::event_loop) struct Lanes {
    pub(in crate::event_loop) all: BTreeMap<LaneId, Lane>,
    /// Lanes that are no more, with connections in them for which there was no descriptor.
    pub(in crate::event_loop) leftovers: Vec<Lane>,
    /// Lanes that their workers may not have taken in yet.
    pub(in crate::event_loop) deliveries: Vec<(LaneId, Delivery)>,
    pub(in crate::event_loop) idle: IdleLanes,
    pub(in crate::event_loop) owner_probe: LaneOwnerProbe,
    /// What one record takes of a lane's buffer, in bytes.
    pub(in crate::event_loop) record_cost: u32,
    /// The number of the one that was named last.
    last: u64,
}

impl Lanes {
    pub(in crate::event_loop) fn new(owner_probe: LaneOwnerProbe, record_cost: u32) -> Self {
        Self {
            all: BTreeMap::new(),
            leftovers: Vec::new(),
            deliveries: Vec::new(),
            idle: IdleLanes::default(),
            owner_probe,
            record_cost,
            last: 0,
        }
    }

    /// A name that no other has had. Sockets among which the kernel chooses have such names too.
    pub(in crate::event_loop) fn name_another(&mut self) -> LaneId {
        self.last += 1;
        LaneId(self.last)
    }
}
