//! The methods of the builder for options on addresses, connections and readiness, one for each option, under the flag's name.

use super::Builder;
use crate::config::{Dispatch, Policy, Ready, WhenNoWorker};
use std::time::Duration;

impl Builder {
    /// The least length of a listening queue.
    pub fn backlog(mut self, connections: u32) -> Self {
        self.settings.listeners.backlog = connections;
        self
    }

    /// Shares one more address between the workers, against the built-in rules: `host:port`, `*:port`, `[v6]:port`,
    /// `/path` or `@abstract`; for `port` also a range such as `40000-40100`.
    pub fn share(mut self, address: impl Into<String>) -> Self {
        self.settings.listeners.share.push(address.into());
        self
    }

    /// Leaves one more address to each worker alone.
    pub fn private(mut self, address: impl Into<String>) -> Self {
        self.settings.listeners.private.push(address.into());
        self
    }

    /// From the failure of a listening socket to the next try to open it.
    pub fn server_restart_delay(mut self, delay: Duration) -> Self {
        self.settings.listeners.server_restart_delay = delay;
        self
    }

    /// Connections that may wait at one worker where they are handed over. It has no effect where workers accept by credit.
    pub fn window(mut self, connections: u32) -> Self {
        self.settings.balancing.window = Some(connections);
        self
    }

    /// How connections reach workers.
    pub fn dispatch(mut self, dispatch: Dispatch) -> Self {
        self.settings.balancing.dispatch = dispatch;
        self
    }

    /// Whom a connection is given, of the workers that are ready.
    pub fn policy(mut self, policy: Policy) -> Self {
        self.settings.balancing.policy = policy;
        self
    }

    /// Open connections that one worker may have, at least 1; `None` is no limit.
    pub fn max_connections(mut self, connections: impl Into<Option<u32>>) -> Self {
        self.settings.balancing.max_connections = connections.into();
        self
    }

    /// What becomes of connections while no worker is up.
    pub fn when_no_worker(mut self, what: WhenNoWorker) -> Self {
        self.settings.balancing.when_no_worker = what;
        self
    }

    /// How many workers may be starting at a time; by default the number of CPUs.
    pub fn max_starting(mut self, workers: u32) -> Self {
        self.settings.readiness.max_starting = Some(workers);
        self
    }

    /// When a worker is ready, and thus in rotation: by default when it listens. With [`Ready::Notify`],
    /// [`Ready::Auto`] or a watchdog it finds a `NOTIFY_SOCKET`, and with no other. One that is not within `start_timeout` has failed to start, if this is set.
    pub fn ready(mut self, when: Ready) -> Self {
        self.settings.readiness.ready = Some(when);
        self
    }

    /// A worker that is not ready within this has failed to start: it is killed, and another started after a delay. Unless
    /// `ready` is set or some worker has listened: then it counts as running all the same.
    pub fn start_timeout(mut self, timeout: Duration) -> Self {
        self.settings.readiness.start_timeout = timeout;
        self
    }
}
