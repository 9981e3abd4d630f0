//! What people command a worker to do, from the command to the process and what follows it. The table has the cells.

use crate::pool::tests::sim::{Fate, Sim, ms, settings, with};
use crate::pool::{Change, Input, Next, Note, Outcome, Output, Reason, Signal, State, Then, WorkerCommand};

pub(super) fn signals(orders: &[Output]) -> Vec<(u32, Signal)> {
    let signals = orders.iter().filter_map(|order| match order {
        Output::Signal { worker, signal } => Some((worker.slot, *signal)),
        _ => None,
    });
    signals.collect()
}

pub(super) fn spawns(orders: &[Output]) -> usize {
    orders.iter().filter(|order| matches!(order, Output::Spawn { .. })).count()
}

pub(super) fn reason(sim: &Sim, slot: usize) -> Option<Reason> {
    match sim.slot(slot).state() {
        State::Standby { reason, .. } => Some(reason),
        State::Starting { .. } | State::Running { .. } | State::Stopping(_) => None,
    }
}

#[test]
fn a_stopped_worker_stays_down_until_it_is_started() {
    let (mut sim, _, _) = Sim::serving(settings(2));
    sim.command(0, WorkerCommand::Stop);
    assert_eq!(signals(&sim.take_orders()), [(0, Signal::Stop)]);
    assert_eq!(reason(&sim, 0), Some(Reason::Stopped));
    assert!(matches!(sim.take_notes()[..], [Note::Exited { retry_in: None, then: Then::Stopped, .. }]));
    sim.advance(ms(1_000_000));
    assert_eq!(spawns(&sim.take_orders()), 0);
    sim.command(0, WorkerCommand::Start);
    assert_eq!(spawns(&sim.take_orders()), 1);
}

#[test]
fn each_command_that_runs_a_worker_brings_a_pending_restart_forward() {
    for command in [WorkerCommand::Start, WorkerCommand::Restart, WorkerCommand::HangUp] {
        let (mut sim, _, _) = Sim::serving(settings(1));
        sim.exit(0);
        sim.take_orders();
        sim.command(0, command);
        assert_eq!(spawns(&sim.take_orders()), 1, "{command:?}");
        sim.advance(ms(1_000));
        assert_eq!(spawns(&sim.take_orders()), 0, "the pending one was this one");
    }
}

#[test]
fn each_command_that_ends_a_worker_cancels_a_pending_restart() {
    for command in [WorkerCommand::Stop, WorkerCommand::ForceStop] {
        let (mut sim, _, _) = Sim::serving(settings(2));
        sim.exit(0);
        sim.take_orders();
        sim.command(0, command);
        sim.advance(ms(100_000));
        assert_eq!(sim.take_orders(), [], "{command:?}");
        assert_eq!(reason(&sim, 0), Some(Reason::Stopped));
    }
}

#[test]
fn what_is_said_to_a_process_that_there_is_not_has_no_effect() {
    for command in [WorkerCommand::Dump, WorkerCommand::Debug, WorkerCommand::Signal(10)] {
        let (mut sim, _, _) = Sim::serving(settings(2));
        sim.command(0, WorkerCommand::Stop);
        sim.take_orders();
        sim.command(0, command);
        sim.command(9, command);
        sim.advance(ms(100_000));
        assert_eq!(sim.take_orders(), [], "{command:?}");
        assert_eq!(reason(&sim, 0), Some(Reason::Stopped));
    }
}

#[test]
fn a_restart_needs_no_budget_and_no_delay() {
    let (mut sim, balancer, _) = Sim::serving(with(settings(1), |s| s.restart.respawn = 0));
    for incarnation in 2..5 {
        sim.command(0, WorkerCommand::Restart);
        let orders = sim.take_orders();
        assert_eq!((signals(&orders), spawns(&orders)), (vec![(0, Signal::Stop)], 1));
        assert_eq!(sim.worker(0).incarnation, incarnation);
        sim.listen(0, balancer);
    }
    assert_eq!(sim.slot(0).restarts(), 3);
    assert_eq!(sim.slot(0).restarts_left(), Some(0));
    let exits = |note: &Note| matches!(note, Note::Exited { then: Then::Commanded, retry_in, .. } if *retry_in == Some(ms(0)));
    assert_eq!(sim.take_notes().iter().filter(|note| exits(note)).count(), 3);
    sim.exit(0);
    assert_eq!(sim.done, Some(Outcome::Exhausted), "a death still needs one");
}

