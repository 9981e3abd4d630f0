//! A new process that opens an address long after its first: the old one serves it meanwhile, and what is dropped is said.

use super::rolling::{reload, rolling, successor};
use crate::ids::BalancerId;
use crate::pool::tests::sim::{Sim, ms, with};
use crate::pool::{Input, Note, Reloaded, Settings};
use crate::settings::Ready;

/// A cluster of one, whose process opened its second address this long after its first.
fn opened_after(delay: u64, settings: Settings) -> (Sim, [BalancerId; 2]) {
    let (mut sim, first, _) = Sim::serving(settings);
    sim.advance(ms(delay));
    let second = sim.open();
    sim.listen(0, second);
    sim.take_notes();
    (sim, [first, second])
}

fn dropped(sim: &Sim) -> Vec<BalancerId> {
    let found = sim.notes.iter().find_map(|note| match note {
        Note::Dropped { balancers, .. } => Some(balancers.clone()),
        _ => None,
    });
    found.unwrap_or_default()
}

#[test]
fn the_old_one_serves_it_until_the_new_one_does() {
    for explicit in [false, true] {
        let settings = with(rolling(1), |s| s.readiness.ready = explicit.then_some(Ready::Notify));
        let (mut sim, [first, second]) = opened_after(8_000, settings);
        let old = sim.worker(0);
        sim.input(Input::Ready { worker: old });
        reload(&mut sim, 1);
        let new = successor(&sim, 0).unwrap();
        sim.listen_by(new, first);
        sim.input(Input::Ready { worker: new });
        sim.advance(ms(15_000));
        assert_eq!(sim.worker(0), old, "twice as long as it took the old one, and a second");
        sim.listen_by(new, second);
        sim.advance(ms(1_000));
        assert_eq!(sim.worker(0), new, "it lacks nothing");
        sim.advance(ms(50));
        assert_eq!(sim.reloads, [(1, Reloaded::Done { workers: 1, dropped: Vec::new() })]);
        assert_eq!(dropped(&sim), []);
        assert!(sim.pool.balancer(second).is_some());
    }
}

#[test]
fn what_is_not_opened_in_that_time_is_dropped_and_said() {
    let (mut sim, [first, second]) = opened_after(8_000, rolling(1));
    reload(&mut sim, 1);
    let (old, new) = (sim.worker(0), successor(&sim, 0).unwrap());
    sim.listen_by(new, first);
    sim.advance(ms(16_999));
    assert_eq!(sim.pool.awaited(), [(new, second)]);
    sim.advance(ms(1));
    assert_eq!(sim.pool.awaited(), []);
    assert_eq!(sim.worker(0), old, "it is to be well for a while");
    sim.advance(ms(1_000));
    assert_eq!(sim.worker(0), new);
    assert_eq!(dropped(&sim), [second]);
    sim.advance(ms(50));
    assert_eq!(sim.reloads, [(1, Reloaded::Done { workers: 1, dropped: vec![second] })]);
    assert!(sim.pool.balancer(second).is_none());
}

#[test]
fn what_came_at_once_is_given_no_longer_than_before() {
    let (mut sim, [first, second]) = opened_after(10, rolling(1));
    reload(&mut sim, 1);
    let new = successor(&sim, 0).unwrap();
    sim.listen_by(new, first);
    sim.advance(ms(2_020));
    assert_eq!(sim.worker(0), new);
    assert_eq!(dropped(&sim), [second]);
}

#[test]
fn nobody_waits_longer_than_a_start_may_take() {
    let (mut sim, [first, second]) = opened_after(3_600_000, rolling(1));
    reload(&mut sim, 1);
    let (old, new) = (sim.worker(0), successor(&sim, 0).unwrap());
    sim.listen_by(new, first);
    sim.advance(ms(30_999));
    assert_eq!(sim.worker(0), old);
    sim.advance(ms(1));
    assert_eq!(sim.worker(0), new);
    assert_eq!(dropped(&sim), [second]);
}

#[test]
fn the_old_one_may_open_and_close_addresses_meanwhile() {
    let (mut sim, first, _) = Sim::serving(rolling(2));
    reload(&mut sim, 1);
    let (old, new) = (sim.worker(0), successor(&sim, 0).unwrap());
    sim.advance(ms(4_000));
    let second = sim.open();
    let lanes = [sim.listen(0, second), sim.listen(1, second)];
    sim.listen_by(new, first);
    sim.advance(ms(5_000));
    assert_eq!(sim.worker(0), old, "it serves an address that the new one does not");
    sim.input(Input::LaneClosed { lane: lanes[0] });
    sim.advance(ms(1_000));
    assert_eq!(sim.worker(0), new, "it no longer does");
    assert_eq!(dropped(&sim), []);
}

#[test]
fn what_another_worker_serves_is_not_closed_and_not_told_at_the_end() {
    let (mut sim, first, _) = Sim::serving(rolling(2));
    let second = sim.open();
    sim.listen(0, second);
    reload(&mut sim, 1);
    let new = successor(&sim, 0).unwrap();
    sim.listen_by(new, first);
    sim.advance(ms(2_050));
    assert_eq!(dropped(&sim), [second]);
    let new = successor(&sim, 1).unwrap();
    sim.listen_by(new, first);
    sim.listen_by(new, second);
    sim.advance(ms(1_050));
    assert_eq!(sim.reloads, [(1, Reloaded::Done { workers: 2, dropped: Vec::new() })]);
}

/// Children that get lanes of their own at their first accept open no address.
#[test]
fn lanes_of_forked_children_say_nothing_of_a_boot() {
    let (mut sim, first, lanes) = Sim::serving(rolling(1));
    let second = sim.open();
    let shared = sim.listen(0, second);
    sim.advance(ms(20_000));
    sim.share(shared);
    sim.share(lanes[0]);
    reload(&mut sim, 1);
    let new = successor(&sim, 0).unwrap();
    sim.listen_by(new, first);
    sim.advance(ms(2_000));
    assert_eq!(sim.worker(0), new);
}

#[test]
fn without_room_for_two_it_is_waited_for_all_the_same() {
    let settings = with(rolling(2), |s| {
        s.rollout.max_surge = 0;
        s.rollout.max_unavailable = 1
    });
    let (mut sim, first, _) = Sim::serving(settings);
    sim.advance(ms(8_000));
    let second = sim.open();
    sim.listen(0, second);
    sim.listen(1, second);
    reload(&mut sim, 1);
    sim.advance(ms(20));
    sim.listen(0, first);
    sim.advance(ms(10_000));
    assert_eq!(sim.worker(1).incarnation, 1, "the other serves the second address");
    sim.listen(0, second);
    sim.advance(ms(1_020));
    assert_eq!(sim.worker(1).incarnation, 2);
}
