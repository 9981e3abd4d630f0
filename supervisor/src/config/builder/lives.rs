//! The methods of the builder for options on how processes start again, stop and are replaced, one for each option, under the flag's name.

use super::Builder;
use crate::config::{
    CommandLine, Drain, HookEvent, MemoryLimit, OnEvent, OnSupervisorDeath, Rollback, Schedule,
};
use std::path::PathBuf;
use std::time::Duration;

impl Builder {
    /// Restarts per worker before it stays down, refilled after `min_uptime`; -1 is no limit.
    pub fn respawn(mut self, restarts: i64) -> Self {
        self.settings.restart.respawn = restarts;
        self
    }

    /// The delay after an early death, doubling with each further one.
    pub fn restart_delay(mut self, delay: Duration) -> Self {
        self.settings.restart.restart_delay = delay;
        self
    }

    /// The longest such delay.
    pub fn max_restart_delay(mut self, delay: Duration) -> Self {
        self.settings.restart.max_restart_delay = delay;
        self
    }

    /// A worker that lived this long is replaced at once.
    pub fn min_uptime(mut self, uptime: Duration) -> Self {
        self.settings.restart.min_uptime = uptime;
        self
    }

    /// Exit codes, 0 to 255, with which a worker says that it has done its work and is not to be started again.
    pub fn exit_codes_ok(mut self, codes: impl IntoIterator<Item = i32>) -> Self {
        self.settings.restart.exit_codes_ok = codes.into_iter().collect();
        self
    }

    /// Go on when every worker has died before any has come so far as to listen.
    pub fn keep_trying(mut self, yes: bool) -> Self {
        self.settings.restart.keep_trying = yes;
        self
    }

    /// From the stop signal to the kill signal; `None` waits for ever, zero kills at once.
    pub fn stop_timeout(mut self, timeout: impl Into<Option<Duration>>) -> Self {
        self.settings.stop.stop_timeout = Some(timeout.into());
        self
    }

    /// What is done before a worker is told to stop.
    pub fn drain(mut self, drain: Drain) -> Self {
        self.settings.stop.drain = drain;
        self
    }

    /// How long that may take.
    pub fn drain_timeout(mut self, timeout: Duration) -> Self {
        self.settings.stop.drain_timeout = Some(timeout);
        self
    }

    /// A connection without a byte either way for so long counts as idle, and may be closed.
    pub fn idle_grace(mut self, grace: Duration) -> Self {
        self.settings.stop.idle_grace = grace;
        self
    }

    /// How long the address goes on being served once the cluster is to stop.
    pub fn drain_delay(mut self, delay: Duration) -> Self {
        self.settings.stop.drain_delay = delay;
        self
    }

    /// From the order to stop the cluster until all that is left is killed; by default 25 s, or the stop timeout if that is
    /// longer. As process 1 of a container, or below one of the usual inits there, it is 8 s, unless this, the stop timeout or
    /// the drain timeout is set: `docker stop` kills after 10 s.
    pub fn shutdown_timeout(mut self, timeout: Duration) -> Self {
        self.settings.stop.shutdown_timeout = Some(timeout);
        self
    }

    /// What workers do when the supervisor is gone without having stopped them; by default they stop.
    pub fn on_supervisor_death(mut self, what: OnSupervisorDeath) -> Self {
        self.settings.stop.on_supervisor_death = what;
        self
    }

    /// The signal that asks a worker to stop; by default SIGTERM.
    pub fn stop_signal(mut self, signal: i32) -> Self {
        self.settings.stop.stop_signal = signal;
        self
    }

    /// How many processes more than workers a reload may have; 1 by default.
    pub fn max_surge(mut self, processes: u32) -> Self {
        self.settings.rollout.max_surge = processes;
        self
    }

    /// How many workers fewer a reload may have; none by default, and at least 1 where `max_surge` is 0.
    pub fn max_unavailable(mut self, workers: u32) -> Self {
        self.settings.rollout.max_unavailable = workers;
        self
    }

    /// How long a new process must be well before the old one goes.
    pub fn min_healthy_time(mut self, time: Duration) -> Self {
        self.settings.rollout.min_healthy_time = time;
        self
    }

    /// A new process that has begun to listen on nothing more for so long is listening on all it is going to.
    pub fn listen_settle(mut self, time: Duration) -> Self {
        self.settings.rollout.listen_settle = time;
        self
    }

    /// What becomes of those that a reload has replaced before it failed.
    pub fn rollback(mut self, rollback: Rollback) -> Self {
        self.settings.rollout.rollback = rollback;
        self
    }