#[test]
fn a_restart_waits_for_the_process_and_kills_it_in_time() {
    let (mut sim, _, _) = Sim::serving(settings(1));
    sim.polite = false;
    sim.command(0, WorkerCommand::Restart);
    sim.command(0, WorkerCommand::Restart);
    sim.advance(ms(9_999));
    assert_eq!(spawns(&sim.take_orders()), 0);
    sim.advance(ms(1));
    let orders = sim.take_orders();
    assert_eq!((signals(&orders), spawns(&orders)), (vec![(0, Signal::Kill)], 1));
}

#[test]
fn the_last_word_to_a_stopping_worker_counts_and_start_goes_before_restart() {
    use WorkerCommand::{HangUp, Restart, Start, Stop};
    for (said, next) in [
        (&[Start][..], Next::Start),
        (&[HangUp], Next::Start),
        (&[Restart], Next::Restart),
        (&[Start, Restart], Next::Start),
        (&[Restart, Start], Next::Start),
        (&[Start, Stop], Next::Nothing),
        (&[Restart, Stop], Next::Nothing),
        (&[Stop, Restart], Next::Restart),
    ] {
        let (mut sim, _, _) = Sim::serving(settings(2));
        sim.polite = false;
        sim.command(0, Stop);
        said.iter().for_each(|command| sim.command(0, *command));
        let State::Stopping(stop) = sim.slot(0).state() else { panic!("{said:?}") };
        assert_eq!(stop.next, next, "{said:?}");
        sim.take_orders();
        sim.exit(0);
        assert_eq!(spawns(&sim.take_orders()), usize::from(next != Next::Nothing), "{said:?}");
    }
}

#[test]
fn a_hang_up_is_sent_and_a_worker_that_dies_of_it_is_restarted_like_any_other() {
    let (mut sim, balancer, lanes) = Sim::serving(settings(1));
    sim.command(0, WorkerCommand::HangUp);
    assert_eq!(signals(&sim.take_orders()), [(0, Signal::HangUp)]);
    sim.connect(balancer);
    assert_eq!(sim.lanes[&lanes[0]].queue.len(), 1, "it goes on");
    sim.exit(0);
    sim.advance(ms(200));
    assert_eq!(spawns(&sim.take_orders()), 1);
}

#[test]
fn a_cluster_that_was_not_started_takes_no_command() {
    let mut sim = Sim::new(settings(1));
    sim.command(0, WorkerCommand::Start);
    sim.command(0, WorkerCommand::Stop);
    assert_eq!(sim.take_orders(), []);
    sim.input(Input::Start);
    assert_eq!(spawns(&sim.take_orders()), 1);
}

#[test]
fn a_command_to_a_process_that_is_only_being_made_reaches_it() {
    for (command, signal) in [
        (WorkerCommand::Stop, Signal::Stop),
        (WorkerCommand::Restart, Signal::Stop),
        (WorkerCommand::ForceStop, Signal::Kill),
        (WorkerCommand::Dump, Signal::Abort),
        (WorkerCommand::Debug, Signal::Debug),
    ] {
        let mut sim = Sim::new(settings(1));
        sim.prompt = false;
        sim.input(Input::Start);
        sim.command(0, command);
        sim.take_orders();
        let spawned = sim.pending.pop_front().expect("the spawn is under way");
        sim.tell(spawned);
        sim.drain();
        assert_eq!(signals(&sim.take_orders()), [(0, signal)], "{command:?}");
    }
}

#[test]
fn a_process_that_was_told_to_restart_and_never_came_is_ordered_again() {
    let mut sim = Sim::new(settings(1));
    sim.prompt = false;
    sim.input(Input::Start);
    sim.command(0, WorkerCommand::Restart);
    sim.pending.clear();
    sim.take_orders();
    sim.take_notes();
    sim.input(Input::SpawnFailed { worker: sim.worker(0), error: "no memory".to_owned() });
    assert_eq!(spawns(&sim.take_orders()), 1);
    assert!(matches!(sim.notes[0], Note::SpawnFailed { retry_in: Some(wait), .. } if wait == ms(0)));
}

