//! The move itself: watches until all connections are known to be between two requests, keeps them there, stops the worker,
//! looks once more, and takes them. Where that cannot be done, the worker goes on as if nothing had been.

mod keeping;

use super::drop_filter::DropFilter;
use super::plan::{Plan, Step};
use super::proof::{Proofs, Standing};
use super::rcvlowat::{self, Frozen};
use super::sigstop::SigStop;
use super::snapshot::{Processes, Snapshot};
use super::{Effort, Left, Moved, Outcome, Taken};
use crate::io::drain::idle_detector::Watched;
use crate::io::drain::idle_detector::judge::History;
use crate::io::drain::idle_detector::snapshot::something_waits;
use crate::io::kernel::scheduling::processor_time;
use crate::io::kernel::sockopt::{is_nonblocking, own_address, peer_address};
use std::io;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

/// A program that is always at work at something has said nothing on any connection for so long.
const SETTLED_AT_WORK: Duration = Duration::from_millis(250);
/// However short the silence that others wait for.
const LEAST_OLD: Duration = Duration::from_secs(1);
/// Times are not longer than this, so that they can be added up.
const FOR_EVER: Duration = Duration::from_secs(365 * 24 * 3600);
/// What a look may take of a processor, as a divisor, and the shortest time between two: while it only watches, and while
/// requests wait for it.
const WATCHING: (u32, Duration) = (20, Duration::from_millis(5));
const KEEPING: (u32, Duration) = (4, Duration::from_millis(2));
/// What a process has open is read again so often, or no more than a part of the time.
const DESCRIPTORS: (Duration, u32) = (Duration::from_millis(100), 10);
/// Time from one stop in vain to the next: doubled each time, up to a limit.
const STOPS: (Duration, Duration) = (Duration::from_millis(5), Duration::from_millis(160));
/// Looks at a stopped worker: the client may send while one is taken.
const LAST_LOOKS: u32 = 3;

/// Takes all connections and kills the worker, within `patience`. One that has none that could be taken is left as it is.
/// `wait` answers false if nobody wants it any more.
pub(super) fn take(watched: &Watched, patience: Duration, wait: &dyn Fn(Duration) -> bool) -> Outcome {
    let mut attempt = Attempt {
        watched,
        old: watched.idle_grace.clamp(LEAST_OLD, FOR_EVER),
        wait,
        proofs: Proofs::default(),
        history: History::default(),
        frozen: Frozen::default(),
        shut: DropFilter::default(),
        connections: 0,
        obstacle: "nothing was seen of it yet".to_owned(),
        effort: Effort::default(),
    };
    let begin = now();
    let end = attempt.run(patience.min(FOR_EVER));
    attempt.effort.took = now() - begin;
    let why = match end {
        Ok(Some(taken)) => return Ok(Moved { taken, effort: attempt.effort }),
        Ok(None) => std::mem::take(&mut attempt.obstacle),
        Err(error) => error.to_string(),
    };
    attempt.thaw();
    Err(Left { connections: attempt.connections, why, effort: attempt.effort })
}

struct Attempt<'a> {
    watched: &'a Watched,
    /// What was silent for so long is between two requests.
    old: Duration,
    wait: &'a dyn Fn(Duration) -> bool,
    proofs: Proofs,
    history: History,
    frozen: Frozen,
    shut: DropFilter,
    connections: u32,
    /// What was in the way at the last look.
    obstacle: String,
    effort: Effort,
}

