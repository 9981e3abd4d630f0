//! Other settings while the cluster runs.

use crate::pool::tests::sim::{Sim, ms, settings, with};
use crate::pool::{Input, Note, Settings, State, WhenNoWorker, WorkerCommand};

/// The settings that hold, changed like this.
fn configure(sim: &mut Sim, change: impl FnOnce(&mut Settings)) {
    let settings = Box::new(with(sim.pool.settings().clone(), change));
    sim.input(Input::Configure { settings });
}

#[test]
fn a_higher_limit_lets_in_at_once_who_waits() {
    let limited = with(settings(1), |s| {
        s.balancing.max_connections = Some(1);
        s.balancing.window = Some(8);
    });
    let (mut sim, balancer, lanes) = Sim::serving(limited);
    for _ in 0..3 {
        sim.connect(balancer);
        sim.take(lanes[0]);
    }
    assert_eq!(sim.queued(balancer), 2);
    configure(&mut sim, |s| s.balancing.max_connections = Some(2));
    assert_eq!(sim.queued(balancer), 1);
    configure(&mut sim, |s| s.balancing.max_connections = Some(5));
    assert_eq!(sim.queued(balancer), 0);
}

#[test]
fn who_waits_for_a_worker_is_refused_or_may_wait_on() {
    let hold = |s: &mut Settings, time| {
        s.balancing.when_no_worker = WhenNoWorker::Hold { refuse_after: Some(ms(time)) };
    };
    let (mut sim, balancer, _) = Sim::serving(with(settings(1), |s| hold(s, 10_000)));
    sim.command(0, WorkerCommand::Stop);
    sim.advance(ms(5_000));
    configure(&mut sim, |s| hold(s, 4_000));
    assert!(sim.pool.balancer(balancer).expect("open").is_refusing());
    sim.take_notes();
    configure(&mut sim, |s| hold(s, 8_000));
    assert_eq!(sim.take_notes(), [Note::Accepting { balancer }]);
    sim.connect(balancer);
    sim.advance(ms(2_999));
    assert!(!sim.pool.balancer(balancer).expect("open").is_refusing());
    sim.advance(ms(1));
    assert!(sim.pool.balancer(balancer).expect("open").is_refusing());
}

#[test]
fn restarts_are_counted_anew_and_the_number_of_workers_is_not_touched() {
    let mut sim = Sim::new(with(settings(2), |s| {
        s.restart.respawn = 0;
        s.restart.keep_trying = true;
    }));
    sim.input(Input::Start);
    configure(&mut sim, |s| {
        s.restart.respawn = 1;
        s.workers = 7;
    });
    assert_eq!(sim.pool.count_workers(), 2);
    sim.exit(0);
    let due = |sim: &Sim| matches!(sim.slot(0).state(), State::Standby { due: Some(_), .. });
    assert!(due(&sim), "{:?}", sim.slot(0).state());
}
