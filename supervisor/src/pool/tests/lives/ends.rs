//! The ends that a cluster comes to by itself: its work is done, its budgets are spent, or it never began.

use crate::ids::WorkerId;
use crate::pool::tests::sim::{Sim, ms, settings, with};
use crate::pool::{Exit, Input, Note, Outcome, Output, Reason, Settings, Signal, State, Then, WorkerCommand};

fn finishing(workers: u32) -> Settings {
    with(settings(workers), |s| {
        s.restart.exit_codes_ok = vec![0, 7];
        s.restart.respawn = 0
    })
}

#[test]
fn a_worker_that_has_done_its_work_is_not_restarted() {
    let (mut sim, _, _) = Sim::serving(finishing(2));
    for code in [0, 7] {
        sim.take_notes();
        sim.exit_by(0, Exit::Code(code));
        let exited = &sim.notes[0];
        assert!(matches!(exited, Note::Exited { retry_in: None, then: Then::Finished, .. }), "{exited:?}");
        let reason = Reason::Finished;
        assert_eq!(sim.slot(0).state(), State::Standby { due: None, reason });
        sim.advance(ms(100_000));
        assert_eq!(sim.done, None);
        // Nobody but a command starts it.
        sim.command(0, WorkerCommand::Start);
        assert!(sim.slot(0).is_live());
    }
}

#[test]
fn other_codes_and_signals_are_deaths_and_so_is_any_code_where_none_is_listed() {
    let killed = Exit::Signal { signal: 7, core_dumped: false, oom_killed: false };
    for (settings, exit) in
        [(finishing(2), Exit::Code(1)), (finishing(2), killed), (settings(2), Exit::Code(0))]
    {
        let (mut sim, _, _) = Sim::serving(settings);
        sim.exit_by(0, exit);
        assert!(matches!(
            sim.slot(0).state(),
            State::Standby { reason: Reason::BudgetSpent | Reason::Restart, .. }
        ));
        assert_eq!(sim.slot(0).last_exit(), Some(exit));
    }
}

#[test]
fn when_all_have_done_their_work_the_cluster_has_finished() {
    let (mut sim, balancer, _) = Sim::serving(finishing(2));
    sim.exit_by(0, Exit::Code(0));
    sim.take_orders();
    sim.exit_by(1, Exit::Code(7));
    assert_eq!(sim.done, Some(Outcome::Finished));
    assert_eq!(Outcome::Finished.code(), 0);
    assert!(sim.take_orders().contains(&Output::CloseBalancer { balancer }));
}

#[test]
fn when_some_have_and_others_may_not_run_any_more_it_is_exhausted() {
    let (mut sim, _, _) = Sim::serving(finishing(2));
    sim.exit_by(0, Exit::Code(0));
    sim.exit_by(1, Exit::Code(1));
    assert_eq!(sim.done, Some(Outcome::Exhausted));
    assert_eq!(Outcome::Exhausted.code(), 1);
}

#[test]
fn a_worker_that_was_stopped_by_command_keeps_the_cluster() {
    let (mut sim, _, _) = Sim::serving(finishing(2));
    sim.command(0, WorkerCommand::Stop);
    sim.exit_by(1, Exit::Code(0));
    sim.advance(ms(1_000_000));
    assert_eq!(sim.done, None);
    sim.command(0, WorkerCommand::Start);
    sim.exit_by(0, Exit::Code(0));
    assert_eq!(sim.done, Some(Outcome::Finished));
}

#[test]
fn an_exit_that_was_asked_for_is_no_finish() {
    let (mut sim, _, _) = Sim::serving(finishing(1));
    sim.command(0, WorkerCommand::Restart);
    assert!(sim.slot(0).is_live(), "it exited with 0 and runs again");
    sim.command(0, WorkerCommand::Stop);
    assert!(matches!(sim.slot(0).state(), State::Standby { reason: Reason::Stopped, .. }));
}

fn impatient(workers: u32) -> Settings {
    with(settings(workers), |s| s.restart.keep_trying = false)
}

#[test]
fn when_each_worker_has_died_before_any_was_ready_the_cluster_gives_up() {
    let mut sim = Sim::new(with(impatient(3), |s| s.max_starting = 2));
    sim.polite = false;
    sim.input(Input::Start);
    sim.exit(0);
    sim.exit(1);
    sim.advance(ms(500));
    assert_eq!(sim.done, None, "the third has not had its turn");
    assert!(sim.slot(2).is_live());
    sim.take_orders();
    let worker = sim.worker(2);
    sim.exit_by(2, Exit::Code(3));
    let exit = Some(Exit::Code(3));
    assert!(sim.notes.contains(&Note::NeverStarted { worker, exit }));
    // The other one that is just starting again is stopped first.
    let stops = |order: &Output| matches!(order, Output::Signal { signal: Signal::Stop, .. });
    assert_eq!(sim.take_orders().iter().filter(|order| stops(order)).count(), 1);
    assert_eq!(sim.done, None);
    sim.advance(ms(10_000));
    assert_eq!(sim.done, Some(Outcome::NeverStarted { worker, exit }));
    assert_eq!(Outcome::NeverStarted { worker, exit }.code(), 1);
}

#[test]
fn a_cluster_of_which_no_process_came_to_be_gives_up() {
    let mut sim = Sim::new(impatient(1));
    sim.prompt = false;
    sim.input(Input::Start);
    sim.pending.clear();
    let worker = sim.worker(0);
    sim.input(Input::SpawnFailed { worker, error: "no such file".to_owned() });
    assert_eq!(sim.done, Some(Outcome::NeverStarted { worker, exit: None }));
}

#[test]
fn a_cluster_that_was_once_ready_or_is_told_to_keep_trying_does_not_give_up() {
    let mut listened = Sim::serving(impatient(1)).0;
    listened.exit(0);
    let mut lived = Sim::new(impatient(1));
    lived.input(Input::Start);
    lived.advance(ms(30_000));
    lived.exit(0);
    let mut stubborn = Sim::new(settings(1));
    stubborn.input(Input::Start);
    stubborn.exit(0);
    for mut sim in [listened, lived, stubborn] {
        for _ in 0..5 {
            sim.advance(ms(100_000));
            sim.exit(0);
        }
        assert_eq!(sim.done, None);
    }
}

#[test]
fn who_was_stopped_or_has_finished_has_not_died() {
    let mut sim = Sim::new(with(impatient(2), |s| s.restart.exit_codes_ok = vec![0]));
    sim.input(Input::Start);
    sim.exit_by(0, Exit::Code(0));
    sim.exit(1);
    assert_eq!(sim.done, None);
    let mut sim = Sim::new(impatient(2));
    sim.input(Input::Start);
    sim.command(0, WorkerCommand::Stop);
    sim.exit(1);
    assert_eq!(sim.done, None);
}

#[test]
fn workers_that_are_scaled_away_are_not_waited_for() {
    let mut sim = Sim::new(impatient(2));
    sim.polite = false;
    sim.input(Input::Start);
    sim.exit(0);
    sim.input(Input::Scale { workers: 1 });
    sim.advance(ms(200));
    sim.exit(0);
    assert!(sim.notes.iter().any(|note| matches!(note, Note::NeverStarted { .. })));
    sim.exit(1);
    let worker = WorkerId { slot: 0, incarnation: 2 };
    assert_eq!(sim.done, Some(Outcome::NeverStarted { worker, exit: Some(Exit::Code(1)) }));
}