impl Attempt<'_> {
    /// `None` if it has taken too long, or is given up.
    fn run(&mut self, patience: Duration) -> io::Result<Option<Vec<Taken>>> {
        let begin = now();
        let mut plan = Plan::new(begin, patience, self.old);
        let mut processes = Processes::see(&self.watched.pids)?;
        let (mut processes_seen, mut next) = (now(), DESCRIPTORS.0.max((now() - begin) * DESCRIPTORS.1));
        let (mut stop_at, mut between) = (begin, STOPS.0);
        loop {
            let (start, used_before) = (now(), processor_time());
            if start - begin > patience {
                return Ok(None);
            }
            if start - processes_seen > next {
                processes = Processes::see(&self.watched.pids)?;
                processes_seen = now();
                next = DESCRIPTORS.0.max((processes_seen - start) * DESCRIPTORS.1);
            }
            let mut snapshot = self.look(&processes, start)?;
            if snapshot.seen.is_empty() && !self.lane_waits() {
                // What it took from its lanes just now may be unknown yet.
                processes = Processes::see(&self.watched.pids)?;
                snapshot = self.look(&processes, now())?;
                if snapshot.seen.is_empty() {
                    return Ok(None);
                }
            }
            let receiving = processes.receiving();
            self.proofs.learn(&snapshot.seen, &receiving, self.old, start);
            let standings: Vec<_> =
                snapshot.seen.iter().map(|seen| self.proofs.standing(seen.cookie)).collect();
            self.see_obstacle(&snapshot, &standings);
            if self.obstacle.is_empty() && start >= stop_at && may_stop(processes.are_at_rest(), &standings) {
                if let Some(taken) = self.stop_and_take()? {
                    return Ok(Some(taken));
                }
                stop_at = now() + between;
                between = (between * 2).min(STOPS.1);
            }
            let is_stuck = |standing: &Standing| !standing.complete && !standing.expected;
            let step = plan.step(start, snapshot.busy_others > 0 || standings.iter().any(is_stuck));
            if step == Step::Watch {
                self.thaw();
            } else {
                self.freeze(&snapshot, &standings, &receiving, &processes, step)?;
            }
            let (share, shortest) = if step == Step::Watch { WATCHING } else { KEEPING };
            let cost = processor_time().saturating_sub(used_before);
            if !(self.wait)((cost * (share - 1)).max(shortest)) {
                return Ok(None);
            }
            if !self.frozen.is_empty() || !self.shut.is_empty() {
                self.effort.kept += now() - start;
            }
        }
    }

    fn look(&mut self, processes: &Processes, now: Instant) -> io::Result<Snapshot> {
        let snapshot = Snapshot::look(processes, self.watched, &mut self.history, now)?;
        if snapshot.is_too_old {
            return Err(io::Error::new(
                io::ErrorKind::Unsupported,
                "this kernel does not count what is sent",
            ));
        }
        self.connections = snapshot.seen.len() as u32;
        Ok(snapshot)
    }

    /// Tells what is in the way, or nothing.
    fn see_obstacle(&mut self, snapshot: &Snapshot, standings: &[Standing]) {
        let busy = standings.iter().filter(|standing| !standing.complete).count();
        self.obstacle = if self.lane_waits() {
            "connections wait in its lanes".to_owned()
        } else if busy > 0 {
            format!("{busy} connections are not known to be between two requests")
        } else if snapshot.busy_others > 0 {
            format!("{} connections that cannot be taken are at work", snapshot.busy_others)
        } else {
            String::new()
        };
    }

    fn lane_waits(&self) -> bool {
        self.watched.lanes.iter().any(something_waits)
    }

    /// Stops the worker and looks once more: nothing moves but what clients send. `None` if it was too early.
    fn stop_and_take(&mut self) -> io::Result<Option<Vec<Taken>>> {
        let begin = now();
        self.effort.stops += 1;
        let taken = self.take_stopped();
        self.effort.stood += now() - begin;
        taken
    }

    fn take_stopped(&mut self) -> io::Result<Option<Vec<Taken>>> {
        let Some(hold) = SigStop::stop(&self.watched.pids, now)? else {
            self.obstacle = "a process does not stop".to_owned();
            return Ok(None);
        };
        if self.lane_waits() {
            return Ok(None);
        }
        let processes = Processes::see(&self.watched.pids)?;
        let at_rest = hold.was_at_rest();
        for _ in 0..LAST_LOOKS {
            let snapshot = self.look(&processes, now())?;
            let are_complete = snapshot.seen.iter().all(|seen| self.proofs.holds(seen));
            if snapshot.busy_others > 0 || !are_complete || !self.proofs.are_all(&snapshot.seen) {
                continue;
            }
            let standings: Vec<_> =
                snapshot.seen.iter().map(|seen| self.proofs.standing(seen.cookie)).collect();
            if may_stop(at_rest, &standings) {
                return self.take_all(hold, &snapshot, &processes);
            }
            return Ok(None);
        }
        Ok(None)
    }

    /// All or none.
    fn take_all(
        &mut self,
        hold: SigStop,
        snapshot: &Snapshot,
        processes: &Processes,
    ) -> io::Result<Option<Vec<Taken>>> {
        let mut copies = Vec::with_capacity(snapshot.seen.len());
        for seen in &snapshot.seen {
            let Some(copy) = rcvlowat::copy(seen.cookie, seen.inode, processes)? else { return Ok(None) };
            copies.push((seen.cookie, copy));
        }
        hold.kill();
        let taken = copies.into_iter().filter_map(|(cookie, fd)| {
            self.frozen.thaw_taken(cookie, fd.as_fd());
            self.shut.open_taken(cookie, fd.as_fd());
            Some(Taken {
                local: own_address(fd.as_fd()).ok()?,
                peer: peer_address(fd.as_fd()),
                nonblock: is_nonblocking(fd.as_fd()),
                fd,
            })
        });
        Ok(Some(taken.collect()))
    }
}

/// Whether a program whose answers are all complete may be ended: it has nothing to do after them either.
fn may_stop(at_rest: bool, standings: &[Standing]) -> bool {
    at_rest || standings.iter().all(|standing| standing.silence >= SETTLED_AT_WORK)
}

#[expect(clippy::disallowed_methods, reason = "this thread paces itself; the loop's clock is not its own")]
fn now() -> Instant {
    Instant::now()
}
