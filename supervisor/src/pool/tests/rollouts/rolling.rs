//! Rolling reloads: a successor first, then the old one drains; what happens when any step of it fails.

use crate::ids::{BalancerId, LaneId, WorkerId};
use crate::pool::tests::sim::{Fate, Sim, ms, settings, with};
use crate::pool::{Input, Note, Outcome, Reloaded, Settings, State, WorkerCommand};
use crate::settings::Drain;

pub(super) fn rolling(workers: u32) -> Settings {
    with(settings(workers), |s| {
        s.stop.drain = Drain::Quiet;
        s.restart.restart_delay = ms(100)
    })
}

/// The successor of the slot, once it has been spawned.
pub(super) fn successor(sim: &Sim, slot: u32) -> Option<WorkerId> {
    let own = sim.worker(slot as usize);
    sim.alive.iter().copied().find(|id| id.slot == slot && id.incarnation > own.incarnation)
}

/// A cluster of two of which the first has a connection, and that worker.
pub(super) fn busy() -> (Sim, BalancerId, WorkerId) {
    let (mut sim, balancer, lanes) = Sim::serving(rolling(2));
    sim.connect(balancer);
    sim.take(lanes[0]);
    let worker = sim.worker(0);
    (sim, balancer, worker)
}

/// The end of a reload that went well.
pub(super) fn done(workers: u32) -> Reloaded {
    Reloaded::Done { workers, dropped: Vec::new() }
}

pub(super) fn reload(sim: &mut Sim, ticket: u64) {
    sim.input(Input::Reload { ticket, in_place: false });
}

/// The successor of the slot listens; the slot is its own once it has been well for a second.
pub(super) fn succeed(sim: &mut Sim, slot: u32, balancer: BalancerId) -> LaneId {
    let id = successor(sim, slot).unwrap_or_else(|| panic!("nobody is to follow in slot {slot}"));
    let lane = sim.listen_by(id, balancer);
    sim.advance(ms(1_000));
    assert_eq!(sim.worker(slot as usize), id);
    lane
}

/// A cluster of two in a reload of which the first is done and the second has begun.
pub(super) fn half_way(settings: Settings) -> (Sim, BalancerId, WorkerId) {
    let (mut sim, balancer, _) = Sim::serving(settings);
    reload(&mut sim, 1);
    succeed(&mut sim, 0, balancer);
    sim.advance(ms(20));
    let second = successor(&sim, 1).unwrap();
    (sim, balancer, second)
}

#[test]
fn one_after_the_other_and_always_all_serve() {
    let (mut sim, balancer, _) = Sim::serving(rolling(3));
    reload(&mut sim, 7);
    for slot in 0..3 {
        assert_eq!(sim.alive.len(), 4, "one process more than workers");
        let rotation = sim.pool.balancer(balancer).map(|found| found.rotation().count());
        assert_eq!(rotation, Some(3), "all serve while one starts");
        succeed(&mut sim, slot, balancer);
        sim.advance(ms(20));
    }
    assert_eq!(sim.reloads, [(7, done(3))]);
    assert_eq!(sim.alive.len(), 3);
    assert!(sim.alive.iter().all(|id| id.incarnation == 2 && sim.versions[id] == 1), "{:?}", sim.versions);
    // Whoever is restarted or added later is of the new version too.
    sim.exit(1);
    sim.input(Input::Scale { workers: 4 });
    sim.advance(ms(1_000));
    assert!(sim.alive.iter().all(|id| sim.versions[id] == 1), "{:?}", sim.versions);
}

#[test]
fn nothing_is_lost_under_load() {
    let (mut sim, balancer, mut lanes) = Sim::serving(rolling(2));
    reload(&mut sim, 1);
    for round in 0..200 {
        sim.connect(balancer);
        for id in successor(&sim, 0).into_iter().chain(successor(&sim, 1)) {
            if !sim.lanes.values().any(|lane| lane.worker == id) && round % 7 == 0 {
                lanes.push(sim.listen_by(id, balancer));
            }
        }
        for lane in &lanes {
            sim.take(*lane);
        }
        if round % 2 == 0 {
            for worker in sim.alive.clone() {
                sim.finish(worker);
            }
        }
        sim.advance(ms(50));
    }
    assert_eq!(sim.reloads, [(1, done(2))]);
    for (conn, fate) in &sim.conns {
        let well = match fate {
            Fate::TakenBy(worker) => sim.alive.contains(worker),
            Fate::InLane(_) | Fate::Closed => true,
            Fate::Coming | Fate::Held | Fate::Refused => false,
        };
        assert!(well, "{conn:?} was lost: {fate:?}");
    }
}

