//! Why processes end and why workers get no connections: what the core notes and the shell finds out on the way, kept until
//! it is wanted. One cause for each; it decides nothing.

use super::super::Shell;
use super::super::os::Os;
use super::endings::{ending, found, recycle_reason};
use super::span::Span;
use crate::api::{Cause, CauseKind};
use crate::ids::WorkerId;
use crate::io::output::throttle::{Hushed, Throttle};
use crate::io::sockets::port_owner::{self, PortOwner};
use crate::pool::{Exit, Note, Reason, RecycleReason, Then};
use clustermon_protocol::address::Address;
use std::collections::HashMap;
use std::time::{Duration, Instant};

/// For so long it is not asked again who holds an address, and of how many it is known.
const REMEMBERED: Duration = Duration::from_secs(10);
const HOLDERS: usize = 16;

/// What is known of a process that lives.
#[derive(Debug, Default)]
pub(in crate::event_loop) struct OfLife {
    /// Why it is to end, or will if it does as programs do.
    coming: Option<Cause>,
    /// Why it is out of rotation, as a suspect or by its own word.
    out: Option<Cause>,
}

/// What is known beyond the life of a process.
#[derive(Debug, Default)]
pub(in crate::event_loop) struct Causes {
    /// How the last process of each slot ended, and why.
    last: HashMap<u32, Cause>,
    /// What that process wrote to stderr last, where it ended unasked and somebody reads it.
    last_stderr: HashMap<u32, Vec<String>>,
    holders: Vec<(Instant, Address, PortOwner)>,
    looks: Throttle,
}

impl Causes {
    /// How the last process of the worker's slot ended, and why.
    pub(in crate::event_loop) fn last(&self, worker: WorkerId) -> Option<&Cause> {
        self.last.get(&worker.slot)
    }

    /// What the last process of the worker's slot wrote to stderr last, if it ended unasked.
    pub(in crate::event_loop) fn last_stderr(&self, worker: WorkerId) -> Vec<String> {
        self.last_stderr.get(&worker.slot).cloned().unwrap_or_default()
    }
}

impl OfLife {
    /// A process that ended like this did so for this cause.
    fn of_end(&self, exit: &Exit, then: Then) -> Cause {
        let how = ending(exit);
        if let Some(cause) = &self.coming {
            return Cause::new(cause.kind, format!("{how} ({cause})"));
        }
        let asked = matches!(then, Then::Commanded | Then::Stopped);
        let kind = match exit {
            _ if asked => CauseKind::Commanded,
            _ if then == Then::Replaced => CauseKind::Reload,
            Exit::Code(_) => CauseKind::ExitCode,
            Exit::Signal { oom_killed: true, .. } => CauseKind::OomKiller,
            Exit::Signal { .. } => CauseKind::Signal,
        };
        // Nobody here sent it, and the kernel does not say who did.
        let is_kill = matches!(exit, Exit::Signal { signal: libc::SIGKILL, .. });
        let is_unknown =
            kind == CauseKind::Signal && is_kill && matches!(then, Then::Restart | Then::BudgetSpent);
        Cause::new(kind, if is_unknown { format!("{how} (not known who sent it)") } else { how })
    }
}

impl<O: Os> Shell<O> {
    /// How the process ended, with the cause if that is another one.
    pub(in crate::event_loop) fn end(&self, worker: WorkerId, exit: &Exit, then: Then) -> String {
        self.cause_of_end(worker, exit, then).text
    }

    fn cause_of_end(&self, worker: WorkerId, exit: &Exit, then: Then) -> Cause {
        let life = self.lives.get_to_the_end(worker);
        life.map_or_else(|| OfLife::default().of_end(exit, then), |life| life.causes.of_end(exit, then))
    }

    fn coming(&self, worker: WorkerId) -> Option<&Cause> {
        self.lives.get_to_the_end(worker)?.causes.coming.as_ref()
    }

    fn causes_of(&mut self, worker: WorkerId) -> Option<&mut OfLife> {
        self.lives.get_mut_to_the_end(worker).map(|life| &mut life.causes)
    }

    /// If the process ends, it does so for this.
    fn will_end_for(&mut self, worker: WorkerId, cause: Cause) {
        if let Some(causes) = self.causes_of(worker) {
            causes.coming = Some(cause);
        }
    }

