//! Draining: out of rotation for good, told to stop once nothing is under way, or once it has had its time.

use crate::pool::tests::sim::{Sim, ms, settings, with};
use crate::pool::{Input, Note, Output, Settings, Signal, State, Timer, WorkerCommand};
use crate::settings::Drain;

fn draining(workers: u32) -> Settings {
    with(settings(workers), |s| s.stop.drain = Drain::Quiet)
}

fn signals(sim: &mut Sim) -> Vec<Signal> {
    let orders = sim.take_orders();
    let signals = orders.into_iter().filter_map(|order| match order {
        Output::Signal { signal, .. } => Some(signal),
        _ => None,
    });
    signals.collect()
}

#[test]
fn a_worker_is_told_once_it_is_quiet_and_gets_nothing_meanwhile() {
    let (mut sim, balancer, lanes) = Sim::serving(draining(2));
    sim.polite = false;
    sim.connect(balancer);
    sim.take(lanes[0]);
    let worker = sim.worker(0);
    sim.command(0, WorkerCommand::Stop);
    assert!(matches!(sim.slot(0).state(), State::Stopping(stop) if stop.drains()));
    assert_eq!(signals(&mut sim), []);
    for _ in 0..5 {
        sim.connect(balancer);
        sim.take(lanes[1]);
    }
    assert_eq!(sim.open_connections(worker), 1, "a connection was given to one that drains");
    sim.advance(ms(1_500));
    assert!(sim.finish(worker));
    assert_eq!(signals(&mut sim), [Signal::Stop]);
    assert!(sim.notes.contains(&Note::Drained { worker, after: ms(1_500), quiet: true }));
    sim.advance(ms(9_999));
    assert_eq!(signals(&mut sim), []);
    sim.advance(ms(1));
    assert_eq!(signals(&mut sim), [Signal::Kill], "the time to stop begins with the signal");
}

#[test]
fn what_waited_goes_to_others_first() {
    let (mut sim, balancer, lanes) = Sim::serving(draining(2));
    sim.connect(balancer);
    sim.take_orders();
    sim.command(0, WorkerCommand::Stop);
    let orders = sim.take_orders();
    let place = |wanted: &dyn Fn(&Output) -> bool| orders.iter().position(wanted);
    let taken = place(&|order| *order == Output::TakeBack { lane: lanes[0] });
    let drain = place(&|order| matches!(order, Output::Drain { .. }));
    assert!(taken.is_some() && taken < drain, "{orders:?}");
    assert_eq!(sim.lanes[&lanes[1]].queue.len(), 1);
}

#[test]
fn what_waited_is_taken_back_though_the_others_have_no_room_yet() {
    let (mut sim, balancer, lanes) = Sim::serving(with(draining(2), |s| s.balancing.window = Some(2)));
    for _ in 0..4 {
        sim.connect(balancer);
    }
    assert!(lanes.iter().all(|lane| sim.lanes[lane].queue.len() == 2), "both are full");
    sim.take_orders();
    sim.command(0, WorkerCommand::Stop);
    let orders = sim.take_orders();
    assert!(orders.contains(&Output::TakeBack { lane: lanes[0] }), "it accepts after it is out: {orders:?}");
    assert_eq!(sim.lanes[&lanes[1]].queue.len(), 2);
    for _ in 0..4 {
        sim.take(lanes[1]);
    }
    assert_eq!(sim.open_connections(sim.worker(1)), 4, "all of them came to the other");
}

#[test]
fn what_waited_stays_where_nobody_else_would_take_it() {
    let (mut sim, balancer, lanes) = Sim::serving(draining(2));
    sim.command(1, WorkerCommand::Cordon);
    sim.connect(balancer);
    sim.take_orders();
    sim.command(0, WorkerCommand::Stop);
    let orders = sim.take_orders();
    assert!(!orders.contains(&Output::TakeBack { lane: lanes[0] }), "{orders:?}");
}

#[test]
fn time_is_up_for_who_is_never_quiet() {
    let (mut sim, balancer, lanes) = Sim::serving(draining(1));
    sim.connect(balancer);
    sim.take(lanes[0]);
    let worker = sim.worker(0);
    sim.command(0, WorkerCommand::Restart);
    sim.advance(ms(19_999));
    assert_eq!(signals(&mut sim), []);
    sim.advance(ms(1));
    assert_eq!(signals(&mut sim), [Signal::Stop]);
    assert!(sim.notes.contains(&Note::Drained { worker, after: ms(20_000), quiet: false }));
    assert_eq!(sim.worker(0).incarnation, 2);
}

#[test]
fn who_cannot_wait_need_not() {
    for (command, signal) in [
        (WorkerCommand::ForceStop, Signal::Kill),
        (WorkerCommand::Dump, Signal::Abort),
        (WorkerCommand::Debug, Signal::Debug),
        (WorkerCommand::Signal(12), Signal::Number(12)),
    ] {
        let (mut sim, balancer, lanes) = Sim::serving(draining(2));
        sim.polite = false;
        sim.connect(balancer);
        sim.take(lanes[0]);
        sim.command(0, WorkerCommand::Stop);
        sim.command(0, command);
        assert_eq!(signals(&mut sim), [signal], "{command:?}");
    }
}

#[test]
fn who_does_not_serve_yet_has_nothing_to_drain() {
    let mut sim = Sim::new(draining(1));
    sim.polite = false;
    sim.input(Input::Start);
    sim.command(0, WorkerCommand::Stop);
    assert_eq!(signals(&mut sim), [Signal::Stop]);
}

#[test]
fn one_that_ends_while_it_drains_is_gone() {
    let (mut sim, balancer, lanes) = Sim::serving(draining(2));
    sim.connect(balancer);
    sim.take(lanes[0]);
    sim.command(0, WorkerCommand::Stop);
    sim.exit(0);
    assert_eq!(signals(&mut sim), []);
    assert!(!sim.slot(0).is_live());
    assert!(matches!(sim.pool.next_timer(), Some((_, Timer::Settle))), "{:?}", sim.pool.next_timer());
}

#[test]
fn fewer_workers_drain_the_youngest() {
    let (mut sim, balancer, lanes) = Sim::serving(draining(3));
    for lane in &lanes {
        sim.connect(balancer);
        sim.take(*lane);
    }
    let (first, last) = (sim.worker(0), sim.worker(2));
    sim.input(Input::Scale { workers: 1 });
    assert_eq!(signals(&mut sim), []);
    assert_eq!(sim.pool.count_workers(), 3);
    assert!(sim.finish(last));
    assert_eq!(sim.pool.count_workers(), 2, "one slot after the other, as each is quiet");
    sim.connect(balancer);
    sim.take(lanes[0]);
    assert_eq!(sim.open_connections(first), 2);
}