#[test]
fn the_old_one_drains_and_the_next_waits_for_it() {
    let (mut sim, balancer, old) = busy();
    reload(&mut sim, 1);
    succeed(&mut sim, 0, balancer);
    sim.advance(ms(5_000));
    assert!(sim.alive.contains(&old));
    assert_eq!(successor(&sim, 1), None, "one process more than workers, with those that drain");
    assert_eq!(sim.pool.retiring().count(), 1);
    assert!(sim.finish(old));
    assert!(!sim.alive.contains(&old));
    assert!(successor(&sim, 1).is_some());
}

#[test]
fn more_at_a_time_where_there_is_room() {
    let (mut sim, balancer, _) = Sim::serving(with(rolling(3), |s| s.rollout.max_surge = 2));
    reload(&mut sim, 1);
    assert_eq!(sim.alive.len(), 5);
    let first = [successor(&sim, 0), successor(&sim, 1)].map(Option::unwrap);
    for id in first {
        sim.listen_by(id, balancer);
    }
    sim.advance(ms(1_000));
    succeed(&mut sim, 2, balancer);
    assert_eq!(sim.reloads, [(1, done(3))]);
}

#[test]
fn without_room_for_two_one_stops_first() {
    let (mut sim, balancer, _) = Sim::serving(with(rolling(2), |s| {
        s.rollout.max_surge = 0;
        s.rollout.max_unavailable = 1
    }));
    reload(&mut sim, 1);
    for slot in 0..2 {
        assert_eq!(sim.alive.len(), 2);
        assert_eq!(sim.worker(slot).incarnation, 2);
        assert_eq!(sim.versions[&sim.worker(slot)], 1);
        sim.listen(slot, balancer);
        sim.advance(ms(1_000));
    }
    assert_eq!(sim.reloads, [(1, done(2))]);
}

#[test]
fn one_that_is_restarted_while_it_is_new_does_not_hold_up_the_others() {
    for proves in [false, true] {
        let (mut sim, balancer, _) =
            Sim::serving(with(rolling(2), |s| (s.rollout.max_surge, s.rollout.max_unavailable) = (0, 1)));
        reload(&mut sim, 1);
        if proves {
            sim.listen(0, balancer);
        }
        sim.command(0, WorkerCommand::Restart);
        sim.advance(ms(200));
        for slot in 0..2 {
            sim.listen(slot, balancer);
            sim.advance(ms(1_000));
        }
        assert_eq!(sim.reloads, [(1, done(2))], "proves: {proves}");
    }
}

#[test]
fn an_old_one_that_dies_meanwhile_is_followed_at_once() {
    let (mut sim, balancer, _) = Sim::serving(rolling(2));
    reload(&mut sim, 1);
    let new = successor(&sim, 0).unwrap();
    sim.exit(0);
    assert_eq!(sim.worker(0), new, "the slot waits for nobody else");
    assert_eq!(sim.alive.len(), 3, "there is room for the next one's successor");
    sim.listen_by(new, balancer);
    sim.advance(ms(1_000));
    succeed(&mut sim, 1, balancer);
    assert_eq!(sim.reloads, [(1, done(2))]);
}

#[test]
fn commands_to_a_slot_that_is_being_replaced() {
    let (mut sim, balancer, _) = Sim::serving(rolling(2));
    reload(&mut sim, 1);
    let new = successor(&sim, 0).unwrap();
    sim.command(0, WorkerCommand::Stop);
    assert!(!sim.alive.contains(&new), "who is to be down has no successor");
    assert!(!sim.slot(0).is_live());
    succeed(&mut sim, 1, balancer);
    sim.advance(ms(20));
    assert_eq!(sim.reloads, [(1, done(1))]);
    // A worker that is down comes back as the old version unless it was reached; it was not.
    sim.command(0, WorkerCommand::Start);
    assert!(matches!(sim.slot(0).state(), State::Starting { .. }));
    // A cordon is the slot's.
    reload(&mut sim, 2);
    sim.command(0, WorkerCommand::Cordon);
    let own = sim.worker(0);
    sim.listen_by(own, balancer);
    sim.advance(ms(50));
    let new = successor(&sim, 0).unwrap();
    sim.listen_by(new, balancer);
    sim.advance(ms(1_000));
    assert_eq!(sim.worker(0), new);
    assert!(sim.slot(0).is_cordoned());
}

