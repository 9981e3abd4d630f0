//! The options on whom connections are given to, what is done when there is nobody, and which exits are fine.

use super::Builder;
use crate::config::{ConfigError, Dispatch};
use crate::pool::{Policy, WhenNoWorker};
use std::time::Duration;

/// What is set so far.
#[derive(Clone, Debug)]
pub(super) struct Spreading {
    pub(super) dispatch: Dispatch,
    pub(super) policy: Policy,
    pub(super) max_connections: Option<u32>,
    pub(super) when_no_worker: WhenNoWorker,
    pub(super) server_restart_delay: Duration,
    pub(super) exit_codes_ok: Vec<i32>,
    pub(super) keep_trying: bool,
}

impl Default for Spreading {
    fn default() -> Self {
        Self {
            dispatch: Dispatch::default(),
            policy: Policy::default(),
            max_connections: None,
            when_no_worker: WhenNoWorker::default(),
            server_restart_delay: crate::config::SERVER_RESTART_DELAY,
            exit_codes_ok: Vec::new(),
            keep_trying: false,
        }
    }
}

impl Spreading {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        if self.max_connections == Some(0) {
            return Err(ConfigError::MaxConnections);
        }
        if self.server_restart_delay.is_zero() {
            let advice = "the socket would be opened again and again without a pause; give 1ms or more";
            return Err(ConfigError::Zero { option: "server-restart-delay", advice });
        }
        match self.exit_codes_ok.iter().find(|code| !(0..=255).contains(*code)) {
            Some(code) => Err(ConfigError::ExitCode(*code)),
            None => Ok(()),
        }
    }
}

impl Builder {
    /// How connections reach workers.
    pub fn dispatch(mut self, dispatch: Dispatch) -> Self {
        self.spreading.dispatch = dispatch;
        self
    }

    /// Whom a connection is given, of the workers that are ready.
    pub fn policy(mut self, policy: Policy) -> Self {
        self.spreading.policy = policy;
        self
    }

    /// Open connections that one worker may have, at least 1; `None` is no limit.
    pub fn max_connections(mut self, connections: impl Into<Option<u32>>) -> Self {
        self.spreading.max_connections = connections.into();
        self
    }

    /// What becomes of connections while no worker is up.
    pub fn when_no_worker(mut self, what: WhenNoWorker) -> Self {
        self.spreading.when_no_worker = what;
        self
    }

    /// From the failure of a listening socket to the next try to open it.
    pub fn server_restart_delay(mut self, delay: Duration) -> Self {
        self.spreading.server_restart_delay = delay;
        self
    }

    /// Exit codes, 0 to 255, with which a worker says that it has done its work and is not to be started again.
    pub fn exit_codes_ok(mut self, codes: impl IntoIterator<Item = i32>) -> Self {
        self.spreading.exit_codes_ok = codes.into_iter().collect();
        self
    }

    /// Go on when every worker has died before any has come so far as to listen.
    pub fn keep_trying(mut self, yes: bool) -> Self {
        self.spreading.keep_trying = yes;
        self
    }
}
