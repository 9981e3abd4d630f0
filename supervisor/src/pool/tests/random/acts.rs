//! What happens to a cluster, and the settings that it has, by chance, for random histories.

use crate::pool::tests::sim::history::Act;
use crate::pool::tests::sim::{ms, settings, with};
use crate::pool::{Finding, Gates, Policy, Settings, WhenNoWorker, WorkerCommand};
use crate::settings::{Drain, MemoryLimit, Ready, Rollback};
use proptest::prelude::*;

pub(super) fn honest() -> impl Strategy<Value = Act> {
    let n = || any::<usize>();
    prop_oneof![
        12 => (n(), 0u64..9).prop_map(|(balancer, source)| Act::Connect(balancer, source)),
        8 => n().prop_map(Act::Take),
        3 => n().prop_map(Act::TakeAll),
        1 => Just(Act::Open),
        5 => (n(), n()).prop_map(|(slot, balancer)| Act::Listen(slot, balancer)),
        2 => n().prop_map(Act::Share),
        1 => n().prop_map(Act::LetGo),
        3 => (n(), prop::bool::weighted(0.7)).prop_map(|(lane, on)| Act::OneByOne(lane, on)),
        4 => n().prop_map(Act::Wait),
        1 => n().prop_map(Act::Break),
        1 => n().prop_map(Act::Move),
        1 => n().prop_map(Act::Exhaust),
        2 => n().prop_map(Act::Stall),
        2 => n().prop_map(Act::Wake),
        1 => (n(), 0u32..4, any::<bool>()).prop_map(|(lane, threads, may_open)| Act::Accepters(lane, threads, may_open)),
        1 => (n(), prop::bool::weighted(0.7)).prop_map(|(lane, on)| Act::Credit(lane, on)),
        2 => (n(), 0i32..3).prop_map(|(slot, code)| Act::Exit(slot, code)),
        3 => n().prop_map(Act::Finish),
        2 => n().prop_map(Act::Count),
        1 => n().prop_map(Act::Fail),
        4 => (n(), command()).prop_map(|(slot, command)| Act::WorkerCommand(slot, command)),
        1 => (1u32..7).prop_map(Act::Scale),
        1 => any::<u16>().prop_map(Act::Configure),
        4 => (n(), lag()).prop_map(|(slot, lag)| Act::Lag(slot, lag)),
        4 => prop::collection::vec(lag(), 1..6).prop_map(Act::Lags),
        1 => (n(), lag()).prop_map(|(slot, lag)| Act::LateLook(slot, lag)),
        1 => finding().prop_map(Act::Find),
        1 => n().prop_map(Act::EndRetiring),
        2 => Just(Act::Reload),
        1 => Just(Act::Abort),
        1 => Just(Act::Unfit),
        1 => Just(Act::Deny),
        1 => (n(), any::<u16>()).prop_map(|(slot, bytes)| Act::Weigh(slot, bytes)),
        3 => n().prop_map(Act::Ready),
        1 => n().prop_map(Act::SayStopping),
        1 => (n(), any::<u16>()).prop_map(|(slot, by)| Act::Extend(slot, by)),
        6 => (0u16..1500).prop_map(Act::Advance),
        1 => (0u32..40_000).prop_map(Act::Jump),
    ]
}

pub(super) fn dishonest() -> impl Strategy<Value = Act> {
    let n = || any::<usize>();
    prop_oneof![
        40 => honest(),
        2 => n().prop_map(Act::FailSpawn),
        1 => (0u32..100_000_000).prop_map(Act::Jump),
        1 => Just(Act::Stubborn),
        1 => Just(Act::Reopens),
        1 => prop_oneof![3 => Just(Act::Stop), 1 => Just(Act::Halt), 1 => Just(Act::Kill)],
        1 => n().prop_map(Act::Quiet),
        2 => Just(Act::Late),
        1 => Just(Act::Prompt),
        8 => n().prop_map(Act::Deliver),
        3 => n().prop_map(Act::Repeat),
        4 => (any::<u8>(), 0u32..12, 0u64..40).prop_map(|(what, small, id)| Act::Nonsense(what, small, id)),
    ]
}

fn lag() -> impl Strategy<Value = u16> {
    prop_oneof![3 => Just(0), 2 => 100u16..1_200, 4 => 1_200u16..4_000, 1 => any::<u16>()]
}

fn finding() -> impl Strategy<Value = Finding> {
    prop_oneof![
        3 => Just(Finding::Busy),
        1 => Just(Finding::Stopped),
        1 => Just(Finding::Lock),
        1 => Just(Finding::Blocked),
        1 => Just(Finding::Starved),
        1 => Just(Finding::Traced),
        1 => Just(Finding::Unknown),
    ]
}

fn command() -> impl Strategy<Value = WorkerCommand> {
    prop_oneof![
        3 => Just(WorkerCommand::Start),
        2 => Just(WorkerCommand::Stop),
        2 => Just(WorkerCommand::Restart),
        1 => Just(WorkerCommand::HangUp),
        1 => Just(WorkerCommand::ForceStop),
        1 => Just(WorkerCommand::Dump),
        1 => Just(WorkerCommand::Debug),
        1 => Just(WorkerCommand::Signal(12)),
        2 => Just(WorkerCommand::Cordon),
        2 => Just(WorkerCommand::Uncordon),
    ]
}

