//! What a worker may do while it boots that it may not do later, and the other way round: whether a connection of its own to
//! an address that it does not serve yet is refused, and whether a port that it opens is shared. It opens and connects nothing.

use crate::ids::{BalancerId, WorkerId};
use crate::pool::vocabulary::deadlines::after;
use crate::pool::workers::process::Process;
use crate::pool::{Pool, State};
use std::time::{Duration, Instant};

/// For so long after its first listen() a worker may go on to listen on other addresses, and test them before.
const SETTLES: Duration = Duration::from_secs(1);
/// So many connections of one process to one address are refused. A program that tests its address does so once or twice;
/// one that needs what another worker serves tries again and again, and is to get through.
const TIMES: u32 = 4;

/// What becomes of a connection that a worker makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Connecting {
    /// Refused, as if the worker ran alone. `first` of this process to this address.
    Refused { first: bool },
    /// As any other.
    Allowed,
    /// The same, and so are all that its processes make from now on: it has booted.
    Booted,
}

impl Pool {
    /// A process of the worker connects to the address of `to`, or to no address of the cluster. Programs test by that
    /// whether their address is free before they bind it; alone they find nobody there.
    pub(crate) fn connects(&mut self, now: Instant, id: WorkerId, to: Option<BalancerId>) -> Connecting {
        let Some(worker) = self.processes.active(id).filter(|worker| self.is_booting(now, worker)) else {
            return Connecting::Booted;
        };
        let Some(to) = to else { return Connecting::Allowed };
        let serves_it = self.lanes.values().any(|lane| lane.worker() == id && lane.balancer() == to);
        if serves_it || self.refusals.spared.contains(&id.slot) || !self.is_served_by_all(now, worker, to) {
            return Connecting::Allowed;
        }
        let count = self.refusals.counts.entry((id, to)).or_default();
        if *count >= TIMES {
            return Connecting::Allowed;
        }
        *count += 1;
        Connecting::Refused { first: *count == 1 }
    }

    /// It is not ready, or began to listen only just now.
    fn is_booting(&self, now: Instant, worker: &Process) -> bool {
        let settles = || worker.boot.first_listen().is_some_and(|at| now < at + SETTLES);
        let starts = matches!(worker.state(), State::Starting { .. });
        starts || (worker.is_running() && settles())
    }

    /// No other worker of the same version has booted without listening there: what one alone serves is what the others may
    /// well be clients of.
    fn is_served_by_all(&self, now: Instant, worker: &Process, to: BalancerId) -> bool {
        let serves = |id| self.lanes.values().any(|lane| lane.worker() == id && lane.balancer() == to);
        self.processes
            .active_ones()
            .filter(|other| other.id() != worker.id() && other.version == worker.version)
            .filter(|other| other.is_running() && !self.is_booting(now, other))
            .all(|other| serves(other.id()))
    }

    /// Whether a port that the system chooses now is for this worker alone. One that a program opens as it starts is the
    /// same in every worker; one that it opens while it serves is told to one client, who is to find this very worker. It
    /// serves once it is ready and has been given a connection, or has listened on nothing more for a while.
    pub(crate) fn opens_for_itself(&self, now: Instant, id: WorkerId) -> bool {
        let given = || self.lanes.values().any(|lane| lane.worker() == id && lane.was_given_any());
        let settled = |worker: &Process| {
            let last = worker.boot.last_listen();
            last.is_none_or(|at| after(at, self.settings.rollout.listen_settle) <= now)
        };
        self.processes.active(id).is_some_and(|worker| worker.is_running() && (given() || settled(worker)))
    }
}
