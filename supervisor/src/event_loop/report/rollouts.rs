//! Words for reloads and other rollouts: how one ended, and why a new process came to nothing. It decides nothing.

use super::super::Shell;
use super::super::os::Os;
use super::endings::{ending, recycle_reason};
use super::span::Span;
use crate::ids::{BalancerId, WorkerId};
use crate::pool::{Failed, Purpose, Reloaded};
use log::Level;

/// How a reload ended, and how loud that is.
pub(in crate::event_loop) fn describe<O: Os>(shell: &Shell<O>, reloaded: &Reloaded) -> (Level, String) {
    match reloaded {
        Reloaded::Done { workers, dropped } => {
            let level = if dropped.is_empty() { Level::Info } else { Level::Warn };
            (level, format!("reload: done, {}", done(shell, *workers, dropped)))
        }
        Reloaded::Failed { failed, replaced, rolled_back } => {
            let (level, why) = match failed {
                Failed::Aborted => (Level::Warn, "reload aborted".to_owned()),
                failed => (Level::Error, format!("reload failed: {}", cause(shell, failed))),
            };
            let left = match (replaced, rolled_back) {
                (0, _) => "the old processes go on".to_owned(),
                (_, true) => format!("the {replaced} workers that were replaced are back"),
                (_, false) => format!("{replaced} workers keep their new process, the other old ones go on"),
            };
            (level, format!("{why}; {left}"))
        }
        Reloaded::Superseded => (Level::Info, "reload: a newer one takes its place".to_owned()),
        Reloaded::Stopped => (Level::Info, "reload: none, the cluster stops".to_owned()),
    }
}

/// How many have a new process, and where nobody listens any more.
pub(in crate::event_loop) fn done<O: Os>(shell: &Shell<O>, workers: u32, dropped: &[BalancerId]) -> String {
    let done = format!("{workers} workers have a new process");
    match dropped.is_empty() {
        true => done,
        false => {
            let addresses = shell.addresses(dropped);
            format!("{done}; nobody listens on {addresses} any more, as the old ones did")
        }
    }
}

/// Why a new process came to nothing.
pub(in crate::event_loop) fn cause<O: Os>(shell: &Shell<O>, failed: &Failed) -> String {
    let name = |worker: &WorkerId| shell.logical_id(*worker);
    match failed {
        Failed::Exited { worker, exit } => {
            format!("the new worker {} exited: {}", name(worker), ending(exit))
        }
        Failed::NotReady { worker, after } => {
            format!("the new worker {} was not ready within {}", name(worker), Span(*after))
        }
        Failed::Hung { worker } => format!("the new worker {} hung", name(worker)),
        Failed::NotSpawned { worker, error } => {
            format!("the new worker {} could not be started: {error}", name(worker))
        }
        Failed::Unfit { error } => error.clone(),
        Failed::Aborted => "it was aborted".to_owned(),
    }
}

/// What a rollout is for, for people.
pub(in crate::event_loop) fn purpose(purpose: &Purpose) -> String {
    match purpose {
        Purpose::Reload { .. } => "reload".to_owned(),
        Purpose::Rollback { .. } => "rollback".to_owned(),
        Purpose::Replace { reason, .. } => recycle_reason(reason),
    }
}
