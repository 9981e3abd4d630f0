//! The shell: all that the supervisor holds, and its loop from the first worker to the last. It holds every fd and decides nothing.

// The rooms stand in their order: each may use those below it, and none above. Which methods of the shell call each other is another matter:
// they are one type's.

/// The shell under an operating system that is simulated.
#[cfg(feature = "simulation")]
pub(crate) mod simulation;

mod setup;

mod turn;

mod due;

mod orders;

/// What the cluster is told: by threads, by the control socket, by signals.
mod commands;

/// Processes of workers, from their start to what they leave behind.
mod lives;

/// Reload, drain, move, stop.
mod changes;

/// Commands of the user's that are run when something happens.
mod hook_commands;

/// Workers with a seccomp filter.
mod seccomp;

/// Listening sockets among which the kernel chooses.
mod steering;

/// UDP sockets among which the kernel chooses.
mod datagrams;

/// Lanes: opened, heard, looked for, ended.
mod lanes;

/// Shared listening sockets: opened, closed, and who connects too early.
mod listeners;

/// Workers accept by themselves.
mod credits;

/// The supervisor accepts, and gives.
mod connections;

/// How workers that live are doing.
mod health;

/// What the library asks, and whose word counts.
mod requests;

/// Words for people.
mod report;

mod timers;

/// What is asked of the operating system.
mod os;

pub(crate) use report::snapshot::resting;
pub(crate) use setup::Setup;

use crate::config::Config;
use crate::error::Error;
use crate::hooks::Hooks;
use crate::io::control::server::Control;
use crate::io::drain::idle_detector::IdleDetector;
use crate::io::events::signals::Signals;
use crate::io::machine::wall_clock::WallClock;
use crate::io::output::recent::Recent;
use crate::io::output::streams::Outputs;
use crate::link::Inbox;
use crate::pool::{Input, Outcome, Pool, Requests};
use changes::reload::Reloads;
use commands::configuring::Configuring;
use commands::waits::Waits;
use connections::state::Connections;
use health::state::Health;
use hook_commands::HookCommands;
use lanes::state::Lanes;
use listeners::state::Listeners;
use lives::launching::Launching;
use lives::living::Lives;
use lives::remains::Remains;
use mio::{Poll, Waker};
use os::{Kernel, Os};
use report::state::Reports;
use requests::state::ThunkRequests;
use seccomp::queues::Queues;
use std::sync::Arc;
use std::time::Instant;
use timers::Timers;

/// Everything the supervisor holds: what concerns one subject is held together, in the room of that subject.
struct Shell<O> {
    os: O,
    now: Instant,
    started: Instant,
    timers: Timers,
    wall_clock: WallClock,
    poll: Poll,
    waker: Arc<Waker>,
    pool: Pool,
    config: Config,
    /// Where the process is the supervisor's own.
    signals: Option<Signals>,
    hooks: Hooks,
    hook_commands: HookCommands,
    inbox: Option<Inbox>,
    control: Option<Control>,
    waits: Waits,
    stop_requests: Requests,
    launching: Launching,
    lives: Lives,
    remains: Remains,
    reloads: Reloads,
    configuring: Configuring,
    idle_detector: IdleDetector,
    lanes: Lanes,
    listeners: Listeners,
    connections: Connections,
    steering: steering::Steering,
    datagrams: datagrams::Datagrams,
    binds: seccomp::datagrams::Binds,
    queues: Queues,
    requests: ThunkRequests,
    health: Health,
    outputs: Outputs,
    recent: Arc<Recent>,
    reports: Reports,
    outcome: Option<Outcome>,
}

/// Runs the cluster in the calling thread until it comes to rest. `began` is called once the first workers were
/// spawned; if it was not, nothing was started.
pub(crate) fn run(setup: Setup, began: impl FnOnce()) -> Result<Outcome, Error> {
    let mut shell = Shell::new(Kernel, setup)?;
    shell.say_how_it_stops();
    shell.say_what_has_no_effect();
    shell.set_timetable();
    shell.input(Input::Start);
    began();
    let outcome = match shell.turn_until_done() {
        Ok(outcome) => outcome,
        Err(error) => {
            shell.leave_word(Some((error.exit_code(), error.to_string())));
            return Err(error);
        }
    };
    shell.finish_hooks(outcome);
    shell.sweep();
    shell.outputs.finish(shell.poll.registry());
    shell.settle(outcome);
    shell.leave_word(shell.what_went_wrong(outcome));
    shell.hook_commands.take_denial().map_or(Ok(outcome), Err)
}

/// The clock of the loop, for who waits beside one.
pub(crate) fn clock() -> Instant {
    Kernel.now()
}
