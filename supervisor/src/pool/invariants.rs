//! What is true of the pool after every input. Tests and debug builds check it; it changes nothing.

use super::balancers::balancer::Place;
use super::lanes::status::{Eligibility, LaneState};
use super::pool::Pool;
use super::workers::process::Process;
use super::workers::rollout::Rollout;
use super::workers::slot::Slot;
use super::{BalancerState, Gate, Lane, LaneStatus, Output, Phase, Purpose, Reason, Route, State};
use crate::ids::ConnId;
use std::cell::Cell;
use std::collections::{BTreeSet, HashSet};

thread_local! {
    /// Every how many inputs of this thread's they are checked, and how many have come.
    static PACE: Cell<(u32, u32)> = const { Cell::new((1, 0)) };
}

/// They are checked after every so many inputs of this thread's from now on: what lasts is found, too, in a fraction of the time.
#[cfg(feature = "simulation")]
pub(crate) fn check_every(inputs: u32) {
    PACE.set((inputs.max(1), 0));
}

impl Pool {
    /// Panics with a sentence when something is not as it must be.
    pub(super) fn check_invariants(&self) {
        let (every, count) = PACE.get();
        PACE.set((every, (count + 1) % every));
        if count == 0 {
            check(self);
        }
    }
}

fn check(pool: &Pool) {
    lanes(pool);
    balancers(pool);
    workers(pool);
    retiring(pool);
    phase(pool);
    gate(pool);
    assert_eq!(
        pool.deadlines.next().map(|d| d.0),
        pool.earliest().next().map(|d| d.0),
        "the kept deadline is not the earliest"
    );
}

fn lanes(pool: &Pool) {
    for (id, lane) in &pool.lanes {
        let worker = pool.processes.active(lane.worker()).filter(|worker| worker.is_live());
        let leaves = pool.keeps_lanes(lane.worker());
        assert!(worker.is_some() || leaves, "{id:?} outlived its worker {}", lane.worker());
        let Some(balancer) = pool.balancers.get(&lane.balancer()) else {
            panic!("{id:?} outlived its balancer");
        };
        let eligibility = worker.map_or(Eligibility::Stopping, |process| pool.eligibility_of(process));
        assert_eq!(lane.eligibility, eligibility, "{id:?} of {worker:?}");
        let in_rotation =
            balancer.rotation.contains(&Place { turn: lane.turn, lane: *id, worker: lane.worker() });
        assert_eq!(
            lane.status() == LaneStatus::Ready && !lane.open && !lane.rests,
            in_rotation,
            "{id:?} is {:?}; in rotation: {in_rotation}",
            lane.status()
        );
        assert_eq!(lane.is_ready(), in_rotation, "{id:?} is not what it seems");
        assert!(
            lane.in_flight() == 0 || lane.look_at().is_some(),
            "something waits in {id:?} and nobody will look"
        );
        assert!(
            lane.state != LaneState::Full || lane.look_at().is_some(),
            "{id:?} is full and nobody will look"
        );
        assert!(
            !matches!(lane.state, LaneState::Suspect | LaneState::Left) || lane.in_flight() > 0,
            "{id:?} is {:?} without a void record",
            lane.state
        );
        let serves = |other: &Lane| {
            other.worker() == lane.worker() && other.balancer() == lane.balancer() && !other.is_left()
        };
        assert!(!lane.is_left() || pool.lanes.values().any(serves), "{id:?} is left to nobody");
    }
}

