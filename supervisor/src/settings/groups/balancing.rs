//! Options on which worker a connection is for, and how it gets there.

use crate::settings::error::MAX_WINDOW;
use crate::settings::{ConfigError, Dispatch, Policy, WhenNoWorker, default_as_shown};

/// Which worker a connection is for.
#[derive(Clone, Debug, PartialEq, Eq, clap::Args)]
#[command(next_help_heading = "Connections")]
#[non_exhaustive]
pub struct Balancing {
    /// How connections reach workers: credit (a worker accepts by itself when it is its turn), handoff (the supervisor accepts and
    /// passes each connection on), kernel (each worker has a listening socket of its own, and the kernel chooses among these), auto (credit
    /// where that can be). Programs with a seccomp filter always have kernel
    #[arg(long, value_name = "HOW", default_value_t)]
    pub dispatch: Dispatch,
    /// Whom a connection is given, of the workers that are ready: round-robin (the least recently connected),
    /// least-connections or source-hash (the same worker for the same address)
    #[arg(long, value_name = "POLICY", default_value_t)]
    pub policy: Policy,
    /// Open connections that one worker may have [default: no limit]
    #[arg(long, value_name = "N")]
    pub max_connections: Option<u32>,
    /// What becomes of connections while no worker is up: hold, hold:DURATION (then refuse) or refuse
    #[arg(long, value_name = "WHAT", default_value_t)]
    pub when_no_worker: WhenNoWorker,
    /// Connections that may wait at one worker where they are handed over; no effect where workers accept by credit [default: 2]
    #[arg(long, value_name = "N")]
    pub window: Option<u32>,
}

default_as_shown!(Balancing);

impl Balancing {
    /// Connections that may wait in one lane.
    pub fn window(&self) -> u32 {
        self.window.unwrap_or(2)
    }

    /// How many connections a worker has decides what it is given.
    pub(crate) fn counts(&self) -> bool {
        self.max_connections.is_some() || self.policy == Policy::LeastConnections
    }

    /// Why workers may not accept by themselves, as far as the options say it.
    pub(crate) fn handoff_because(&self) -> Option<&'static str> {
        match (self.dispatch, self.policy) {
            (Dispatch::Handoff, _) => Some("--dispatch handoff"),
            // The source has to be seen first.
            (_, Policy::SourceHash) => Some("--policy source-hash"),
            (_, Policy::RoundRobin | Policy::LeastConnections) => None,
        }
    }

    pub(in crate::settings) fn check(&self) -> Result<(), ConfigError> {
        if !(1..=MAX_WINDOW).contains(&self.window()) {
            return Err(ConfigError::Window(self.window()));
        }
        if self.max_connections == Some(0) {
            return Err(ConfigError::MaxConnections);
        }
        if self.dispatch == Dispatch::Kernel {
            // The kernel chooses before anybody can count, and by rotation.
            let fault = match (self.max_connections, self.policy) {
                (Some(_), _) => Some("max-connections"),
                (None, Policy::LeastConnections | Policy::SourceHash) => Some("policy"),
                (None, Policy::RoundRobin) => None,
            };
            if let Some(option) = fault {
                return Err(ConfigError::KernelDispatch { option });
            }
        }
        Ok(())
    }
}
