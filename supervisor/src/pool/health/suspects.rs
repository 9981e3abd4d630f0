//! How many workers may be out of rotation as suspects at once: where most lag, the machine or something that all depend
//! on is slow, and nobody is to blame. It takes nobody out.

use crate::ids::WorkerId;
use crate::pool::lanes::status::{Eligibility, LaneState};
use crate::pool::workers::process::Process;
use crate::pool::{Lane, Pool};
use std::time::{Duration, Instant};

/// Who lags for so many times the limit leaves even where most lag.
const LONG: u32 = 10;

impl Pool {
    /// The worker serves, others can take over wherever it does, and not too many are out.
    pub(super) fn may_go_out(&self, now: Instant, id: WorkerId) -> bool {
        let others = |own: &Lane| {
            self.lanes.values().any(|lane| {
                let fit = matches!(lane.eligibility, Eligibility::Open | Eligibility::AtLimit)
                    && !matches!(lane.state, LaneState::Suspect | LaneState::Left);
                fit && lane.balancer() == own.balancer() && lane.worker() != id
            })
        };
        let mut own = self.lanes.values().filter(|lane| lane.worker() == id).peekable();
        own.peek().is_some() && own.all(others) && self.has_room_for_suspect(now, id)
    }

    /// No more than half of the workers that run and are not cordoned are suspects, counting this one; and where more
    /// than half lag, none becomes one before it lags for long.
    pub(in crate::pool) fn has_room_for_suspect(&self, now: Instant, id: WorkerId) -> bool {
        let (mut running, mut out, mut lagging, mut own) = (0, 0, 0, Duration::ZERO);
        for worker in self
            .processes
            .active_ones()
            .filter(|worker| worker.is_running() && !self.is_cordoned(worker.id()))
        {
            let suspect = self.is_out(worker);
            if suspect && worker.id() == id {
                return true;
            }
            let behind = self.behind(now, worker);
            if worker.id() == id {
                own = behind;
            }
            running += 1;
            out += usize::from(suspect);
            lagging += usize::from(suspect || worker.id() == id || self.lags(behind));
        }
        out < running / 2 && (lagging <= running / 2 || self.lags_for_long(own))
    }

    /// For how long the worker has been away from its wait, or has taken nothing though something waits, by now.
    pub(crate) fn behind_for(&self, now: Instant, id: WorkerId) -> Duration {
        self.processes.active(id).map_or(Duration::ZERO, |worker| self.behind(now, worker))
    }

    /// For how long the worker has been away from its wait, or has taken nothing though something waits.
    fn behind(&self, now: Instant, worker: &Process) -> Duration {
        let own = self.lanes.values().filter(|lane| lane.worker() == worker.id());
        let stuck = own.filter_map(|lane| lane.idle_for(now)).max().unwrap_or_default();
        let fresh = self.settings.health.lag_limit.unwrap_or_default();
        worker.health.lag_now(now, fresh).max(stuck)
    }

    /// It is beyond the limit, or may soon be: what slows down everybody does not do so in the same moment.
    pub(super) fn lags(&self, lag: Duration) -> bool {
        self.settings.health.lag_limit.is_some_and(|limit| lag >= limit / 2)
    }

    /// So long that it is of no use in rotation, whatever others do.
    fn lags_for_long(&self, lag: Duration) -> bool {
        let long = self.settings.health.lag_limit.map(|limit| limit.saturating_mul(LONG));
        let limit = long.into_iter().chain(self.settings.health.hang_limit()).min();
        limit.is_some_and(|limit| lag >= limit)
    }

    /// It is out of rotation somewhere, because of its lag or because nothing is taken from a lane.
    pub(in crate::pool) fn is_out(&self, worker: &Process) -> bool {
        let stuck = || {
            let its = |lane: &Lane| lane.worker() == worker.id() && lane.state == LaneState::Suspect;
            self.lanes.iter().any(|(id, lane)| its(lane) && !self.has_well_sibling(*id, lane))
        };
        worker.is_running() && (worker.health.is_suspect() || stuck())
    }
}