fn balancers(pool: &Pool) {
    let mut held = HashSet::<ConnId>::new();
    for (id, balancer) in &pool.balancers {
        let turns: Vec<_> = balancer.rotation.iter().map(|place| place.turn).collect();
        assert!(turns.is_sorted(), "{id:?} does not rotate by the least recent: {turns:?}");
        let ours = |lane| pool.lanes.get(&lane).is_some_and(|lane| lane.balancer() == *id);
        assert!(balancer.rotation().all(ours), "{id:?} rotates over a lane that is not its own");
        let distinct: HashSet<_> = balancer.rotation().collect();
        assert_eq!(distinct.len(), turns.len(), "{id:?} rotates over a lane twice");
        if let Some(lane) = balancer.measuring {
            assert!(
                distinct.contains(&lane),
                "{id:?} waits for the measure of {lane:?}, which is not in rotation"
            );
            assert!(balancer.next_up().is_some(), "{id:?} waits for a measure with nothing to dispatch");
        } else {
            let idle = balancer.next_up().is_some() && !turns.is_empty();
            assert!(!idle, "{id:?} holds connections while a lane is ready");
        }
        assert_eq!(
            balancer.accepting,
            pool.may_accept(*id),
            "{id:?}: the shell was not told what may be accepted"
        );
        for held_one in balancer.returned.iter().chain(&balancer.accepted) {
            assert!(held.insert(held_one.conn), "{held_one:?} is held twice");
        }
        assert!(
            balancer.route() != Route::Kernel
                || balancer.rotation().collect::<BTreeSet<_>>() == balancer.told,
            "{id:?}: the shell was not told who takes part"
        );
        let usable = |lane: &Lane| lane.balancer() == *id && lane.is_usable();
        let no_worker_since =
            pool.phase == Phase::Serving && balancer.served && !pool.lanes.values().any(usable);
        assert_eq!(balancer.no_worker_since.is_some(), no_worker_since, "{id:?}: who waits for a worker?");
        assert!(
            !balancer.refusing || no_worker_since && balancer.held() == 0,
            "{id:?} refuses and should not"
        );
        assert_eq!(
            balancer.state == BalancerState::Stopping,
            matches!(pool.phase, Phase::Stopping | Phase::Done(_)),
            "{id:?} is {:?}",
            balancer.state
        );
    }
}

fn workers(pool: &Pool) {
    let booting = pool.processes.active_ones().filter(|process| process.holds_boot_slot()).count();
    assert!(booting <= pool.settings.max_starting as usize, "{booting} workers hold a boot slot");
    pool.processes.check(pool.slots.len());
    for (index, slot) in pool.slots.iter().enumerate() {
        assert_eq!(slot.id() as usize, index, "a slot is not in its place");
        let wanted = index < pool.settings.workers as usize;
        assert_eq!(slot.removed, !wanted, "slot {index} is not where it should be");
    }
    for worker in pool.processes.currents() {
        assert!(!worker.is_live() || worker.id().incarnation > 0, "{} lives without a number", worker.id());
        if let State::Stopping(stop) = worker.state() {
            let undisturbed = stop.forced() || stop.debugging;
            let undisturbed = undisturbed || stop.drains();
            assert!(!undisturbed || stop.force_at.is_none(), "{} is to be killed: {stop:?}", worker.id());
            assert!(!stop.drains() || stop.pid.is_some(), "{} drains and is not there", worker.id());
            assert!(!(stop.forced() && stop.debugging), "{} is debugged after its end", worker.id());
        }
        let removed = pool.is_unwanted(worker);
        assert!(!removed || !worker.is_coming() || worker.is_live(), "{} comes back", worker.id());
        assert_eq!(worker.health.told, pool.is_out(worker), "{}: who was told of a suspect?", worker.id());
        let unfit = worker.health.is_suspect() || worker.health.asked;
        assert!(!unfit || worker.is_running(), "{} is judged and does not serve", worker.id());
        let cordoned = pool.is_cordoned(worker.id());
        assert!(!worker.health.is_suspect() || !cordoned, "{} is out twice", worker.id());
        assert!(!worker.health.replacing || worker.is_coming(), "{} replaces nobody", worker.id());
        assert!(worker.untold().is_none(), "{} changed and nobody was told", worker.id());
        assert_eq!(
            worker.load.count_at().is_some(),
            pool.eligibility_of(worker) == Eligibility::AtLimit,
            "{}: who counts its connections?",
            worker.id()
        );
    }
}

fn retiring(pool: &Pool) {
    let down = pool.processes.currents().filter(|process| process.health.replacing).count();
    assert!(
        down <= pool.settings.health.max_unavailable(pool.settings.workers) as usize,
        "{down} were taken down for their health"
    );
    let mut seen = HashSet::new();
    for process in pool.processes.retiring() {
        let id = process.id();
        let Some(stop) = process.stop() else { panic!("{id} retires and does not stop: {process:?}") };
        assert!(seen.insert(id), "{id} retires twice");
        assert!(stop.pid.is_some() || process.keeps_lanes(), "{id} retires and cannot be ended: {stop:?}");
        let timers = u32::from(stop.forced()) + u32::from(stop.force_at.is_some()) + u32::from(stop.drains());
        let endless = stop.debugging || pool.settings.stop.timeout().is_none();
        assert!(timers == 1 || endless && timers == 0, "{id} is never killed, or twice: {stop:?}");
        let has_lane = pool.lanes.values().any(|lane| lane.worker() == id);
        assert!(!has_lane || process.keeps_lanes(), "{id} retires and has a lane");
        assert!(!process.health.told, "{id} retires, and is taken to be a suspect");
        let Some(slot) = pool.slots.get(id.slot as usize) else { panic!("{id} has lost its slot") };
        let active = pool.processes.active(id);
        let past = slot.last_incarnation() >= id.incarnation && active.is_none_or(|active| !active.is_live());
        assert!(past, "{id} retires and is its slot's");
    }
}

