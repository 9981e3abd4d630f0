//! The pool: what is known of the cluster, and where each input goes.
//! It performs no IO and reads no clock; the contract is in the parent module.

use super::balancers::balancer::Held;
use super::lanes::lane::Lanes;
use super::vitals::boot::Refusals;
use super::vocabulary::deadlines::Deadlines;
use super::vocabulary::phase::Closing;
use super::workers::process::{Process, Role};
use super::workers::processes::Processes;
use super::workers::rollout::{NextReload, Rollout};
use super::workers::slot::Slot;
use super::{Balancer, Deadline, Gate, Input, Note, Outcome, Output, Phase, Settings};
use crate::ids::BalancerId;
use std::collections::{BTreeMap, VecDeque};
use std::time::Instant;

/// The pure core of one cluster.
#[derive(Debug)]
pub(crate) struct Pool {
    pub(super) settings: Settings,
    pub(super) phase: Phase,
    /// What is told when it comes to rest.
    pub(super) outcome: Outcome,
    /// Some worker has been ready, or has had its time to be.
    pub(super) ever_ready: bool,
    /// Some worker has listened.
    pub(super) ever_listened: bool,
    /// The first `settings.workers` are to be; what follows is on its way out.
    pub(super) slots: Vec<Slot>,
    pub(super) processes: Processes,
    /// The version of new slots: the last that all have been brought to.
    pub(super) version: u32,
    /// The newest there is.
    pub(super) versions: u32,
    pub(super) rollout: Option<Rollout>,
    /// When some worker was found to have been given as many connections as one process is.
    pub(super) spent: Option<Instant>,
    /// The reload that begins when no rollout is under way.
    pub(super) next_reload: Option<NextReload>,
    /// What waits for a command of the user's to allow it.
    pub(super) gate: Option<Gate>,
    /// How far the cluster is in its stop while workers still serve.
    pub(super) closing: Option<Closing>,
    /// When a look came late.
    pub(super) late: Option<Instant>,
    /// All that serve take nothing for too long, and it has been said.
    pub(super) starved: bool,
    /// The last incarnation in each slot that was scaled away, by slot.
    pub(super) past: Vec<u32>,
    pub(super) balancers: BTreeMap<BalancerId, Balancer>,
    pub(super) lanes: Lanes,
    pub(super) refusals: Refusals,
    pub(super) deadlines: Deadlines,
    pub(super) outbox: VecDeque<Output>,
}

impl Pool {
    /// A cluster that has not been started. Settings that must be at least 1 count as 1 when they are 0.
    pub(crate) fn new(settings: Settings) -> Self {
        let settings = settings.normalised();
        Self {
            phase: Phase::Idle,
            outcome: Outcome::Stopped,
            ever_ready: false,
            ever_listened: false,
            slots: (0..settings.workers).map(|slot| Slot::new(slot, 0, &settings)).collect(),
            processes: Processes::unstarted(settings.workers),
            version: 0,
            versions: 0,
            rollout: None,
            spent: None,
            next_reload: None,
            gate: None,
            closing: None,
            late: None,
            starved: false,
            past: Vec::new(),
            balancers: BTreeMap::new(),
            lanes: Lanes::new(),
            refusals: Refusals::default(),
            deadlines: Deadlines::default(),
            outbox: VecDeque::new(),
            settings,
        }
    }

