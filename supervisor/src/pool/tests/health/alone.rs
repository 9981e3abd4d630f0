//! Suspects without anybody who could take over: all of them hang, or there is one only.

use super::hangs::{examined, hanging, hung, lags};
use crate::pool::tests::sim::{Sim, ms, settings};
use crate::pool::{Finding, Input, Note, State, WorkerCommand};

#[test]
fn when_everybody_looks_hung_it_is_the_machine() {
    let (mut sim, balancer, _) = Sim::serving(settings(2));
    (0..2).for_each(|_| sim.connect(balancer));
    lags(&mut sim, &[0, 1], 40_000);
    let starved =
        |sim: &Sim| sim.notes.iter().filter(|note| matches!(note, Note::Starved { workers: 2 })).count();
    assert_eq!((hung(&sim), starved(&sim), examined(&mut sim)), (vec![], 1, 0));
    // The other one keeps up again.
    for lag in [40_200, 40_400, 40_600, 40_800, 41_000, 41_200] {
        sim.advance(ms(200));
        sim.take_orders();
        for lane in sim.lanes.keys().copied().skip(1).collect::<Vec<_>>() {
            while sim.take(lane).is_some() {}
        }
        sim.look(&[(0, lag)]);
    }
    assert_eq!((hung(&sim).len(), starved(&sim)), (1, 1));
}

#[test]
fn one_that_serves_alone_stays_in_until_it_is_found_to_hang() {
    use Finding::{Blocked, Busy, Lock, Starved, Stopped, Unknown};
    for (finding, expected) in [(Busy, 1), (Stopped, 1), (Lock, 1), (Starved, 0), (Blocked, 0), (Unknown, 0)]
    {
        let (mut sim, balancer, old) = hanging(settings(1), 29_800);
        sim.finding = finding;
        assert_eq!((hung(&sim).len(), sim.pool.is_suspect(old)), (0, false));
        assert!(sim.pool.is_in_question(sim.now, old));
        sim.advance(ms(200));
        sim.input(Input::Late);
        sim.look(&[(0, 30_000)]);
        assert_eq!(hung(&sim), [], "{finding:?}: the supervisor was late itself");
        sim.advance(ms(200));
        sim.look(&[(0, 30_200)]);
        assert_eq!(hung(&sim).len(), expected, "{finding:?}");
        assert!(!sim.notes.iter().any(|note| matches!(note, Note::Starved { .. })), "{finding:?}");
        if expected == 1 {
            // Who waited for the one before is served by the next.
            assert!(matches!(sim.slot(0).state(), State::Starting { .. }));
            sim.take_orders();
            let lane = sim.listen(0, balancer);
            assert!(sim.take(lane).is_some());
        }
    }
}

#[test]
fn one_that_serves_alone_and_is_stopped_in_its_wait_is_found_by_its_lane() {
    let (mut sim, balancer, lanes) = Sim::serving(settings(2));
    sim.finding = Finding::Stopped;
    // Nobody but one that is cordoned could take over.
    sim.command(1, WorkerCommand::Cordon);
    let old = sim.worker(0);
    sim.advance(ms(40_000));
    sim.look(&[(0, 0)]);
    assert!(!sim.pool.is_in_question(sim.now, old), "nobody waits");
    sim.connect(balancer);
    for _ in 0..149 {
        sim.advance(ms(200));
        sim.look(&[(0, 0)]);
    }
    assert_eq!((hung(&sim), examined(&mut sim)), (vec![], 0));
    assert!(sim.pool.is_in_question(sim.now, old));
    sim.advance(ms(200));
    sim.look(&[(0, 0)]);
    assert_eq!(hung(&sim), [old]);
    assert!(sim.pool.lane(lanes[0]).is_none());
}