    /// If the process ends, it most likely does so for this, unless another cause is known.
    pub(in crate::event_loop) fn may_end_for(&mut self, worker: WorkerId, cause: Cause) {
        if let Some(causes) = self.causes_of(worker) {
            causes.coming.get_or_insert(cause);
        }
    }

    fn is_out_for(&mut self, worker: WorkerId, cause: Cause) {
        if let Some(causes) = self.causes_of(worker) {
            causes.out = Some(cause);
        }
    }

    /// Takes in what a note says of causes.
    pub(super) fn learn(&mut self, note: &Note) {
        match note {
            Note::Hung { worker, lag, finding, .. } => {
                let text = format!("hung for {}, {}", Span(*lag), found(*finding));
                self.will_end_for(*worker, Cause::new(CauseKind::Hung, text));
            }
            Note::StartFailed { worker, after, .. } => {
                let text = format!("not ready within {}", Span(*after));
                self.may_end_for(*worker, Cause::new(CauseKind::StartTimeout, text));
            }
            Note::MainEnded { worker, exit, .. } => {
                let kind = match exit {
                    Exit::Code(_) => CauseKind::ExitCode,
                    Exit::Signal { .. } => CauseKind::Signal,
                };
                let text = format!("its main process ended: {}", ending(exit));
                self.reports.causes.last.insert(worker.slot, Cause::new(kind, text.as_str()));
                self.will_end_for(*worker, Cause::new(kind, "its main process ended, others of it went on"));
            }
            Note::Unwell { worker, cause } => {
                self.will_end_for(*worker, Cause::new(CauseKind::Unwell, cause.as_str()));
            }
            Note::Recycled { worker, reason } => {
                let kind = match reason {
                    RecycleReason::Memory { .. } => CauseKind::Memory,
                    RecycleReason::Lifetime { .. } => CauseKind::Lifetime,
                    RecycleReason::Connections { .. } => CauseKind::Connections,
                };
                self.will_end_for(*worker, Cause::new(kind, recycle_reason(reason)));
            }
            Note::NotReplaced { .. } => {
                // One is replaced at a time, and this one goes on.
                let worn = [CauseKind::Memory, CauseKind::Lifetime, CauseKind::Connections];
                for (_, life) in self.lives.iter_mut() {
                    life.causes.coming.take_if(|cause| worn.contains(&cause.kind));
                }
            }
            Note::Ready { worker, .. } => {
                // Whatever it could not have, it does without.
                if let Some(causes) = self.causes_of(*worker) {
                    *causes = OfLife::default();
                }
            }
            Note::SpawnFailed { worker, error, .. } => {
                let cause = Cause::new(CauseKind::SpawnFailed, error.as_str());
                self.reports.causes.last.insert(worker.slot, cause);
            }
            Note::Exited { worker, exit, then, .. } => {
                // One that came to nothing before it had the slot is no end of the slot's.
                if *then != Then::Failed {
                    let cause = self.cause_of_end(*worker, exit, *then);
                    let is_wanted = matches!(then, Then::Restart | Then::BudgetSpent);
                    let lines = is_wanted.then(|| self.outputs.last_lines(*worker, self.poll.registry()));
                    self.reports.causes.last.insert(worker.slot, cause);
                    self.reports.causes.last_stderr.insert(worker.slot, lines.unwrap_or_default());
                }
                if let Some(causes) = self.causes_of(*worker) {
                    *causes = OfLife::default();
                }
            }
            Note::Lagging { worker, lag } => {
                let text = format!("busy for {}", Span(*lag));
                self.is_out_for(*worker, Cause::new(CauseKind::Lag, text));
            }
            Note::Suspect { worker, waited, .. } => {
                let text = format!("has taken nothing for {}", Span(*waited));
                if let Some(causes) = self.causes_of(*worker) {
                    causes.out.get_or_insert(Cause::new(CauseKind::Stuck, text));
                }
            }
            Note::SaysStopping { worker } => {
                self.is_out_for(*worker, Cause::new(CauseKind::Resigned, "says that it is stopping"));
            }
            Note::CaughtUp { worker, .. } | Note::Recovered { worker, .. }
                if !self.pool.is_suspect(*worker) =>
            {
                if let Some(causes) = self.causes_of(*worker) {
                    causes.out = None;
                }
            }
            _ => {}
        }
    }

