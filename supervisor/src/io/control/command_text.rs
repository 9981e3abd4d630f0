//! A command as the log names it, and how loudly. It only shows.

use crate::api::{Action, Command, ScaleTo, Target};
use std::fmt;

/// Whether something is another way afterwards.
pub(super) fn changes(action: &Action) -> bool {
    match action {
        Action::Inspect | Action::Events | Action::Logs { .. } | Action::Configure { check: true, .. } => {
            false
        }
        Action::Start { .. }
        | Action::Stop { .. }
        | Action::Restart { .. }
        | Action::HangUp { .. }
        | Action::ForceStop { .. }
        | Action::Dump { .. }
        | Action::Debug { .. }
        | Action::Signal { .. }
        | Action::Cordon { .. }
        | Action::Uncordon { .. }
        | Action::Reload
        | Action::AbortReload
        | Action::Reopen
        | Action::Configure { check: false, .. }
        | Action::Flush
        | Action::Scale { .. } => true,
    }
}

/// A command as the log names it.
pub(super) struct CommandText<'a>(pub(super) &'a Command);

impl fmt::Display for CommandText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whom = |target: &Target| match target {
            Target::Cluster => "the cluster".to_owned(),
            Target::Worker(id) => format!("worker {id}"),
        };
        match &self.0.action {
            Action::Inspect => f.write_str("inspect"),
            Action::Events => f.write_str("events"),
            Action::Logs { target, .. } => write!(f, "logs of {}", whom(target)),
            Action::Start { target } => write!(f, "start {}", whom(target)),
            Action::Stop { target } => write!(f, "stop {}", whom(target)),
            Action::Restart { target } => write!(f, "restart {}", whom(target)),
            Action::HangUp { target } => write!(f, "hang up {}", whom(target)),
            Action::ForceStop { target } => write!(f, "force stop {}", whom(target)),
            Action::Dump { target } => write!(f, "dump {}", whom(target)),
            Action::Debug { target } => write!(f, "debug {}", whom(target)),
            Action::Signal { target, signal } => write!(f, "signal {signal} to {}", whom(target)),
            Action::Cordon { target } => write!(f, "cordon {}", whom(target)),
            Action::Uncordon { target } => write!(f, "uncordon {}", whom(target)),
            Action::Reload => f.write_str("reload"),
            Action::AbortReload => f.write_str("abort the reload"),
            Action::Reopen => f.write_str("reopen"),
            Action::Configure { check: true, .. } => f.write_str("compare with a new configuration"),
            Action::Configure { check: false, .. } => f.write_str("change the configuration"),
            Action::Flush => f.write_str("flush"),
            Action::Scale { workers: ScaleTo::To(count) } => write!(f, "scale to {count}"),
            Action::Scale { workers: ScaleTo::By(count) } => write!(f, "scale by {count:+}"),
        }
    }
}
