//! Listening sockets that fail, and are opened again.

use crate::ids::BalancerId;
use crate::pool::tests::sim::{Sim, ms, settings};
use crate::pool::{BalancerState, Change, Input, Note, Output};

fn state(sim: &Sim, balancer: BalancerId) -> BalancerState {
    sim.pool.balancer(balancer).expect("open").state()
}

#[test]
fn a_socket_that_fails_is_opened_again_after_a_while_and_the_lanes_stay() {
    let (mut sim, balancer, lanes) = Sim::serving(settings(2));
    assert_eq!(state(&sim, balancer), BalancerState::Running);
    sim.fail(balancer);
    let due = sim.now + ms(1_000);
    assert_eq!(state(&sim, balancer), BalancerState::Standby { due });
    assert!(!sim.pool.may_accept(balancer));
    assert_eq!((sim.pool.count_running_load_balancers(), sim.pool.count_active_load_balancers()), (0, 0));
    let failed = Note::BalancerFailed { balancer, error: "it broke".to_owned(), retry_in: ms(1_000) };
    assert_eq!(sim.take_notes(), [failed]);
    sim.advance(ms(999));
    assert_eq!(sim.take_orders(), []);
    sim.advance(ms(1));
    assert_eq!(sim.take_orders(), [Output::Reopen { balancer }, Output::Resume { balancer }]);
    assert_eq!(sim.take_notes(), [Note::BalancerReopened { balancer }]);
    let states = [BalancerState::Standby { due }, BalancerState::Starting, BalancerState::Running];
    assert_eq!(sim.take_changes(), states.map(|state| Change::Balancer { balancer, state }));
    let rotation: Vec<_> = sim.pool.balancers().flat_map(|balancer| balancer.rotation()).collect();
    assert_eq!(rotation, lanes);
    sim.drive_bounded();
    sim.connect(balancer);
    assert_eq!(sim.lanes[&lanes[0]].queue.len(), 1);
}

#[test]
fn it_is_tried_again_and_again() {
    let (mut sim, balancer, _) = Sim::serving(settings(1));
    sim.reopens = false;
    sim.fail(balancer);
    sim.advance(ms(5_000));
    assert_eq!(sim.take_orders(), vec![Output::Reopen { balancer }; 5]);
    sim.reopens = true;
    sim.advance(ms(1_000));
    assert_eq!(state(&sim, balancer), BalancerState::Running);
}

#[test]
fn while_the_answer_is_out_it_is_starting() {
    let (mut sim, balancer, _) = Sim::serving(settings(1));
    sim.prompt = false;
    sim.fail(balancer);
    // Told twice, it is not put off.
    sim.advance(ms(500));
    sim.fail(balancer);
    sim.advance(ms(500));
    assert_eq!(state(&sim, balancer), BalancerState::Starting);
    assert_eq!((sim.pool.count_running_load_balancers(), sim.pool.count_active_load_balancers()), (0, 1));
    assert!(!sim.pool.may_accept(balancer));
    sim.drive_bounded();
    sim.input(Input::BalancerReopened { balancer, anew: false });
    assert!(sim.pool.may_accept(balancer));
    sim.take_orders();
    sim.input(Input::BalancerReopened { balancer, anew: false });
    assert_eq!(sim.take_orders(), []);
}

#[test]
fn one_that_listens_again_unasked_is_running() {
    let (mut sim, balancer, _) = Sim::serving(settings(1));
    sim.fail(balancer);
    sim.input(Input::BalancerReopened { balancer, anew: false });
    assert_eq!(state(&sim, balancer), BalancerState::Running);
    sim.take_orders();
    sim.advance(ms(10_000));
    assert_eq!(sim.take_orders(), []);
}

#[test]
fn what_is_held_for_it_is_dispatched_all_the_same() {
    let (mut sim, balancer, lanes) = Sim::serving(settings(1));
    (0..3).for_each(|_| sim.connect(balancer));
    assert_eq!(sim.pool.held(), 1);
    sim.fail(balancer);
    sim.take(lanes[0]);
    assert_eq!((sim.pool.held(), sim.lanes[&lanes[0]].queue.len()), (0, 2));
    assert!(!sim.pool.may_accept(balancer));
}

#[test]
fn it_closes_when_nobody_is_left() {
    let (mut sim, balancer, lanes) = Sim::serving(settings(1));
    sim.fail(balancer);
    sim.input(Input::LaneClosed { lane: lanes[0] });
    assert_eq!(sim.pool.count_active_load_balancers(), 0);
    assert!(sim.changes.contains(&Change::BalancerRemoved { balancer }));
    sim.take_orders();
    sim.input(Input::BalancerFailed { balancer, error: String::new() });
    assert_eq!(sim.take_orders(), []);
    // Whoever opened it in the meantime has it closed.
    sim.input(Input::BalancerReopened { balancer, anew: false });
    assert_eq!(sim.take_orders(), [Output::CloseBalancer { balancer }]);
}

#[test]
fn it_is_stopping_while_the_cluster_stops_and_is_not_opened_then() {
    let (mut sim, one, _) = Sim::serving(settings(1));
    let two = sim.open();
    sim.listen(0, two);
    sim.polite = false;
    sim.fail(one);
    sim.take_changes();
    sim.input(Input::Stop);
    for balancer in [one, two] {
        assert_eq!(state(&sim, balancer), BalancerState::Stopping);
        let state = BalancerState::Stopping;
        assert!(sim.changes.contains(&Change::Balancer { balancer, state }));
    }
    assert_eq!((sim.pool.count_running_load_balancers(), sim.pool.count_active_load_balancers()), (0, 2));
    sim.take_orders();
    sim.input(Input::BalancerFailed { balancer: two, error: String::new() });
    sim.input(Input::BalancerReopened { balancer: one, anew: false });
    sim.advance(ms(5_000));
    assert_eq!(sim.take_orders(), []);
    assert_eq!(state(&sim, one), BalancerState::Stopping);
}