    /// Why the worker has no process.
    pub(super) fn why_down(&self, worker: WorkerId, reason: Reason) -> Cause {
        let why = self.coming(worker).or_else(|| self.reports.causes.last(worker));
        let because = super::announce::because(reason);
        let (kind, tell) = match reason {
            Reason::Unstarted | Reason::Restart => (CauseKind::Commanded, false),
            Reason::BudgetSpent => (CauseKind::Budget, true),
            Reason::Finished => (CauseKind::ExitCode, true),
            Reason::Stopped => (CauseKind::Commanded, true),
        };
        match why {
            Some(cause) if tell => Cause::new(kind, format!("{because}: {cause}")),
            Some(cause) => cause.clone(),
            None => Cause::new(kind, because),
        }
    }

    /// Why the worker is told to stop.
    pub(super) fn why_stopping(&self, worker: WorkerId) -> Cause {
        let cause = self.coming(worker).cloned();
        cause.unwrap_or_else(|| Cause::new(CauseKind::Commanded, "told to stop"))
    }

    /// Why a worker that runs gets no connections, if it gets none.
    pub(super) fn why_out(&self, worker: WorkerId) -> Option<Cause> {
        let life = self.lives.get(worker);
        if let Some(cause) = life.and_then(|life| life.uncovered.as_ref()?.cause.as_ref()) {
            return Some(cause.clone());
        }
        let known = self.pool.worker(worker).filter(|known| known.is_running())?;
        if known.is_cordoned() {
            return Some(Cause::new(CauseKind::Cordoned, "cordoned"));
        }
        if let Some(cause) = life.and_then(|life| life.bypass.cause()) {
            return Some(cause);
        }
        let cause = life?.causes.out.as_ref()?;
        let still = if cause.kind == CauseKind::Resigned {
            known.says_stopping()
        } else {
            self.pool.is_suspect(worker)
        };
        let behind = Span(self.pool.behind_for(self.now, worker));
        still.then(|| match cause.kind {
            CauseKind::Lag => Cause::new(CauseKind::Lag, format!("busy for {behind}")),
            CauseKind::Stuck => Cause::new(CauseKind::Stuck, format!("has taken nothing for {behind}")),
            _ => cause.clone(),
        })
    }

    /// A worker cannot listen there: that is told with who can, and is why it ends if it does. The sockets that keep it from that are
    /// looked for where they are not known.
    pub(in crate::event_loop) fn tell_taken(
        &mut self,
        worker: WorkerId,
        address: &Address,
        sockets: Option<&[u64]>,
    ) {
        let id = self.logical_id(worker).to_owned();
        let held = self.why_not_quite_activated(address).unwrap_or_else(|| self.why_taken(address, sockets));
        let process = self.lives.process_mut(worker);
        let hushed = process.map_or(Some(Hushed::default()), |process| process.complaints.ask(self.now));
        if let Some(hushed) = hushed {
            log::error!("worker {id} cannot listen on {address}: {held}{hushed}");
        }
        if !self.pool.lanes().any(|(_, lane)| lane.worker() == worker) {
            let text = format!("cannot listen on {address}: {held}");
            self.may_end_for(worker, Cause::new(CauseKind::PortTaken, text));
        }
    }

    fn why_taken(&mut self, address: &Address, sockets: Option<&[u64]>) -> String {
        match self.holder(address, sockets) {
            PortOwner::Nobody if address.path().is_some() => {
                "the file exists and is not the cluster's; nobody listens there".to_owned()
            }
            holder if address.path().is_some() => {
                format!("the file exists and is not the cluster's: it is held by {holder}")
            }
            holder => format!("it is held by a process outside the cluster: {holder}"),
        }
    }

    /// Each worker meets the same, again and again: the answer is good for a while.
    fn holder(&mut self, address: &Address, sockets: Option<&[u64]>) -> PortOwner {
        let now = self.now;
        let holders = &mut self.reports.causes.holders;
        holders.retain(|(at, _, _)| now.saturating_duration_since(*at) < REMEMBERED);
        if let Some((_, _, known)) = holders.iter().find(|(_, known, _)| known == address) {
            return known.clone();
        }
        // Of a program that tries one address after the other not each is looked for: that takes a while.
        if self.reports.causes.looks.ask(now).is_none() {
            return PortOwner::Unseen;
        }
        let holder = sockets.map_or_else(|| port_owner::of(address), port_owner::owners);
        if let Some(left) = holder.left() {
            log::error!("{address} is held by {left}");
        }
        let holders = &mut self.reports.causes.holders;
        holders.truncate(HOLDERS - 1);
        holders.insert(0, (now, *address, holder.clone()));
        holder
    }
}
