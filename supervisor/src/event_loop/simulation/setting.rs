//! The cluster of a history: its options, as the dice choose them among those that meet the simulated part of the shell.

use super::dice::Dice;
use crate::config::{
    Builder, Capture, CommandLine, Config, Dispatch, Drain, HookEvent, LineHandler, Policy, Ready,
    WhenNoWorker,
};
use crate::io::launch::interception::{How, Interception};
use crate::io::launch::launch_spec::LaunchSpec;
use crate::io::privileges::confinement::Confinement;
use std::path::PathBuf;
use std::time::Duration;

/// The options.
pub(super) fn config(dice: &mut Dice) -> Config {
    let seconds = Duration::from_secs;
    let lines = Capture::Lines(LineHandler::new(|_, _, _| {}));
    let builder = Builder::new(["/bin/sh"])
        .workers(1 + dice.below(4) as u32)
        .capture(lines)
        .dispatch(dice.of_these(&[Dispatch::Auto, Dispatch::Credit, Dispatch::Credit, Dispatch::Handoff]))
        .policy(dice.of_these(&[Policy::RoundRobin, Policy::RoundRobin, Policy::SourceHash]))
        .drain(dice.of_these(&[Drain::Quiet, Drain::Quiet, Drain::Signal, Drain::None]))
        .drain_timeout(dice.of_these(&[seconds(1), seconds(5), seconds(20)]))
        .stop_timeout(Some(dice.of_these(&[seconds(1), seconds(3), seconds(10)])))
        .shutdown_timeout(dice.of_these(&[seconds(8), seconds(30)]))
        .min_healthy_time(dice.of_these(&[Duration::ZERO, Duration::from_millis(300)]))
        .restart_delay(dice.of_these(&[Duration::from_millis(1), Duration::from_millis(100)]))
        .max_restart_delay(seconds(2))
        .start_timeout(dice.of_these(&[seconds(2), seconds(30)]))
        .max_starting(1 + dice.below(3) as u32)
        .keep_trying(true)
        .when_no_worker(WhenNoWorker::Hold { refuse_after: None })
        .respawn(-1)
        .lag_limit(Some(dice.of_these(&[Duration::from_millis(500), seconds(1)])))
        .hang_limit(Some(dice.of_these(&[seconds(2), seconds(8)])))
        .pulse(if dice.once_in(10) { Some(seconds(1)) } else { None })
        .ready(if dice.once_in(5) { Ready::Delay(Duration::from_millis(50)) } else { Ready::Listen });
    let builder = match dice.below(4) {
        0 => builder.max_surge(0).max_unavailable(1),
        1 => builder.max_surge(2),
        _ => builder,
    };
    let builder = if dice.once_in(8) { builder.max_lifetime(Some(seconds(6))) } else { builder };
    let builder = if dice.once_in(8) { builder.recycle_after_connections(Some(40)) } else { builder };
    let command = |word: &str| CommandLine::of([word]).expect("a program");
    let builder = if dice.once_in(6) { builder.before_start(command("/bin/allow")) } else { builder };
    let builder = if dice.once_in(3) { builder.before_reload(command("/bin/allow")) } else { builder };
    let builder =
        if dice.once_in(4) { builder.on(HookEvent::WorkerExit, command("/bin/tell")) } else { builder };
    builder.build_for(2).expect("options that go together")
}

/// What a process is made of; nothing of it is executed.
pub(super) fn launch_spec() -> LaunchSpec {
    let interception = Interception { how: How::Preload, because: "no history has a seccomp filter" };
    LaunchSpec {
        program: PathBuf::from("/bin/sh"),
        cwd: None,
        umask: None,
        variables: Vec::new(),
        interception,
        confinement: Confinement::default(),
    }
}
