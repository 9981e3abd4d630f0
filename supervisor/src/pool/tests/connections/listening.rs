//! How balancers come and go: workers that stop listening, and addresses that nobody serves any more.

use crate::ids::LaneId;
use crate::pool::tests::sim::{Fate, Sim, ms, settings, with};
use crate::pool::{Input, Note, Output};

#[test]
fn what_waits_in_a_lane_is_looked_at_until_it_is_taken() {
    let (mut sim, balancer, lanes) = Sim::serving(with(settings(1), |s| s.health.lag_limit = None));
    sim.connect(balancer);
    sim.take_orders();
    let mut looks = Vec::new();
    let begin = sim.now;
    while looks.len() < 8 {
        sim.step();
        assert_eq!(sim.take_orders(), [Output::Look { lane: lanes[0] }]);
        looks.push((sim.now - begin).as_millis());
    }
    assert_eq!(looks, [20, 60, 140, 300, 620, 1260, 2260, 3260]);
    sim.take(lanes[0]);
    sim.step();
    assert_eq!(sim.take_orders(), [Output::Look { lane: lanes[0] }]);
    sim.advance(ms(30_000));
    assert_eq!(sim.take_orders(), [], "an empty lane is left alone");
}

#[test]
fn a_new_connection_in_an_emptied_lane_is_looked_at_soon() {
    let (mut sim, balancer, lanes) = Sim::serving(with(settings(1), |s| {
        s.balancing.window = Some(1);
        s.health.lag_limit = None
    }));
    sim.connect(balancer);
    sim.advance(ms(700));
    sim.take(lanes[0]);
    sim.connect(balancer);
    sim.connect(balancer);
    sim.take(lanes[0]);
    assert_eq!(sim.pool.next_deadline(), Some(sim.now + ms(20)));
}

#[test]
fn a_worker_that_let_go_is_found_out_and_its_connections_go_to_others() {
    let (mut sim, balancer, lanes) = Sim::serving(settings(2));
    let worker = sim.worker(0);
    sim.lanes.get_mut(&lanes[0]).expect("open").held = false;
    sim.connect(balancer);
    sim.take_orders();
    sim.advance(ms(20));
    let orders = sim.take_orders();
    assert_eq!(orders[..2], [Output::Look { lane: lanes[0] }, Output::Retire { lane: lanes[0] }]);
    assert!(matches!(orders[2], Output::Dispatch { lane, .. } if lane == lanes[1]));
    assert_eq!(sim.take_notes(), [Note::StoppedListening { worker, balancer }]);
    assert_eq!(sim.pool.count_running_workers(), 2);
    assert_eq!(sim.pool.count_active_load_balancers(), 1);
}

#[test]
fn the_balancer_closes_when_the_last_worker_lets_go() {
    let (mut sim, balancer, lanes) = Sim::serving(settings(2));
    sim.input(Input::LaneClosed { lane: lanes[0] });
    sim.take_notes();
    sim.take_orders();
    let worker = sim.worker(1);
    sim.connect(balancer);
    sim.input(Input::LaneClosed { lane: lanes[1] });
    assert_eq!(
        sim.take_notes(),
        [Note::StoppedListening { worker, balancer }, Note::BalancerClosed { balancer }]
    );
    let orders = sim.take_orders();
    assert!(orders.contains(&Output::CloseBalancer { balancer }));
    assert!(sim.conns.values().all(|fate| *fate == Fate::Refused), "there is nobody to serve it");
    assert!(!sim.pool.may_accept(balancer));
    // Opened again, it is a new one.
    let again = sim.open();
    let lane = sim.listen(0, again);
    sim.connect(again);
    assert_eq!(sim.lanes[&lane].queue.len(), 1);
}

#[test]
fn the_balancer_stays_while_a_worker_is_to_come() {
    let (mut sim, balancer, lanes) = Sim::serving(settings(2));
    sim.exit(0);
    sim.input(Input::LaneClosed { lane: lanes[1] });
    assert_eq!(sim.pool.count_active_load_balancers(), 1);
    sim.connect(balancer);
    sim.advance(ms(200));
    let lane = sim.listen(0, balancer);
    assert_eq!(sim.lanes[&lane].queue.len(), 1, "who waited in the kernel's queue is served");
}

#[test]
fn a_restarted_worker_has_its_time_to_listen_on_all_it_served() {
    let mut sim = Sim::new(settings(1));
    sim.input(Input::Start);
    let (one, two) = (sim.open(), sim.open());
    sim.listen(0, one);
    sim.listen(0, two);
    sim.exit(0);
    sim.advance(ms(200));
    sim.listen(0, one);
    assert_eq!(sim.pool.count_active_load_balancers(), 2, "it may listen on the second a moment later");
    sim.advance(ms(29_000));
    assert_eq!(sim.pool.count_active_load_balancers(), 2);
    sim.take_notes();
    sim.advance(ms(1_000));
    assert_eq!(sim.take_notes(), [Note::BalancerClosed { balancer: two }]);
    sim.drive_bounded();
}

#[test]
fn a_balancer_whose_only_worker_has_no_restart_left_closes() {
    let mut sim = Sim::new(with(settings(2), |s| s.restart.respawn = 0));
    sim.input(Input::Start);
    let (one, two) = (sim.open(), sim.open());
    sim.listen(0, one);
    sim.listen(1, two);
    sim.advance(ms(40_000));
    sim.exit(1);
    let ids: Vec<_> = sim.pool.balancers().map(|balancer| balancer.id()).collect();
    assert_eq!(ids, [one]);
}

#[test]
fn one_of_several_lanes_of_a_worker_may_close_unnoticed() {
    let (mut sim, balancer, lanes) = Sim::serving(settings(1));
    let child = sim.listen(0, balancer);
    sim.take_notes();
    sim.input(Input::LaneClosed { lane: child });
    assert_eq!(sim.take_notes(), []);
    assert_eq!(sim.pool.balancers().flat_map(|balancer| balancer.rotation()).collect::<Vec<LaneId>>(), lanes);
}

#[test]
fn a_balancer_whose_first_lane_came_too_late_closes() {
    let mut sim = Sim::new(with(settings(2), |s| s.restart.respawn = 0));
    sim.input(Input::Start);
    sim.advance(ms(40_000));
    let dead = sim.worker(0);
    sim.exit(0);
    let balancer = sim.open();
    sim.input(Input::LaneOpened { lane: LaneId(999), worker: dead, balancer });
    assert_eq!(sim.pool.count_active_load_balancers(), 0);
}

#[test]
fn who_is_gone_before_its_answer_takes_nothing_with_it() {
    let (mut sim, balancer, _) = Sim::serving(settings(1));
    sim.advance(ms(40_000));
    sim.exit(0);
    sim.connect(balancer);
    sim.take_notes();
    // The next one is killed in listen(), and is followed by another.
    sim.input(Input::Unlistened { balancer });
    sim.exit(0);
    assert_eq!(sim.pool.count_active_load_balancers(), 1);
    assert!(!sim.take_notes().contains(&Note::BalancerClosed { balancer }));
    sim.advance(ms(10_000));
    let lane = sim.listen(0, balancer);
    assert!(sim.conns.values().all(|fate| *fate == Fate::InLane(lane)), "{:?}", sim.conns);
}
