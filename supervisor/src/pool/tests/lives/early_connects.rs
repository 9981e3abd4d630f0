//! Workers that boot: which of their own connections are refused, and which ports that the system chooses are their own.

use crate::ids::{BalancerId, WorkerId};
use crate::pool::tests::sim::{Sim, ms, settings, with};
use crate::pool::{Connecting, Exit, Input};

const FIRST: Connecting = Connecting::Refused { first: true };
const AGAIN: Connecting = Connecting::Refused { first: false };

/// Three workers, of which the first listens and the others start.
fn booting() -> (Sim, BalancerId) {
    let mut sim = Sim::new(with(settings(3), |s| s.max_starting = 3));
    sim.input(Input::Start);
    let balancer = sim.open();
    sim.listen(0, balancer);
    (sim, balancer)
}

fn connects(sim: &mut Sim, slot: usize, to: Option<BalancerId>) -> Connecting {
    let (now, worker) = (sim.now, sim.worker(slot));
    sim.pool.connects(now, worker, to)
}

fn dies(sim: &mut Sim, worker: WorkerId) {
    sim.alive.remove(&worker);
    sim.input(Input::Exited { worker, exit: Exit::Code(1) });
}

#[test]
fn who_tests_an_address_before_it_listens_there_finds_nobody() {
    let (mut sim, balancer) = booting();
    assert_eq!(connects(&mut sim, 1, Some(balancer)), FIRST);
    assert_eq!(connects(&mut sim, 1, Some(balancer)), AGAIN);
    assert_eq!(
        connects(&mut sim, 1, None),
        Connecting::Allowed,
        "what is not the cluster's is not its affair"
    );
    assert_eq!(connects(&mut sim, 2, Some(balancer)), FIRST, "each worker by itself");
    sim.listen(1, balancer);
    assert_eq!(
        connects(&mut sim, 1, Some(balancer)),
        Connecting::Allowed,
        "it may well ask itself how it is"
    );
    assert_eq!(connects(&mut sim, 2, Some(balancer)), AGAIN);
    sim.advance(ms(1_000));
    assert_eq!(connects(&mut sim, 1, Some(balancer)), Connecting::Booted);
}

#[test]
fn who_listens_on_one_address_may_test_the_next() {
    let (mut sim, balancer) = booting();
    let other = sim.open();
    sim.listen(0, other);
    sim.listen(1, balancer);
    assert_eq!(connects(&mut sim, 1, Some(other)), FIRST);
}

#[test]
fn who_tries_again_and_again_gets_through() {
    let (mut sim, balancer) = booting();
    let refused = (0..9).filter(|_| connects(&mut sim, 1, Some(balancer)) != Connecting::Allowed).count();
    assert_eq!(refused, 4);
}

#[test]
fn who_dies_of_a_refusal_is_spared_the_next_time_and_who_dies_of_that_is_not() {
    let (mut sim, balancer) = booting();
    for expected in [FIRST, Connecting::Allowed, FIRST, Connecting::Allowed] {
        assert_eq!(connects(&mut sim, 1, Some(balancer)), expected);
        let worker = sim.worker(1);
        dies(&mut sim, worker);
        while sim.worker(1) == worker {
            sim.step();
        }
    }
    // One that listens elsewhere afterwards was a client: it stays spared.
    let elsewhere = sim.open();
    assert_eq!(connects(&mut sim, 1, Some(balancer)), FIRST);
    let worker = sim.worker(1);
    dies(&mut sim, worker);
    while sim.worker(1) == worker {
        sim.step();
    }
    for _ in 0..2 {
        assert_eq!(connects(&mut sim, 1, Some(balancer)), Connecting::Allowed);
        sim.listen(1, elsewhere);
        let worker = sim.worker(1);
        dies(&mut sim, worker);
        while sim.worker(1) == worker {
            sim.step();
        }
    }
}

#[test]
fn what_one_worker_alone_serves_the_others_may_be_clients_of() {
    let (mut sim, balancer) = booting();
    let all = sim.open();
    sim.listen(0, all);
    sim.listen(1, all);
    assert_eq!(connects(&mut sim, 2, Some(balancer)), FIRST, "worker 1 may listen there yet");
    sim.advance(ms(1_000));
    assert_eq!(connects(&mut sim, 2, Some(balancer)), Connecting::Allowed, "it does not");
    assert_eq!(connects(&mut sim, 2, Some(all)), FIRST);
}

#[test]
fn an_address_that_is_kept_for_who_is_to_come_is_refused_too() {
    let (mut sim, balancer, _) = Sim::serving(settings(1));
    let worker = sim.worker(0);
    dies(&mut sim, worker);
    while sim.worker(0) == worker {
        sim.step();
    }
    assert_eq!(connects(&mut sim, 0, Some(balancer)), FIRST);
}

#[test]
fn a_port_is_its_own_once_it_serves() {
    let (mut sim, balancer) = booting();
    let (serves, starts) = (sim.worker(0), sim.worker(1));
    let opens = |sim: &Sim, worker| sim.pool.opens_for_itself(sim.now, worker);
    assert!(!opens(&sim, starts) && !opens(&sim, serves), "it may listen on more as it starts");
    sim.connect(balancer);
    assert!(opens(&sim, serves) && !opens(&sim, starts));
    sim.listen(1, balancer);
    sim.advance(ms(999));
    assert!(!opens(&sim, starts));
    sim.advance(ms(1));
    assert!(opens(&sim, starts), "nobody has come, but it has had its time");
}