    /// Takes in a fact. Drain `poll_output` afterwards.
    pub(crate) fn handle(&mut self, now: Instant, input: Input) {
        // Inputs of the connection path only ever add a deadline, and lower it themselves; the others look again.
        let mut recount = true;
        match input {
            Input::Start => self.start(now),
            Input::Spawned { worker, pid } => self.spawned(now, worker, pid),
            Input::SpawnFailed { worker, error } => self.spawn_failed(now, worker, error),
            Input::BalancerOpened { balancer, route } => self.balancer_opened(balancer, route),
            Input::QueuedAt { lane, waiting } => {
                self.queued_at(lane, waiting);
                recount = false;
            }
            Input::BalancerFailed { balancer, error } => self.balancer_failed(now, balancer, error),
            Input::BalancerReopened { balancer, anew } => self.balancer_reopened(now, balancer, anew),
            Input::SocketGiven { lane } => self.socket_given(now, lane),
            Input::LaneOpened { lane, worker, balancer } => self.lane_opened(now, lane, worker, balancer),
            Input::Unlistened { balancer } => self.unlistened(balancer),
            Input::LaneShared { from, to } => self.lane_shared(now, from, to),
            Input::LaneClosed { lane } => self.lane_closed(now, lane),
            Input::OneByOne { lane, on } => self.one_by_one(now, lane, on),
            Input::Looked { lane, waiting, held: true } => self.looked(now, lane, waiting),
            Input::Looked { lane, waiting: _, held: false } => self.lane_closed(now, lane),
            Input::MainEnded { worker, exit } => self.main_ended(now, worker, exit),
            Input::Exited { worker, exit } => self.exited(now, worker, exit),
            Input::Command { slot, command } => self.command(now, slot, command),
            Input::Scale { workers } => self.scale(now, workers),
            Input::Configure { settings } => self.configure(now, *settings),
            Input::Stop => self.stop(now),
            Input::Halt => self.halt(now),
            Input::Quiet { worker } => self.became_quiet(now, worker),
            Input::Emptied { balancer } => self.emptied(balancer),
            Input::Reload { ticket, in_place } => self.reload(now, NextReload { ticket, in_place }),
            Input::AbortReload => self.abort_reload(now),
            Input::Prepared { ticket } => self.prepared(ticket),
            Input::Allowed { gate } => self.allowed(now, gate),
            Input::Denied { gate, error } => self.denied(now, gate, error),
            Input::Unfit { ticket, error } => self.unfit(now, ticket, error),
            Input::Memory { worker, bytes } => self.weighed(now, worker, bytes),
            Input::MemoryMeasured { worker, bytes } => self.memory_measured(now, worker, bytes),
            Input::Kill => self.kill(now),
            Input::Ready { worker } => self.became_ready(now, worker),
            Input::SaysStopping { worker } => self.says_stopping(now, worker),
            Input::Extended { worker, by } => self.extended(now, worker, by),
            Input::Booting { worker, activity } => self.boot_looked(now, worker, activity),
            Input::Lag { worker, lag } => self.lagged(now, worker, lag),
            Input::Late => self.looked_late(now),
            Input::Examined { worker, finding, evidence } => self.examined(now, worker, finding, evidence),
            Input::HolderExamined { lane, finding, evidence } => {
                self.holder_examined(now, lane, finding, evidence);
            }
            Input::Unwell { worker, cause } => self.unwell(now, worker, cause),
            Input::OpenConnections { worker, open } => self.open_connections(now, worker, open),
            Input::Measured { lane, waiting } => {
                self.measured(now, lane, waiting);
                recount = false;
            }
            Input::NoRoom { lane } => {
                self.no_room(now, lane);
                recount = false;
            }
            Input::TakesCredit { lane, on } => self.takes_credit(now, lane, on),
            Input::Accepters { lane, threads, may_open, may_watch } => {
                self.accepters(lane, threads, may_open, may_watch);
                recount = false;
            }
            Input::Queued { balancer, waiting } => {
                self.queued(now, balancer, waiting);
                recount = false;
            }
            Input::Shut { lane } => {
                self.shut(now, lane);
                recount = false;
            }
            Input::Direct { lane, empty } => {
                self.direct(lane, empty);
                recount = false;
            }
            Input::Woken { lane } => {
                self.woken(now, lane);
                recount = false;
            }
            Input::Stalled { lane } => {
                self.stalled(now, lane);
                recount = false;
            }
            Input::Exhausted { lane } => {
                self.exhausted(now, lane);
                recount = false;
            }
            Input::Took { lane, count } => {
                self.took(now, lane, count);
                recount = false;
            }
            Input::NoneTaken { lane } => self.none_taken(now, lane),
            Input::Accepted { conn, balancer, source } => {
                self.accepted(now, Held { conn, source }, balancer);
                recount = false;
            }
            Input::Returned { conn, balancer, source } => {
                self.returned(now, Held { conn, source }, balancer);
                recount = false;
            }
        }
        // The stop waits for connections, too.
        if recount || self.closing.is_some() {
            self.roll(now);
            self.close(now);
            self.review(now);
            self.deadlines = self.earliest();
        }
        self.drop_gate();
        self.tell_steering();
        self.check();
    }

    /// Does what is due at `now`. Drain `poll_output` afterwards.
    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        if self.next_deadline().is_some_and(|at| at <= now) {
            self.process_timers(now);
            self.launch(now);
            self.balancer_timers(now);
            self.queue_timers(now);
            self.admission_timers(now);
            self.close_unserved();
            self.roll(now);
            self.close(now);
            // After all that may want to have a lane looked at now.
            self.look_timers(now);
            self.boot_timers(now);
            self.review(now);
            self.deadlines = self.earliest();
        }
        self.drop_gate();
        self.tell_steering();
        self.check();
        debug_assert!(self.next_deadline().is_none_or(|at| at > now), "a deadline that has come was kept");
    }

    /// The next order to carry out.
    pub(crate) fn poll_output(&mut self) -> Option<Output> {
        if self.outbox.is_empty() {
            self.come_to_rest();
        }
        let output = self.outbox.pop_front();
        if let Some(Output::Dispatch { lane, .. } | Output::Grant { lane } | Output::TakeFor { lane }) =
            output
            && let Some(lane) = self.lanes.get_mut(&lane)
        {
            lane.polled();
        }
        output
    }

    /// Whether a connection should be taken out of the balancer's accept queue now. Where not, `Resume` tells when.
    pub(crate) fn may_accept(&self, balancer: BalancerId) -> bool {
        self.balancers.get(&balancer).is_some_and(Balancer::has_room)
    }

    /// When to call `handle_timeout`, at the latest.
    pub(crate) fn next_deadline(&self) -> Option<Deadline> {
        self.deadlines.next().map(|(at, _)| at)
    }

    /// What the cluster has been brought to.
    pub(crate) fn version(&self) -> u32 {
        self.version
    }

    /// It is not to be started again.
    pub(super) fn is_unwanted(&self, process: &Process) -> bool {
        match process.role {
            Role::Current => self.slots.get(process.id().slot as usize).is_none_or(|slot| slot.removed),
            Role::Successor { wanted } => !wanted,
            Role::Retiring { .. } => true,
        }
    }

    pub(super) fn note(&mut self, note: Note) {
        self.outbox.push_back(Output::Note(note));
    }

    /// Debug builds check every invariant after every input, so that all tests do, those of the shell too.
    pub(super) fn check(&self) {
        #[cfg(any(test, debug_assertions))]
        self.check_invariants();
    }
}