#[test]
fn a_worker_with_no_restart_left_has_all_of_them_when_it_is_started() {
    let (mut sim, _, _) = Sim::serving(with(settings(2), |s| s.restart.respawn = 2));
    for _ in 0..3 {
        sim.exit(0);
        sim.advance(ms(1_000));
    }
    assert_eq!(reason(&sim, 0), Some(Reason::BudgetSpent));
    sim.take_orders();
    sim.command(0, WorkerCommand::Start);
    assert_eq!(spawns(&sim.take_orders()), 1);
    assert_eq!(sim.slot(0).restarts_left(), Some(2));
}

#[test]
fn what_waits_for_a_worker_that_is_to_stop_goes_to_others_before_it_is_told() {
    let (mut sim, balancer, lanes) = Sim::serving(settings(2));
    sim.polite = false;
    sim.connect(balancer);
    sim.take_orders();
    sim.command(0, WorkerCommand::Restart);
    let orders = sim.take_orders();
    assert_eq!(orders[0], Output::TakeBack { lane: lanes[0] });
    assert!(matches!(orders[1], Output::Signal { signal: Signal::Stop, .. }));
    assert!(sim.conns.values().all(|fate| *fate == Fate::InLane(lanes[1])));
    // It gets nothing more while it stops.
    (0..2).for_each(|_| sim.connect(balancer));
    assert_eq!(sim.queued(balancer) + sim.pool.held(), 1);
    assert!(!sim.pool.may_accept(balancer));
}

#[test]
fn a_single_worker_is_restarted_and_nothing_that_waits_is_lost() {
    let (mut sim, balancer, _) = Sim::serving(settings(1));
    (0..3).for_each(|_| sim.connect(balancer));
    sim.command(0, WorkerCommand::Restart);
    assert_eq!(sim.pool.count_running_load_balancers(), 1, "another is coming");
    let lane = sim.listen(0, balancer);
    assert_eq!(sim.lanes[&lane].queue.len(), 2);
    assert!(sim.conns.values().all(|fate| *fate != Fate::Refused));
}

#[test]
fn the_balancers_stay_for_workers_that_were_stopped_by_command() {
    let (mut sim, balancer, _) = Sim::serving(settings(2));
    sim.command(0, WorkerCommand::Stop);
    sim.command(1, WorkerCommand::Stop);
    assert_eq!((sim.done, sim.pool.count_active_load_balancers()), (None, 1));
    sim.drive_bounded();
    sim.command(1, WorkerCommand::Start);
    let lane = sim.listen(1, balancer);
    sim.connect(balancer);
    assert_eq!(sim.lanes[&lane].queue.len(), 1);
}

#[test]
fn every_change_of_state_is_told_in_turn() {
    let mut sim = Sim::new(settings(1));
    sim.input(Input::Start);
    let balancer = sim.open();
    sim.listen(0, balancer);
    sim.command(0, WorkerCommand::Restart);
    let states = sim.take_changes().into_iter().filter_map(|change| match change {
        Change::Worker { worker, state } => Some(match state {
            State::Standby { due, .. } => (worker.incarnation, "standby", due.is_some()),
            State::Starting { pid, .. } => (worker.incarnation, "starting", pid.is_some()),
            State::Running { pid, .. } => (worker.incarnation, "running", pid.is_some()),
            State::Stopping(stop) => (worker.incarnation, "stopping", stop.pid.is_some()),
        }),
        _ => None,
    });
    let expected = [
        (0, "standby", true),
        (1, "starting", false),
        (1, "starting", true),
        (1, "running", true),
        (1, "stopping", true),
        (1, "standby", true),
        (2, "starting", false),
        (2, "starting", true),
    ];
    assert_eq!(states.collect::<Vec<_>>(), expected);
    sim.advance(ms(6_000));
    assert_eq!(sim.take_changes(), [], "a boot slot is nobody else's concern");
}
