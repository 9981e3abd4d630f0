//! Workers whose `bind` and `listen` come by a seccomp filter: their calls are answered, and the kernel brings them connections from
//! then on.

mod calls;
pub(super) mod datagrams;
mod members;
mod named_ports;
pub(super) mod queues;
pub(super) mod shared_socket;

use super::Shell;
use super::os::Os;
use crate::config::{Dispatch, Drain, Policy};
use crate::io::launch::interception::How;

impl<O: Os> Shell<O> {
    /// Options that somebody chose and that have no effect where the kernel brings connections.
    pub(super) fn say_what_has_no_effect(&self) {
        let template = self.launching.templates.values().next();
        if template.is_none_or(|template| template.launch_spec.interception.how != How::Seccomp) {
            return;
        }
        let settings = &self.config.settings;
        let chosen = [
            ("--dispatch", matches!(settings.balancing.dispatch, Dispatch::Credit | Dispatch::Handoff)),
            ("--policy", settings.balancing.policy != Policy::RoundRobin),
            ("--max-connections", settings.balancing.max_connections.is_some()),
            ("--window", settings.balancing.window.is_some()),
            ("--recycle-after-connections", settings.recycle.recycle_after_connections.is_some()),
            ("--drain move", settings.stop.drain == Drain::Move),
        ];
        let vain: Vec<_> =
            chosen.into_iter().filter(|(_, chosen)| *chosen).map(|(option, _)| option).collect();
        if !vain.is_empty() {
            log::warn!(
                "no effect with a seccomp filter, where the kernel brings connections: {}",
                vain.join(", ")
            );
        }
    }
}