pub(super) fn any_settings() -> impl Strategy<Value = Settings> {
    let limits = (1u32..6, 1u32..4, 1u32..4, -1i64..4);
    let times = (
        prop_oneof![Just(0), Just(50), Just(5_000)],
        prop_oneof![Just(0), Just(800), Just(30_000)],
        prop_oneof![Just(None), Just(Some(0)), Just(Some(700)), Just(Some(10_000))],
        prop_oneof![Just(None), Just(Some(0)), Just(Some(200)), Just(Some(1_000))],
        prop_oneof![Just(0), Just(20)],
        prop_oneof![Just(0), Just(100)],
    );
    let policy =
        prop_oneof![Just(Policy::RoundRobin), Just(Policy::LeastConnections), Just(Policy::SourceHash)];
    let refuse_after = prop_oneof![Just(None), Just(Some(ms(0))), Just(Some(ms(900)))];
    let when_no_worker = prop_oneof![
        3 => refuse_after.prop_map(|refuse_after| WhenNoWorker::Hold { refuse_after }),
        1 => Just(WhenNoWorker::Refuse),
    ];
    let max_connections = prop_oneof![2 => Just(None), 1 => (1u32..5).prop_map(Some)];
    let health = (
        prop_oneof![
            3 => Just(None),
            1 => Just(Some(None)),
            4 => Just(Some(Some(ms(1_500)))),
            1 => Just(Some(Some(ms(0)))),
        ],
        0u32..3,
        prop_oneof![Just(0), Just(300), Just(2_000)],
    );
    let ready = prop_oneof![
        2 => Just(None),
        2 => Just(Some(Ready::Listen)),
        2 => Just(Some(Ready::Notify)),
        1 => Just(Some(Ready::Delay(ms(700)))),
    ];
    let drains = (
        prop_oneof![Just(None), Just(Some(0)), Just(Some(700)), Just(Some(20_000))],
        prop_oneof![Just(0), Just(300)],
        prop_oneof![Just(None), Just(Some(0)), Just(Some(900)), Just(Some(25_000))],
    );
    let rolls = (
        prop_oneof![Just((1, 0)), Just((2, 0)), Just((0, 1)), Just((1, 1))],
        prop_oneof![Just(0), Just(400)],
        prop_oneof![Just(0), Just(400)],
        prop_oneof![Just(Rollback::None), Just(Rollback::All)],
    );
    let wears = (
        prop_oneof![2 => Just(None), 1 => Just(Some(MemoryLimit::Bytes(30_000)))],
        1u32..3,
        prop_oneof![2 => Just(None), 1 => Just(Some(9_000))],
        prop_oneof![2 => Just(None), 1 => (1u64..9).prop_map(Some)],
    );
    let changes = (drains, rolls, wears);
    let ends = (any::<bool>(), prop_oneof![Just(vec![]), Just(vec![0]), Just(vec![0, 2])]);
    (limits, times, any::<u64>(), (policy, when_no_worker, max_connections), (ends, health, ready, changes))
        .prop_map(|(limits, times, seed, balancing, (ends, health, ready, (drains, rolls, wears)))| {
            let (workers, max_starting, window, respawn) = limits;
            let (boot, start, stop, lag, look, delay) = times;
            with(settings(workers), |s| {
                s.max_starting = max_starting;
                s.boot_slot = ms(boot);
                s.steady_after = 1 + seed % 12;
                s.look_after = ms(look);
                s.seed = seed;
                s.gates = Gates { start: seed.is_multiple_of(3), reload: seed.is_multiple_of(2) };
                s.balancing.window = Some(window);
                (s.balancing.policy, s.balancing.when_no_worker, s.balancing.max_connections) = balancing;
                s.readiness.ready = ready;
                s.readiness.start_timeout = ms(start);
                s.restart.respawn = respawn;
                s.restart.restart_delay = ms(delay);
                (s.restart.keep_trying, s.restart.exit_codes_ok) = ends;
                let (drain, drain_delay, shutdown) = drains;
                s.stop.stop_timeout = Some(stop.map(ms));
                s.stop.drain = if drain.is_some() { Drain::Quiet } else { Drain::None };
                s.stop.drain_timeout = drain.map(ms);
                s.stop.drain_delay = ms(drain_delay);
                s.stop.shutdown_timeout = shutdown.map(ms);
                let ((max_surge, max_unavailable), healthy, settle, rollback) = rolls;
                s.rollout.max_surge = max_surge;
                s.rollout.max_unavailable = max_unavailable;
                s.rollout.min_healthy_time = ms(healthy);
                s.rollout.listen_settle = ms(settle);
                s.rollout.rollback = rollback;
                let (memory_limit, memory_samples, lifetime, recycle_after_connections) = wears;
                s.recycle.memory_limit = memory_limit;
                s.recycle.memory_samples = memory_samples;
                s.recycle.max_lifetime = lifetime.map(ms);
                s.recycle.recycle_after_connections = recycle_after_connections;
                s.health.lag_limit = lag.map(ms);
                let (hang_limit, health_max_unavailable, hang_stop) = health;
                s.health.hang_limit = hang_limit;
                s.health.health_max_unavailable = Some(health_max_unavailable);
                s.hang_stop_timeout = ms(hang_stop);
            })
        })
}