    /// One more schedule by which the cluster reloads.
    pub fn reload_at(mut self, schedule: Schedule) -> Self {
        self.settings.schedules.reload_at.push(schedule);
        self
    }

    /// One more schedule by which the workers are restarted, one after the other.
    pub fn restart_at(mut self, schedule: Schedule) -> Self {
        self.settings.schedules.restart_at.push(schedule);
        self
    }

    /// One more command that is run on this event, with the event as JSON on its stdin.
    pub fn on(mut self, event: HookEvent, command: CommandLine) -> Self {
        self.settings.hook_commands.on.push(OnEvent::new(event, command));
        self
    }

    /// What is run before the first workers are started; if it fails, nothing is started.
    pub fn before_start(mut self, command: CommandLine) -> Self {
        self.settings.hook_commands.before_start = Some(command);
        self
    }

    /// What is run before a reload begins; if it fails, the old processes go on.
    pub fn before_reload(mut self, command: CommandLine) -> Self {
        self.settings.hook_commands.before_reload = Some(command);
        self
    }

    /// How long each of these commands may run; 30 s by default.
    pub fn hook_timeout(mut self, timeout: Duration) -> Self {
        self.settings.hook_commands.hook_timeout = timeout;
        self
    }

    /// One more file, or folder with all below it, at whose changes the cluster reloads.
    pub fn watch(mut self, path: impl Into<PathBuf>) -> Self {
        self.settings.development.watch.push(path.into());
        self
    }

    /// A worker that holds more memory than this, over `memory_samples` pulses, is replaced; what it shares with others counts in
    /// part. `None` is never.
    pub fn memory_limit(mut self, limit: impl Into<Option<MemoryLimit>>) -> Self {
        self.settings.recycle.memory_limit = limit.into();
        self
    }

    /// How many pulses in a row must find too much memory; 3 by default.
    pub fn memory_samples(mut self, samples: u32) -> Self {
        self.settings.recycle.memory_samples = samples;
        self
    }

    /// A worker is replaced after this, or up to `recycle_jitter` earlier; `None` or zero is never.
    pub fn max_lifetime(mut self, lifetime: impl Into<Option<Duration>>) -> Self {
        self.settings.recycle.max_lifetime = lifetime.into().filter(|lifetime| !lifetime.is_zero());
        self
    }

    /// A worker is replaced after so many connections, or up to `recycle_jitter` fewer; `None` is never.
    pub fn recycle_after_connections(mut self, connections: impl Into<Option<u64>>) -> Self {
        self.settings.recycle.recycle_after_connections = connections.into();
        self
    }

    /// By how many percent these two are shortened at most, differently for each process, so that those that began together do not
    /// end together; 20 by default, 90 at most.
    pub fn recycle_jitter(mut self, percent: u8) -> Self {
        self.settings.recycle.recycle_jitter = percent;
        self
    }

    /// A worker that takes nothing for this long while something waits for it leaves the rotation; `None` or zero is never.
    pub fn lag_limit(mut self, limit: impl Into<Option<Duration>>) -> Self {
        self.settings.health.lag_limit = limit.into().filter(|limit| !limit.is_zero());
        self
    }

    /// How often each worker's health is sampled; `None` or zero is never.
    pub fn pulse(mut self, interval: impl Into<Option<Duration>>) -> Self {
        self.settings.health.pulse = interval.into().filter(|interval| !interval.is_zero());
        self
    }

    /// A worker that has taken nothing for this long, while something waited, is examined and replaced if it hangs: on
    /// the CPU throughout, stopped, or waiting for a lock. Set explicitly, one that is blocked so long hangs too. `None` is
    /// never.
    pub fn hang_limit(mut self, limit: impl Into<Option<Duration>>) -> Self {
        self.settings.health.hang_limit = Some(limit.into().filter(|limit| !limit.is_zero()));
        self
    }

    /// How many workers may be taken down for their health at a time; by default 1, or a quarter if that is more. 0 is
    /// none.
    pub fn health_max_unavailable(mut self, workers: u32) -> Self {
        self.settings.health.health_max_unavailable = Some(workers);
        self
    }

    /// A signal that a worker which hangs gets a second before it is stopped, to write down what it is doing.
    pub fn dump_signal(mut self, signal: i32) -> Self {
        self.settings.health.dump_signal = Some(signal);
        self
    }

    /// Tells each worker, by `WATCHDOG_USEC`, to say so often that it lives. One that has done so once and then does not is
    /// restarted. `None` or zero is never.
    pub fn watchdog(mut self, limit: impl Into<Option<Duration>>) -> Self {
        self.settings.health.watchdog = limit.into().filter(|limit| !limit.is_zero());
        self
    }
}
