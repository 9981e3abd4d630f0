//! Addresses at which the kernel chooses: the shell is told when those have changed between which it may, and gives out nothing.

use crate::ids::{BalancerId, LaneId};
use crate::pool::tests::sim::{Sim, ms, settings, with};
use crate::pool::{Input, Output, Route, Settings, WhenNoWorker, WorkerCommand};

const GROUP: BalancerId = BalancerId(900);

/// Two workers with a socket each, of which the shell has been told.
fn group(settings: Settings) -> (Sim, [LaneId; 2]) {
    let (mut sim, _, _) = Sim::serving(settings);
    sim.input(Input::BalancerOpened { balancer: GROUP, route: Route::Kernel });
    let lanes = [LaneId(901), LaneId(902)];
    for (slot, lane) in lanes.into_iter().enumerate() {
        sim.take_orders();
        sim.input(Input::LaneOpened { lane, worker: sim.worker(slot), balancer: GROUP });
        assert_eq!(steered(&mut sim), 1);
    }
    (sim, lanes)
}

/// How often the shell was told since.
fn steered(sim: &mut Sim) -> usize {
    sim.take_orders().iter().filter(|order| **order == Output::Steer { balancer: GROUP }).count()
}

fn live(sim: &Sim) -> Vec<LaneId> {
    let mut live: Vec<LaneId> = sim.pool.balancer(GROUP).expect("it is open").rotation().collect();
    live.sort_unstable();
    live
}

#[test]
fn it_is_told_once_of_each_change_and_of_nothing_else() {
    let (mut sim, [one, other]) = group(settings(2));
    assert_eq!(live(&sim), [one, other]);
    assert!(!sim.pool.may_accept(GROUP) && !sim.pool.wants_queue(GROUP), "nothing is given out");
    sim.input(Input::Command { slot: 1, command: WorkerCommand::Cordon });
    assert_eq!((steered(&mut sim), live(&sim)), (1, vec![one]));
    sim.input(Input::Command { slot: 1, command: WorkerCommand::Cordon });
    sim.input(Input::QueuedAt { lane: one, waiting: 3 });
    sim.input(Input::Took { lane: one, count: 3 });
    assert_eq!(steered(&mut sim), 0);
    sim.input(Input::Command { slot: 1, command: WorkerCommand::Uncordon });
    assert_eq!((steered(&mut sim), live(&sim)), (1, vec![one, other]));
    let connections = sim.pool.balancer(GROUP).map(crate::pool::Balancer::dispatched);
    assert_eq!(connections, Some(3));
}

#[test]
fn who_lags_leaves_and_comes_back() {
    let (mut sim, [one, other]) = group(settings(2));
    let worker = sim.worker(0);
    sim.input(Input::Lag { worker, lag: ms(5_000) });
    assert_eq!((steered(&mut sim), live(&sim)), (1, vec![other]));
    for _ in 0..2 {
        sim.advance(ms(200));
        sim.input(Input::Lag { worker, lag: ms(0) });
    }
    assert_eq!((steered(&mut sim), live(&sim)), (1, vec![one, other]));
}

#[test]
fn a_socket_that_is_gone_is_retired_and_chosen_no_more() {
    let (mut sim, [one, other]) = group(settings(2));
    sim.input(Input::LaneClosed { lane: one });
    let orders = sim.take_orders();
    assert!(orders.contains(&Output::Retire { lane: one }), "{orders:?}");
    assert!(orders.contains(&Output::Steer { balancer: GROUP }), "{orders:?}");
    assert_eq!(live(&sim), [other]);
}

#[test]
fn one_that_dies_is_replaced_and_the_next_is_chosen() {
    let (mut sim, balancer, lanes) = Sim::on_kernel(settings(2));
    let live = |sim: &Sim| sim.pool.balancer(balancer).map(|known| known.rotation().collect::<Vec<_>>());
    sim.exit(0);
    assert_eq!(live(&sim), Some(vec![lanes[1]]));
    sim.advance(ms(200));
    let next = sim.listen(0, balancer);
    assert!(live(&sim).is_some_and(|live| live.len() == 2 && live.contains(&next)));
    assert!(sim.steered.contains(&balancer));
}

#[test]
fn what_comes_while_there_is_no_worker_is_refused_in_the_end() {
    let settings = with(settings(1), |settings| {
        settings.balancing.when_no_worker = WhenNoWorker::Hold { refuse_after: Some(ms(1_000)) };
        settings.restart.restart_delay = ms(10_000);
    });
    let (mut sim, balancer, _) = Sim::on_kernel(settings);
    sim.exit(0);
    assert!(!sim.pool.may_accept(balancer));
    sim.advance(ms(1_100));
    assert!(sim.pool.may_accept(balancer), "to refuse it");
    sim.advance(ms(15_000));
    sim.listen(0, balancer);
    assert!(!sim.pool.may_accept(balancer));
}
