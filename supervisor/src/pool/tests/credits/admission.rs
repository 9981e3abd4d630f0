//! Who shuts a shared socket down is found out by giving the next one to one lane after the other.

use crate::ids::{BalancerId, LaneId};
use crate::pool::Note;
use crate::pool::tests::sim::{Record, Sim, ms, settings};
use crate::pool::{BalancerState, Input};

/// Which of the lanes may have the socket.
fn may(sim: &Sim, lanes: &[LaneId]) -> Vec<bool> {
    lanes.iter().map(|lane| sim.pool.may_have_socket(*lane)).collect()
}

/// The socket is shut down and opened again after a second.
fn shut_down(sim: &mut Sim, balancer: BalancerId) -> Option<(u32, u64, bool)> {
    sim.take_notes();
    sim.fail(balancer);
    let told = sim.take_notes().into_iter().find_map(|note| match note {
        Note::ShutDown { worker, after, alone, .. } => Some((worker.slot, after.as_millis() as u64, alone)),
        _ => None,
    });
    sim.advance(ms(1_000));
    assert_eq!(sim.pool.balancer(balancer).map(|balancer| balancer.state()), Some(BalancerState::Running));
    told
}

/// The lane asks for the socket and accepts by it.
fn use_socket(sim: &mut Sim, lane: LaneId) {
    sim.input(Input::SocketGiven { lane });
    sim.input(Input::Took { lane, count: 1 });
}

#[test]
fn the_next_socket_goes_to_one_after_the_other() {
    let (mut sim, balancer, lanes) = Sim::on_credit(settings(3));
    assert_eq!(may(&sim, &lanes), [true; 3]);
    assert_eq!(shut_down(&mut sim, balancer), None, "who it was cannot be told");
    assert_eq!(may(&sim, &lanes), [true, false, false]);
    use_socket(&mut sim, lanes[0]);
    sim.advance(ms(299));
    assert_eq!(may(&sim, &lanes), [true, false, false]);
    sim.advance(ms(1));
    assert_eq!(may(&sim, &lanes), [true, true, false]);
    // It does not ask for it, and holds nobody up for long.
    sim.advance(ms(999));
    assert_eq!(may(&sim, &lanes), [true, true, false]);
    sim.advance(ms(1));
    assert_eq!(may(&sim, &lanes), [true; 3]);
    sim.advance(ms(9_999));
    assert!(sim.pool.balancer(balancer).and_then(|balancer| balancer.handoff_because()).is_some());
    sim.advance(ms(1));
    assert_eq!(sim.pool.balancer(balancer).and_then(|balancer| balancer.handoff_because()), None);
}

#[test]
fn who_may_not_have_it_is_handed_connections() {
    let (mut sim, balancer, lanes) = Sim::on_credit(settings(2));
    shut_down(&mut sim, balancer);
    (0..2).for_each(|_| sim.connect(balancer));
    assert!(sim.lanes[&lanes[0]].queue.contains(&Record::Single), "{:?}", sim.lanes);
    assert!(matches!(sim.lanes[&lanes[1]].queue.front(), Some(Record::Conn(_))), "{:?}", sim.lanes);
}

#[test]
fn who_shuts_it_down_soon_after_he_got_it_is_named_and_gets_it_no_more() {
    let (mut sim, balancer, lanes) = Sim::on_credit(settings(3));
    shut_down(&mut sim, balancer);
    use_socket(&mut sim, lanes[0]);
    sim.advance(ms(300));
    sim.input(Input::SocketGiven { lane: lanes[1] });
    sim.advance(ms(40));
    assert_eq!(shut_down(&mut sim, balancer), Some((1, 40, false)));
    assert_eq!(may(&sim, &lanes), [true, false, false]);
    use_socket(&mut sim, lanes[0]);
    sim.advance(ms(300));
    assert_eq!(may(&sim, &lanes), [true, false, true]);
    use_socket(&mut sim, lanes[2]);
    sim.advance(ms(20_000));
    assert_eq!(may(&sim, &lanes), [true, false, true], "for good");
    // Its successor may.
    sim.exit(1);
    sim.advance(ms(20_000));
    let next = sim.listen(1, balancer);
    assert!(sim.pool.may_have_socket(next));
}

#[test]
fn who_alone_has_it_is_named_however_late() {
    let (mut sim, balancer, lanes) = Sim::on_credit(settings(1));
    shut_down(&mut sim, balancer);
    use_socket(&mut sim, lanes[0]);
    sim.advance(ms(9_000));
    assert_eq!(shut_down(&mut sim, balancer), Some((0, 9_000, true)));
    assert_eq!(may(&sim, &lanes), [false]);
    sim.connect(balancer);
    assert!(matches!(sim.take(lanes[0]), Some(Record::Conn(_))), "it is served all the same");
}

#[test]
fn who_is_late_and_not_alone_is_not_named_and_the_third_time_nobody_has_it() {
    let (mut sim, balancer, lanes) = Sim::on_credit(settings(2));
    for round in 0..3 {
        assert_eq!(shut_down(&mut sim, balancer), None, "round {round}");
        for &lane in lanes.iter().filter(|_| round < 2) {
            assert!(sim.pool.may_have_socket(lane), "round {round}");
            use_socket(&mut sim, lane);
            sim.advance(ms(1_000));
        }
    }
    sim.advance(ms(60_000));
    assert_eq!(may(&sim, &lanes), [false; 2]);
    assert!(sim.pool.balancer(balancer).is_some_and(|balancer| balancer.is_handed_over()));
    sim.connect(balancer);
    assert!(matches!(sim.take(lanes[0]), Some(Record::Conn(_))));
}

#[test]
fn the_count_is_forgotten_after_an_hour() {
    let (mut sim, balancer, lanes) = Sim::on_credit(settings(1));
    for _ in 0..5 {
        shut_down(&mut sim, balancer);
        sim.advance(ms(3_700_000));
    }
    assert_eq!(may(&sim, &lanes), [true]);
}

#[test]
fn those_on_the_same_socket_go_on_with_what_they_have() {
    let (mut sim, balancer, lanes) = Sim::on_credit(settings(2));
    sim.fail(balancer);
    assert_eq!(may(&sim, &lanes), [false; 2]);
    sim.input(Input::BalancerReopened { balancer, anew: false });
    assert_eq!(may(&sim, &lanes), [true; 2]);
}
