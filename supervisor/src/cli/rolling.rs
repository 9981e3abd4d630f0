//! The flags of `clustermon run` on how processes leave and others take their place.

use crate::config::duration::{Human, Limit};
use crate::config::rolling::{IDLE_GRACE, LISTEN_SETTLE, MEMORY_SAMPLES, MIN_HEALTHY_TIME};
use crate::config::{Builder, Drain, MemoryLimit, OnSupervisorDeath, Rollback};
use std::path::PathBuf;

#[derive(Debug, clap::Args)]
pub(super) struct RollingArgs {
    /// What is done before a worker is told to stop: quiet (no new connections; told once its connections are closed or
    /// idle), move (no new connections; ended once each connection is between two requests, and others are given them: for
    /// plain HTTP/1 and the like), signal (no new connections; told at once, and drains by itself) or none
    #[arg(long, value_name = "HOW", default_value_t)]
    drain: Drain,
    /// How long a worker may drain [default: 20s]
    #[arg(long, value_name = "DURATION", allow_hyphen_values = true)]
    drain_timeout: Option<Human>,
    /// A connection without a byte either way for so long is idle, and may be closed
    #[arg(long, value_name = "DURATION", allow_hyphen_values = true, default_value_t = Human(IDLE_GRACE))]
    idle_grace: Human,
    /// How long the address goes on being served after the cluster was told to stop
    #[arg(long, value_name = "DURATION", allow_hyphen_values = true, default_value_t = Human(std::time::Duration::ZERO))]
    drain_delay: Human,
    /// From the order to stop the cluster until all that is left is killed; workers are told to stop in time for it
    /// [default: 25s, or --stop-timeout if that is longer; 8s in a container, if no such time is given]
    #[arg(long, value_name = "DURATION", allow_hyphen_values = true)]
    shutdown_timeout: Option<Human>,
    /// What workers do when the supervisor is killed: stop, or keep serving what they have
    #[arg(long, value_name = "WHAT", default_value_t)]
    on_supervisor_death: OnSupervisorDeath,
    /// What asks a worker to stop
    #[arg(long, value_name = "SIGNAL", value_parser = super::order::signal_number, default_value = "SIGTERM")]
    stop_signal: i32,
    /// How many processes more than workers a reload may have
    #[arg(long, value_name = "N", default_value_t = 1)]
    max_surge: u32,
    /// How many workers fewer a reload may have
    #[arg(long, value_name = "N", default_value_t = 0)]
    max_unavailable: u32,
    /// Reload by stopping one worker before the next starts, for programs of which two cannot run: --max-surge 0
    /// --max-unavailable 1
    #[arg(long, conflicts_with_all = ["max_surge", "max_unavailable"])]
    no_surge: bool,
    /// How long a new process must be well before the old one goes
    #[arg(long, value_name = "DURATION", allow_hyphen_values = true, default_value_t = Human(MIN_HEALTHY_TIME))]
    min_healthy_time: Human,
    /// A new process that has begun to listen on nothing more for so long is listening on all it is going to
    #[arg(long, value_name = "DURATION", allow_hyphen_values = true, default_value_t = Human(LISTEN_SETTLE))]
    listen_settle: Human,
    /// What becomes of the workers that a reload has replaced before it failed: none (they stay) or all (they go back too)
    #[arg(long, value_name = "WHOM", default_value_t)]
    rollback: Rollback,
    /// Replace a worker that holds more memory than this, such as 200M, or 80% of the cgroup's limit divided among the
    /// workers; what it shares with others counts in part (PSS)
    #[arg(long, value_name = "SIZE|SHARE")]
    memory_limit: Option<MemoryLimit>,
    /// How many pulses in a row must find too much
    #[arg(long, value_name = "N", default_value_t = MEMORY_SAMPLES)]
    memory_samples: u32,
    /// Replace a worker after this, or up to a fifth earlier: a duration, or off [default: off]
    #[arg(long, value_name = "DURATION", allow_hyphen_values = true, value_parser = Limit::or_off)]
    max_lifetime: Option<Limit>,
    /// Replace a worker after so many connections, or up to a fifth fewer
    #[arg(long, value_name = "N")]
    recycle_after_connections: Option<u64>,
    /// Where workers run, looked up anew by each reload: it may be a link to the current version [default: here]
    #[arg(long, value_name = "DIR")]
    cwd: Option<PathBuf>,
    /// Variables for workers, NAME=value a line, read anew by each reload
    #[arg(long, value_name = "FILE")]
    env_file: Option<PathBuf>,
}

impl RollingArgs {
    pub(super) fn apply(self, builder: Builder) -> Builder {
        let (surge, unavailable) =
            if self.no_surge { (0, 1) } else { (self.max_surge, self.max_unavailable) };
        let mut builder = builder
            .drain(self.drain)
            .idle_grace(self.idle_grace.0)
            .drain_delay(self.drain_delay.0)
            .on_supervisor_death(self.on_supervisor_death)
            .stop_signal(self.stop_signal)
            .max_surge(surge)
            .max_unavailable(unavailable)
            .min_healthy_time(self.min_healthy_time.0)
            .listen_settle(self.listen_settle.0)
            .rollback(self.rollback)
            .memory_limit(self.memory_limit)
            .memory_samples(self.memory_samples)
            .recycle_after_connections(self.recycle_after_connections);
        if let Some(timeout) = self.drain_timeout {
            builder = builder.drain_timeout(timeout.0);
        }
        if let Some(timeout) = self.shutdown_timeout {
            builder = builder.shutdown_timeout(timeout.0);
        }
        if let Some(lifetime) = self.max_lifetime {
            builder = builder.max_lifetime(lifetime.0);
        }
        if let Some(path) = self.cwd {
            builder = builder.cwd(path);
        }
        if let Some(path) = self.env_file {
            builder = builder.env_file(path);
        }
        builder
    }
}
