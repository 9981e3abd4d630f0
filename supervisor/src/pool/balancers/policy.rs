//! The balancing policies: which of the lanes in rotation a connection is for, and which suspects would have had it. What these miss counts
//! as demand, as what waited in their lanes did before. It gives nothing out.

use super::balancer::{Balancer, Place};
use crate::pool::lanes::lane::Lanes;
use crate::pool::workers::processes::Processes;
use crate::pool::{Policy, Settings};

impl Balancer {
    /// The place in the rotation of the lane that the connection is for. All in it are ready, so that a hash which
    /// prefers one that is not spills over to the next it prefers.
    pub(super) fn pick(&self, source: u64, policy: Policy, processes: &Processes) -> Option<usize> {
        // Of several equal ones, `min_by_key` returns the first.
        let best = |key: &dyn Fn(&Place) -> u64| {
            let places = self.rotation.iter().enumerate();
            places.min_by_key(|(_, place)| key(place)).map(|(place, _)| place)
        };
        match policy {
            Policy::RoundRobin => (!self.rotation.is_empty()).then_some(0),
            Policy::LeastConnections => {
                best(&|place| processes.active(place.worker).map_or(u64::MAX, |process| process.load.open()))
            }
            Policy::SourceHash => best(&|place| preference(source, place.worker.slot)),
        }
    }

    /// Some of its lanes are out of rotation as suspects.
    pub(in crate::pool) fn has_suspects(&mut self) {
        self.may_miss = true;
    }

    /// A connection of this source has been given to the lane that had this place in the rotation.
    pub(super) fn note_missed(
        &mut self,
        given: Place,
        source: u64,
        settings: &Settings,
        lanes: &mut Lanes,
        processes: &Processes,
    ) {
        // Nearly always nobody is out: then nothing is looked through.
        if !self.may_miss {
            return;
        }
        let id = self.id();
        let mut any = false;
        for lane in lanes.values_mut().filter(|lane| lane.balancer() == id && lane.is_out()) {
            any = true;
            let Some(worker) =
                processes.active(lane.worker()).filter(|worker| !worker.load.is_full(settings))
            else {
                continue;
            };
            let first = match settings.balancing.policy {
                Policy::RoundRobin => lane.turn < given.turn,
                Policy::LeastConnections => {
                    let open = processes.active(given.worker).map_or(u64::MAX, |other| other.load.open());
                    (worker.load.open(), lane.turn) < (open, given.turn)
                }
                Policy::SourceHash => {
                    preference(source, lane.worker().slot) < preference(source, given.worker.slot)
                }
            };
            lane.missed |= first;
        }
        self.may_miss = any;
    }
}

/// How much a source prefers a slot: less is more. Does not depend on which other slots there are, so that a worker
/// that goes or comes moves no source but its own.
fn preference(source: u64, slot: u32) -> u64 {
    // The finaliser of SplitMix64, which changes half of the bits of the result for each bit of the argument.
    let mut z = source ^ (u64::from(slot) + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}