#[test]
fn scaling_meanwhile_leaves_no_one_behind() {
    let (mut sim, balancer, _) = Sim::serving(rolling(3));
    reload(&mut sim, 1);
    succeed(&mut sim, 0, balancer);
    sim.advance(ms(20));
    sim.input(Input::Scale { workers: 1 });
    sim.advance(ms(20));
    assert_eq!(sim.alive.len(), 1);
    assert_eq!(sim.pool.count_workers(), 1);
    assert_eq!(sim.reloads, [(1, done(1))]);
}

#[test]
fn the_end_of_the_cluster_is_the_end_of_it() {
    for how in [Input::Stop, Input::Halt, Input::Kill] {
        let (mut sim, _, _) = half_way(rolling(2));
        reload(&mut sim, 2);
        sim.input(how.clone());
        sim.advance(ms(50));
        assert_eq!(sim.done, Some(Outcome::Stopped), "{how:?}");
        assert_eq!(sim.reloads, [(1, Reloaded::Superseded), (2, Reloaded::Stopped)]);
        assert!(sim.alive.is_empty());
        reload(&mut sim, 3);
        assert_eq!(sim.reloads.last(), Some(&(3, Reloaded::Stopped)));
    }
}

#[test]
fn a_version_may_listen_elsewhere() {
    let (mut sim, old_address, _) = Sim::serving(rolling(1));
    reload(&mut sim, 1);
    let new = successor(&sim, 0).unwrap();
    let new_address = sim.open();
    sim.listen_by(new, new_address);
    sim.advance(ms(999));
    assert_eq!(sim.worker(0).incarnation, 1, "it may yet listen where the old one does");
    sim.advance(ms(1));
    sim.advance(ms(1_000));
    assert_eq!(sim.worker(0), new);
    sim.advance(ms(50));
    assert!(sim.pool.balancer(old_address).is_none(), "nobody stands behind it");
    assert!(sim.pool.balancer(new_address).is_some());
    assert!(sim.notes.contains(&Note::BalancerClosed { balancer: old_address }));
}

#[test]
fn who_is_down_for_want_of_luck_is_tried_again() {
    let (mut sim, balancer, _) = Sim::serving(with(rolling(2), |s| s.restart.respawn = 0));
    sim.exit(0);
    assert!(!sim.slot(0).is_live());
    reload(&mut sim, 1);
    let new = sim.worker(0);
    assert!(sim.alive.contains(&new) && sim.versions[&new] == 1);
    sim.listen(0, balancer);
    let second = successor(&sim, 1).unwrap();
    sim.listen_by(second, balancer);
    sim.advance(ms(1_050));
    assert_eq!(sim.reloads, [(1, done(2))]);
}

#[test]
fn a_successor_that_gets_the_slot_before_it_could_be_ordered_is_the_one_that_is_waited_for() {
    let (mut sim, balancer, _) = Sim::serving(with(rolling(2), |s| s.max_starting = 1));
    // One boots for as long as it takes, so that nobody else may.
    sim.exit(1);
    sim.advance(ms(200));
    reload(&mut sim, 7);
    assert_eq!(sim.alive.len(), 2, "the successor waits for its turn to boot");
    // Its slot is empty, and it gets it as it is.
    sim.exit(0);
    assert_eq!(sim.alive.len(), 1);
    sim.listen(1, balancer);
    sim.listen(0, balancer);
    sim.advance(ms(1_100));
    succeed(&mut sim, 1, balancer);
    assert_eq!(sim.reloads, [(7, done(2))]);
    assert!(sim.alive.iter().all(|id| sim.versions[id] == 1), "{:?}", sim.versions);
}

#[test]
fn a_restart_ends_each_old_process_before_the_new_one_starts() {
    let (mut sim, balancer, _) = Sim::serving(rolling(3));
    sim.input(Input::Reload { ticket: 7, in_place: true });
    for slot in 0..3 {
        sim.advance(ms(20));
        assert_eq!(sim.worker(slot).incarnation, 2, "{:?}", sim.alive);
        assert_eq!(sim.alive.len(), 3, "none beside");
        let rotation = sim.pool.balancer(balancer).map(|found| found.rotation().count());
        assert_eq!(rotation, Some(2), "the others serve");
        sim.listen(slot, balancer);
        sim.advance(ms(1_000));
    }
    sim.advance(ms(20));
    assert_eq!(sim.reloads, [(7, done(3))]);
    assert!(sim.alive.iter().all(|id| sim.versions[id] == 1), "{:?}", sim.versions);
}
