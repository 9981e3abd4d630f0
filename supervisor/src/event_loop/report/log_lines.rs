//! Turns the core's notes into log lines that a person can follow, with names, pids and addresses.

use super::super::Shell;
use super::super::os::Os;
use super::endings::{Ending, Next, found, recycle_reason};
use super::rollouts;
use super::span::Span;
use crate::ids::{BalancerId, WorkerId};
use crate::pool::{BootEnd, Note, Then};
use log::Level;

macro_rules! say {
    ($level:ident, $($line:tt)*) => { (Level::$level, format!($($line)*)) };
}

/// The line, and how loud it is.
pub(super) fn describe<O: Os>(shell: &Shell<O>, note: &Note) -> (Level, String) {
    let name = |worker: &WorkerId| shell.logical_id(*worker).to_owned();
    let address = |balancer: &BalancerId| shell.address_of(*balancer);
    match note {
        Note::Started { worker, pid } => say!(Info, "worker {} started, pid {pid}", name(worker)),
        Note::SpawnFailed { worker, error, retry_in } => {
            say!(
                Error,
                "worker {} could not be started: {error}, {}",
                name(worker),
                Next(*retry_in, Then::Restart)
            )
        }
        Note::Ready { worker, after } => {
            say!(Info, "worker {} is ready after {}", name(worker), Span(*after))
        }
        Note::Listening { worker, balancer } => {
            say!(Info, "worker {} listens on {}", name(worker), address(balancer))
        }
        Note::BootOver { worker, after, end } => match end {
            BootEnd::Waits => say!(
                Debug,
                "worker {} waits after {} and does not listen: the next may start",
                name(worker),
                Span(*after)
            ),
            BootEnd::Spent(spent) => say!(
                Debug,
                "worker {} has computed for {} and does not listen: the next may start",
                name(worker),
                Span(*spent)
            ),
            BootEnd::Unseen => say!(
                Debug,
                "worker {} does not listen after {}, and what it does is not known: the next may start",
                name(worker),
                Span(*after)
            ),
        },
        Note::NeverListened { worker, after } => {
            say!(
                Warn,
                "worker {} has not listened within {}; it counts as running",
                name(worker),
                Span(*after)
            )
        }
        Note::StartFailed { worker, after, retry_in, then } => say!(
            Error,
            "worker {} is not ready within {}: killed, {}",
            name(worker),
            Span(*after),
            Next(*retry_in, *then)
        ),
        Note::SaysStopping { worker } => say!(
            Info,
            "worker {} says that it is stopping: out of rotation, what waited goes to others",
            name(worker)
        ),
        Note::StoppedListening { worker, balancer } => {
            say!(Info, "worker {} no longer listens on {}", name(worker), address(balancer))
        }
        Note::Suspect { worker, balancer, waited } => say!(
            Warn,
            "worker {} has taken nothing on {} for {}: out of rotation, what waited goes to others",
            name(worker),
            address(balancer),
            Span(*waited)
        ),
        Note::Recovered { worker, balancer } => {
            say!(Info, "worker {} takes connections on {} again", name(worker), address(balancer))
        }
        Note::Lagging { worker, lag } => say!(
            Warn,
            "worker {} has been busy for {}: out of rotation, {}",
            name(worker),
            Span(*lag),
            if shell.may_move_queue(*worker) {
                "what waited goes to others"
            } else {
                "what waited waits for it"
            }
        ),
        Note::CaughtUp { worker, after } => {
            say!(Info, "worker {} keeps up again after {}: back in rotation", name(worker), Span(*after))
        }
        Note::Hung { worker, lag, finding, evidence, retry_in, then } => say!(
            Error,
            "worker {} has hung for {}, {}; stopped, {}: {evidence}",
            name(worker),
            Span(*lag),
            found(*finding),
            Next(*retry_in, *then)
        ),
        Note::HolderHung { worker, waited, finding, evidence } => say!(
            Error,
            "worker {}: one of its processes has hung for {}, {}; told to stop, the others go on: {evidence}",
            name(worker),
            Span(*waited),
            found(*finding)
        ),
        Note::MainEnded { worker, exit, retry_in, then } => say!(
            Error,
            "worker {}: its main process ended: {}, while others of it go on; these are stopped, {}",
            name(worker),
            Ending(exit),
            Next(*retry_in, *then)
        ),
        Note::Unwell { worker, cause } => say!(Error, "worker {} {cause}: restarting it", name(worker)),
        Note::Starved { workers } => say!(
            Warn,
            "machine starved: each of the {workers} workers that serve looks hung; nobody is taken down"
        ),
        Note::Exited { worker, exit, uptime, retry_in, then } => say!(
            Info,
            "worker {} exited: {}, up {}, {}",
            name(worker),
            shell.end(*worker, exit, *then),
            Span(*uptime),
            Next(*retry_in, *then)
        ),
        Note::Drained { worker, after, quiet: true } => {
            say!(Info, "worker {} has drained in {}: told to stop", name(worker), Span(*after))
        }
        Note::Drained { worker, after, quiet: false } => {
            let left = shell.connections_left(*worker);
            say!(Warn, "worker {} has not drained within {}{left}: told to stop", name(worker), Span(*after))
        }
        Note::ReloadBegan { workers } => say!(Info, "reload: {workers} workers get a new process"),
        Note::Reloaded { reloaded } => rollouts::describe(shell, reloaded),
        Note::Dropped { worker, balancers } => say!(
            Warn,
            "worker {}: its new process does not listen on {}, where the one before it did",
            name(worker),
            shell.addresses(balancers)
        ),
        Note::RollingBack { failed, workers } => say!(
            Error,
            "reload: {}; the {workers} workers that were replaced go back",
            rollouts::cause(shell, failed)
        ),
        Note::Recycled { worker, reason } => {
            say!(Info, "worker {} is replaced: {}", name(worker), recycle_reason(reason))
        }
        Note::SharesMemory { worker, resident, own, limit } => say!(
            Info,
            "worker {} has {} MB in memory and stays: with only its part of what it shares it holds {} MB; the limit is {} MB",
            name(worker),
            resident >> 20,
            own >> 20,
            limit >> 20
        ),
        Note::NoBetter { worker, reason, pause } => say!(
            Warn,
            "worker {} took the place of one that was replaced for its memory, is over the limit too ({}) and is left alone \
             for {} unless it grows: the limit may be too low",
            name(worker),
            recycle_reason(reason),
            Span(*pause)
        ),
        Note::NotReplaced { reason, failed } => say!(
            Error,
            "{}, but it could not be replaced: {}; the old process goes on",
            recycle_reason(reason),
            rollouts::cause(shell, failed)
        ),
        Note::Stopping { workers: 0, .. } => say!(Info, "stopping at once: no worker is left"),
        Note::Stopping { workers, kill_in } => match kill_in {
            Some(kill_in) => say!(Info, "stopping {workers} workers; kill in {}", Span(*kill_in)),
            None => say!(Info, "stopping {workers} workers, however long it takes"),
        },
        Note::Forced { worker, after } => {
            say!(Warn, "worker {} did not stop within {}: killed", name(worker), Span(*after))
        }
        Note::NeverStarted { worker, exit } => match exit {
            Some(exit) => say!(
                Error,
                "no worker has come so far as to listen, and each has exited; the last was worker {}: {}",
                name(worker),
                Ending(exit)
            ),
            None => say!(Error, "no worker could be started"),
        },
        Note::Scaled { from, to } => say!(Info, "{to} workers instead of {from}"),
        Note::BalancerFailed { balancer, error, retry_in } => {
            say!(Error, "{}: {error}; opened again in {}", address(balancer), Span(*retry_in))
        }
        Note::ShutDown { balancer, worker, after, alone } => {
            let why =
                if *alone { "it alone had it, for" } else { "it was the last to get it, before the end, by" };
            say!(
                Error,
                "{}: worker {} has shut its socket down ({why} {}): from now on connections are handed over to that worker",
                address(balancer),
                name(worker),
                Span(*after)
            )
        }
        Note::BalancerReopened { balancer } => say!(Info, "{} is open again", address(balancer)),
        Note::Refusing { balancer, after } => say!(
            Warn,
            "{} has had no worker for {}: connections are refused",
            address(balancer),
            Span(*after)
        ),
        Note::Accepting { balancer } => {
            say!(Info, "{} has a worker again: connections are served", address(balancer))
        }
        Note::BalancerClosed { balancer } => say!(Info, "{} is closed", address(balancer)),
    }
}