fn gate(pool: &Pool) {
    match pool.gate {
        None => {}
        Some(Gate::Start) => {
            assert_eq!(pool.phase, Phase::Idle, "a cluster that has begun waits for the word that it may")
        }
        Some(Gate::Reload { ticket, .. }) => {
            let is_held = |rollout: &Rollout| {
                rollout.purpose == Purpose::Reload { ticket } && !rollout.prepared && rollout.steps.is_empty()
            };
            assert!(
                pool.rollout.as_ref().is_some_and(is_held),
                "what is asked for is not held up: {:?}",
                pool.rollout
            );
        }
    }
}

fn phase(pool: &Pool) {
    let states = || pool.processes.currents().map(Process::state);
    match pool.phase {
        Phase::Idle => {
            assert!(!pool.processes.currents().any(Process::is_live), "a worker runs before the start");
        }
        Phase::Serving => assert!(
            states().all(|state| match state {
                State::Standby { due, reason: Reason::Unstarted | Reason::Restart } => due.is_some(),
                State::Standby { due, reason: Reason::BudgetSpent | Reason::Finished | Reason::Stopped } =>
                    due.is_none(),
                State::Starting { .. } | State::Running { .. } | State::Stopping(_) => true,
            }),
            "a worker is down for no reason: {:?}",
            states().collect::<Vec<_>>()
        ),
        Phase::Stopping | Phase::Done(_) => assert!(
            pool.processes.active_ones().all(|process| process.due().is_none() && !process.is_coming()),
            "a worker is to start though the cluster stops"
        ),
    }
    for successor in pool.processes.successors() {
        let (id, wanted) = (successor.id(), !pool.is_unwanted(successor));
        // One that is dismissed may be overtaken by a restart.
        let own = pool.processes.current(id.slot);
        let ahead = own.is_none_or(|own| own.id().incarnation < id.incarnation);
        assert!(ahead || !wanted, "{id} comes after what it is to follow");
        assert!(!wanted || pool.rollout.is_some(), "{id} follows for no reason");
        assert!(successor.is_live() || successor.due().is_some(), "{id} is nothing");
    }
    if let Some(rollout) = &pool.rollout {
        let serving = pool.phase == Phase::Serving && pool.closing.is_none();
        assert!(serving, "a rollout goes on though the cluster stops");
        check_rollout(pool, rollout);
    }
    let is_there = |slot: &Slot| {
        let lives = pool.processes.current(slot.id()).is_some_and(Process::is_live);
        !slot.removed || lives || pool.is_left(slot.id())
    };
    assert!(pool.slots.last().is_some_and(is_there), "a slot that is gone is still there");
    if let Phase::Done(_) = pool.phase {
        assert!(!pool.processes.active_ones().any(Process::is_live), "a worker outlived the cluster");
        let outlived: Vec<_> = pool.processes.retiring().collect();
        assert!(outlived.is_empty(), "a process outlived the cluster: {outlived:?}");
        assert!(pool.lanes.is_empty() && pool.balancers.is_empty(), "something is open after the end");
        assert_eq!(pool.deadlines.next(), None, "something is waited for after the end");
        let spawn = pool.outbox.iter().any(|output| matches!(output, Output::Spawn { .. }));
        assert!(!spawn, "a process is ordered after the end");
    }
}

fn check_rollout(pool: &Pool, rollout: &Rollout) {
    let surge = pool.settings.rollout.max_surge as usize;
    let steps = rollout.steps.iter().map(|step| step.slot);
    let mut slots: Vec<_> = steps.chain(rollout.todo.iter().map(|(slot, _)| *slot)).collect();
    slots.sort_unstable();
    assert!(slots.windows(2).all(|pair| pair[0] != pair[1]), "a slot is replaced twice: {rollout:?}");
    let draining = pool.replaced_and_not_gone() as usize;
    let successor = |id| pool.processes.active(id).is_some_and(Process::is_successor);
    let coming = rollout.steps.iter().filter(|step| successor(step.process)).count();
    assert!(coming == 0 || !rollout.in_place, "a successor beside: {rollout:?}");
    assert!(coming + draining <= surge, "{coming} come and {draining} drain: {rollout:?}");
    assert!(rollout.failed.is_none() || rollout.todo.is_empty(), "a failed rollout goes on: {rollout:?}");
}
