//! Connections that a suspect misses: those that come while it is out of rotation and would have been its turn. They count
//! as demand, as those that waited in its lanes did before it left. It gives nobody anything.

use super::balancer::{Balancer, Place, preference};
use super::lane::{Eligibility, Lane, LaneState, Lanes};
use super::processes::Processes;
use super::{Policy, Settings};

impl Balancer {
    /// Some of its lanes are out of rotation as suspects.
    pub(super) fn has_suspects(&mut self) {
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
        for lane in lanes.values_mut().filter(|lane| lane.balancer() == id && is_out(lane)) {
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

/// It is out of rotation because of its worker's lag, or because nothing is taken from it; but for that it would be in.
pub(super) fn is_out(lane: &Lane) -> bool {
    lane.eligibility == Eligibility::Suspect
        || lane.eligibility == Eligibility::Open && lane.state == LaneState::Suspect
}
