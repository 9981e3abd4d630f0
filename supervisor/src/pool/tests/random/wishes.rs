//! Random commands to random workers: whatever came in between, in the end everybody is as they were last told to be.

use crate::pool::tests::sim::{Sim, ms, settings, with};
use crate::pool::{Input, State, WorkerCommand};
use proptest::prelude::*;

#[derive(Clone, Copy, Debug)]
enum Step {
    WorkerCommand(usize, WorkerCommand),
    Scale(usize),
    Exit(usize),
    Listen(usize),
    Advance(u16),
    Stubborn,
}

fn step() -> impl Strategy<Value = Step> {
    let n = || 0usize..6;
    let command = prop_oneof![
        3 => Just(WorkerCommand::Start),
        3 => Just(WorkerCommand::Stop),
        3 => Just(WorkerCommand::Restart),
        1 => Just(WorkerCommand::HangUp),
        1 => Just(WorkerCommand::ForceStop),
        1 => Just(WorkerCommand::Dump),
        1 => Just(WorkerCommand::Debug),
        1 => Just(WorkerCommand::Signal(12)),
        1 => Just(WorkerCommand::Cordon),
        1 => Just(WorkerCommand::Uncordon),
    ];
    prop_oneof![
        8 => (n(), command).prop_map(|(slot, command)| Step::WorkerCommand(slot, command)),
        1 => (1usize..6).prop_map(Step::Scale),
        3 => n().prop_map(Step::Exit),
        4 => n().prop_map(Step::Listen),
        3 => (0u16..5_000).prop_map(Step::Advance),
        1 => Just(Step::Stubborn),
    ]
}

/// Who is wanted: all that is asked of a worker in one bit.
struct Wishes {
    runs: Vec<bool>,
    cordoned: Vec<bool>,
}

impl Wishes {
    fn hear(&mut self, slot: usize, command: WorkerCommand, state: State) {
        let Some(runs) = self.runs.get_mut(slot) else { return };
        let down = matches!(state, State::Standby { .. });
        let forced = matches!(state, State::Stopping(stop) if stop.forced());
        match command {
            WorkerCommand::Start | WorkerCommand::Restart => *runs = true,
            // To one that runs it is but a signal.
            WorkerCommand::HangUp => {
                *runs |= !matches!(state, State::Starting { .. } | State::Running { .. })
            }
            WorkerCommand::Stop => *runs = false,
            // What stops keeps what it was told to do then.
            WorkerCommand::ForceStop => *runs &= matches!(state, State::Stopping(_)),
            WorkerCommand::Dump | WorkerCommand::Debug => {
                *runs &= down || forced || matches!(state, State::Stopping(_))
            }
            WorkerCommand::Signal(_) => {}
            WorkerCommand::Cordon => self.cordoned[slot] = true,
            WorkerCommand::Uncordon => self.cordoned[slot] = false,
        }
    }

    fn scale(&mut self, to: usize) {
        for slot in self.runs.len()..to {
            self.runs.push(true);
            self.cordoned.push(false);
            debug_assert_eq!(self.runs.len(), slot + 1);
        }
        self.runs.truncate(to);
        self.cordoned.truncate(to);
    }
}

proptest! {
    #![proptest_config(super::histories::config())]

    #[test]
    fn in_the_end_everybody_is_as_they_were_told_to_be(
        max_starting in 1u32..4,
        steps in prop::collection::vec(step(), 1..60),
    ) {
        let mut sim = Sim::new(with(settings(3), |s| { s.max_starting = max_starting; s.boot_slot = ms(500) }));
        sim.input(Input::Start);
        let balancer = sim.open();
        let mut wishes = Wishes { runs: vec![true; 3], cordoned: vec![false; 3] };
        for step in steps {
            match step {
                Step::WorkerCommand(slot, command) => {
                    if let Some(worker) = sim.pool.worker_in(slot as u32).filter(|worker| !worker.is_removed()) {
                        wishes.hear(slot, command, worker.state());
                    }
                    sim.command(slot, command);
                }
                Step::Scale(to) => {
                    wishes.scale(to);
                    sim.input(Input::Scale { workers: to as u32 });
                }
                Step::Exit(slot) if sim.pool.worker_in(slot as u32).is_some_and(|worker| worker.is_live()) => {
                    sim.exit(slot);
                }
                Step::Listen(slot) if sim.pool.worker_in(slot as u32).is_some_and(|worker| worker.is_live()) => {
                    sim.listen(slot, balancer);
                }
                Step::Exit(_) | Step::Listen(_) => {}
                Step::Advance(by) => sim.advance(ms(by.into())),
                Step::Stubborn => sim.polite = !sim.polite,
            }
        }
        // Who debugs has seen enough; then every kill and every delay has its time.
        let debugged = |state| matches!(state, State::Stopping(stop) if stop.debugging);
        for slot in (0..sim.pool.count_workers()).rev() {
            if sim.pool.worker_in(slot as u32).is_some_and(|worker| debugged(worker.state())) {
                sim.exit(slot);
            }
        }
        for _ in 0..3 {
            sim.advance(ms(20_000));
            sim.all_ready();
        }
        let runs: Vec<_> = sim.pool.workers().map(|worker| worker.is_live()).collect();
        let cordoned: Vec<_> = sim.pool.workers().map(|worker| worker.is_cordoned()).collect();
        prop_assert_eq!(&runs, &wishes.runs);
        prop_assert_eq!(&cordoned, &wishes.cordoned);
        for worker in sim.pool.workers() {
            let settled = matches!(worker.state(), State::Standby { due: None, .. } | State::Running { .. });
            prop_assert!(settled, "{:?} is on its way after a minute", worker);
        }
        prop_assert_eq!(sim.done, None);
    }
}
