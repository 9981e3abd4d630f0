//! What the bytes of an input choose: settings, and what happens next.

use super::sim::history::Act;
use super::sim::{self, ms, with};
use super::{Command, Drain, Finding, MemoryLimit, Policy, Ready, Rollback, Settings, WhenNoWorker};
use crate::bytes::Bytes;

/// Without those that make a cluster which starts processes without a pause: no history of that comes to an end.
pub(super) fn settings(bytes: &mut Bytes<'_>) -> Settings {
    let hold = |refuse_after| WhenNoWorker::Hold { refuse_after };
    with(sim::settings(1 + bytes.below(5) as u32), |s| {
        s.max_starting = 1 + bytes.below(3) as u32;
        s.boot_slot = bytes.ms(&[0, 50, 5_000]);
        s.readiness.start_timeout = bytes.ms(&[0, 800, 30_000]);
        s.readiness.ready =
            bytes.of(&[None, None, Some(Ready::Listen), Some(Ready::Notify), Some(Ready::Delay(ms(700)))]);
        s.restart.respawn = bytes.of(&[-1, 0, 1, 3]);
        s.restart.exit_codes_ok = bytes.of::<&[i32]>(&[&[], &[0], &[0, 2]]).to_vec();
        s.restart.keep_trying = bytes.once_in(2);
        s.restart.restart_delay = bytes.ms(&[0, 100]);
        s.stop.stop_timeout = Some(bytes.maybe_ms(&[0, 700, 10_000]));
        s.stop.drain_timeout = bytes.maybe_ms(&[0, 700, 20_000]);
        s.stop.drain = if s.stop.drain_timeout.is_some() { Drain::Quiet } else { Drain::None };
        s.stop.drain_delay = bytes.ms(&[0, 300]);
        s.stop.shutdown_timeout = bytes.maybe_ms(&[0, 900, 25_000]);
        (s.rollout.max_surge, s.rollout.max_unavailable) = bytes.of(&[(1, 0), (2, 0), (0, 1), (1, 1)]);
        s.rollout.min_healthy_time = bytes.ms(&[0, 400]);
        s.rollout.listen_settle = bytes.ms(&[0, 400]);
        s.rollout.rollback = bytes.of(&[Rollback::None, Rollback::All]);
        s.recycle.memory_limit = bytes.of(&[None, None, Some(MemoryLimit::Bytes(30_000))]);
        s.recycle.memory_samples = 1 + bytes.below(2) as u32;
        s.recycle.max_lifetime = bytes.maybe_ms(&[9_000]);
        s.recycle.recycle_after_connections = bytes.of(&[None, None, Some(1), Some(5)]);
        s.balancing.policy =
            bytes.of(&[Policy::RoundRobin, Policy::RoundRobin, Policy::LeastConnections, Policy::SourceHash]);
        s.balancing.window = Some(1 + bytes.below(3) as u32);
        s.balancing.max_connections = bytes.of(&[None, None, None, Some(1), Some(2), Some(5)]);
        s.balancing.when_no_worker =
            bytes.of(&[hold(None), hold(Some(ms(0))), hold(Some(ms(900))), WhenNoWorker::Refuse]);
        s.health.lag_limit = bytes.maybe_ms(&[0, 200, 1_000]);
        s.health.hang_limit = bytes.of(&[None, Some(None), Some(Some(ms(0))), Some(Some(ms(1_500)))]);
        s.health.health_max_unavailable = Some(bytes.below(3) as u32);
        s.hang_stop_timeout = bytes.ms(&[0, 300, 2_000]);
        s.steady_after = 8;
        s.look_after = bytes.ms(&[0, 20]);
        s.seed = bytes.byte().into();
    })
}

/// One thing that happens. `None` for what only a dishonest shell does, of an honest one.
pub(super) fn act(what: u8, bytes: &mut Bytes<'_>, is_honest: bool) -> Option<Act> {
    let n = |bytes: &mut Bytes<'_>| usize::from(bytes.byte());
    Some(match what % 64 {
        0..8 => Act::Connect(n(bytes), u64::from(bytes.byte()) % 9),
        8..14 => Act::Take(n(bytes)),
        14..16 => Act::TakeAll(n(bytes)),
        16 => Act::Open,
        17..20 => Act::Listen(n(bytes), n(bytes)),
        20 => Act::Share(n(bytes)),
        21 => Act::LetGo(n(bytes)),
        22 => Act::OneByOne(n(bytes), !bytes.once_in(3)),
        23 => Act::Wait(n(bytes)),
        24 => Act::Break(n(bytes)),
        25 => match bytes.once_in(2) {
            true => Act::Exhaust(n(bytes)),
            false => Act::Move(n(bytes)),
        },
        26 => Act::Stall(n(bytes)),
        27 => Act::Wake(n(bytes)),
        28 => Act::Accepters(n(bytes), bytes.below(4) as u32, bytes.once_in(2)),
        29 => Act::Credit(n(bytes), !bytes.once_in(3)),
        30 => Act::Exit(n(bytes), bytes.below(3) as i32),
        31 => Act::Finish(n(bytes)),
        32 => Act::Count(n(bytes)),
        33 => Act::Fail(n(bytes)),
        34..37 => Act::Command(n(bytes), command(bytes)),
        37 => Act::Scale(1 + bytes.below(6) as u32),
        38..40 => Act::Lag(n(bytes), lag(bytes)),
        40 => {
            let count = 1 + bytes.below(5);
            Act::Lags((0..count).map(|_| lag(bytes)).collect())
        }
        41 => Act::LateLook(n(bytes), lag(bytes)),
        42 => Act::Find(finding(bytes)),
        43 => Act::EndRetiring(n(bytes)),
        44 => Act::Reload,
        45 => Act::Abort,
        46 => Act::Unfit,
        47 => Act::Weigh(n(bytes), bytes.word()),
        48 => Act::Ready(n(bytes)),
        49 => Act::SayStopping(n(bytes)),
        50 => Act::Extend(n(bytes), bytes.word()),
        51..54 => Act::Advance(bytes.word() % 1_500),
        54 => Act::Jump(u32::from(bytes.word())),
        _ if is_honest => return None,
        55 => Act::FailSpawn(n(bytes)),
        56 => match bytes.below(8) {
            0 => Act::Stubborn,
            1 => Act::Reopens,
            2 => Act::Stop,
            3 => Act::Halt,
            4 => Act::Kill,
            _ => Act::Jump(1 << bytes.below(27)),
        },
        57 => Act::Quiet(n(bytes)),
        58 => Act::Late,
        59 => Act::Prompt,
        60 => Act::Deliver(n(bytes)),
        61 => Act::Repeat(n(bytes)),
        _ => Act::Nonsense(bytes.byte(), bytes.below(12) as u32, u64::from(bytes.byte()) % 40),
    })
}

fn lag(bytes: &mut Bytes<'_>) -> u16 {
    match bytes.below(4) {
        0 | 1 => 0,
        2 => 100 + bytes.word() % 1_100,
        _ => 1_200 + bytes.word() % 2_800,
    }
}

fn finding(bytes: &mut Bytes<'_>) -> Finding {
    use Finding::{Blocked, Busy, Lock, Starved, Stopped, Traced, Unknown};
    bytes.of(&[Busy, Busy, Stopped, Lock, Blocked, Starved, Traced, Unknown])
}

fn command(bytes: &mut Bytes<'_>) -> Command {
    use Command::{Cordon, Debug, Dump, ForceStop, HangUp, Restart, Signal, Start, Stop, Uncordon};
    bytes.of(&[
        Start,
        Start,
        Stop,
        Restart,
        HangUp,
        ForceStop,
        Dump,
        Debug,
        Signal(12),
        Cordon,
        Cordon,
        Uncordon,
    ])
}
