//! Looks at how workers are doing: at the pulse pages often, which costs nothing, and at /proc once a pulse. It reports to
//! the core and to whoever asked; it judges nobody.

use super::super::Shell;
use super::super::os::Os;
use super::examine::LOOKS_A_LIMIT;
use crate::api::{Event, Health};
use crate::ids::WorkerId;
use crate::io::lanes::pulse::Reading;
use crate::io::launch::worker_processes::Process;
use crate::io::process::procfs;
use crate::pool::Input;
use std::time::{Duration, Instant};

/// When workers are looked at.
#[derive(Debug, Default)]
pub(in crate::event_loop) struct Monitor {
    look: Option<Duration>,
    pulse: Option<Duration>,
    next_look: Option<Instant>,
    next_pulse: Option<Instant>,
    last_pulse: Option<Instant>,
}

/// What is remembered of one process of a worker from one look to the next.
#[derive(Debug, Default)]
pub(in crate::event_loop) struct Watched {
    worst: Duration,
    loops: u64,
    accepted: u64,
    ticks: u64,
    health: Option<Health>,
}

impl Monitor {
    /// Begins, for a cluster with these intervals; `None` is never.
    pub(in crate::event_loop) fn new(now: Instant, look: Option<Duration>, pulse: Option<Duration>) -> Self {
        let after = |interval: Duration| now + interval;
        Self { look, pulse, next_look: look.map(after), next_pulse: pulse.map(after), ..Self::default() }
    }

    pub(in crate::event_loop) fn next_deadline(&self) -> Option<Instant> {
        self.next_look.into_iter().chain(self.next_pulse).min()
    }
}

impl Watched {
    /// The last pulse.
    pub(in crate::event_loop) fn health(&self) -> Option<Health> {
        self.health
    }
}

/// All serving threads of the worker as one.
pub(in crate::event_loop) fn joined(process: &Process, now: u64) -> Reading {
    let readings = process.pulses.iter().filter_map(|pulse| pulse.read(now));
    let mut joined = Reading::default();
    let mut lag: Option<Duration> = None;
    for reading in readings {
        joined.serving += reading.serving;
        joined.loops = joined.loops.wrapping_add(reading.loops);
        joined.accepted = joined.accepted.wrapping_add(reading.accepted);
        if reading.serving > 0 {
            lag = Some(lag.map_or(reading.lag, |lag| lag.min(reading.lag)));
        }
    }
    joined.lag = lag.unwrap_or_default();
    joined
}

impl<O: Os> Shell<O> {
    /// Looks and samples, as far as it is time.
    pub(in crate::event_loop) fn monitor(&mut self) {
        let due = |at: Option<Instant>, now: Instant| at.is_some_and(|at| at <= now);
        if let (Some(at), Some(look)) = (self.health.monitor.next_look, self.health.monitor.look)
            && at <= self.now
        {
            self.health.monitor.next_look = Some(self.now + look);
            // Who comes late was starved himself: what he sees says nothing of the workers.
            if self.now.saturating_duration_since(at) > look {
                self.input(Input::Late);
            }
            self.look_at_members();
            self.look_at_requests(look * LOOKS_A_LIMIT);
            self.look_at_pages(look);
            self.look_for_bypasses(look * LOOKS_A_LIMIT);
        }
        if due(self.health.monitor.next_pulse, self.now) {
            self.health.monitor.next_pulse = self.health.monitor.pulse.map(|pulse| self.now + pulse);
            if self.signals.is_none() {
                // Nobody tells.
                self.look_for_suspended();
            }
            self.take_pulses();
        }
    }

    /// The core is told of whoever lags by half of the limit or more, and of those it asks about.
    fn look_at_pages(&mut self, look: Duration) {
        let (limit, now) = (look * LOOKS_A_LIMIT, self.os.monotonic());
        for pulse in self.lives.processes().flat_map(|process| &process.pulses) {
            if pulse.away(now) >= limit / 2 {
                pulse.free_ended(procfs::threads);
            }
        }
        let ages = self.look_at_kernel_queues();
        let lags = self.lives.iter().map(|(worker, life)| {
            (worker, joined(&life.process, now).lag.max(self.lag_without_pulse(worker, &ages)))
        });
        let lags: Vec<(WorkerId, Duration)> = lags.collect();
        for (worker, mut lag) in lags {
            if lag >= limit && !self.pool.is_suspect(worker) && self.recognise(worker) {
                let paged = self.lives.process(worker).map_or(lag, |process| joined(process, now).lag);
                lag = paged.max(self.lag_without_pulse(worker, &ages));
            }
            lag = lag.max(self.stuck_for(worker));
            if let Some(life) = self.lives.get_mut(worker) {
                life.health.worst = life.health.worst.max(lag);
            }
            if lag >= limit / 2 || self.pool.is_in_question(self.now, worker) {
                self.begin_baseline(worker, lag, look);
                self.excuse_traced(worker);
                self.input(Input::Lag { worker, lag });
            } else {
                self.end_baseline(worker);
            }
        }
    }

    /// Looks whether other threads than those that have accepted wait for connections. True if there were any.
    pub(super) fn recognise(&self, worker: WorkerId) -> bool {
        let lanes = self.lanes.all.values().filter(|lane| lane.worker == worker);
        let members = self.steering.of(worker).map(|(_, member)| member.inode);
        let inodes: Vec<u64> = lanes.map(|lane| lane.inode).chain(members).collect();
        let pulses = self.lives.process(worker).into_iter().flat_map(|process| &process.pulses);
        pulses.filter(|pulse| pulse.recognise(|pid, set| self.os.set_holds(pid, set, &inodes))).count() > 0
    }

    fn take_pulses(&mut self) {
        let elapsed = self.health.monitor.last_pulse.map(|last| self.now.saturating_duration_since(last));
        self.health.monitor.last_pulse = Some(self.now);
        self.health.oom_kills.look(self.lives.processes().map(|process| process.pid), self.now);
        // One that leaves beside its survivor is looked at no more.
        let is_current = |id: &WorkerId| self.pool.worker(*id).is_some();
        let workers = self.lives.iter().map(|(worker, _)| worker).filter(is_current);
        for worker in workers.collect::<Vec<_>>() {
            let Some(health) = self.sample(worker, elapsed) else { continue };
            let rss = health.rss;
            let id = self.logical_id(worker).to_owned();
            let unfit = self.hooks.on_health.as_ref().is_some_and(|judge| !judge(&id, &health));
            if self.has_audience() {
                self.publish(&Event::Health { id: id.clone(), health });
            }
            if self.pool.settings().recycle.memory_limit.is_some() {
                self.input(crate::pool::Input::Memory { worker, bytes: rss });
            }
            if unfit {
                self.is_unwell(worker, "is found unfit by the program that runs the cluster");
            }
        }
    }

    fn sample(&mut self, worker: WorkerId, elapsed: Option<Duration>) -> Option<Health> {
        let life = self.lives.get_mut(worker)?;
        let (process, watched) = (&life.process, &mut life.health);
        // One thread alone is no burst of them: whether it lives is looked at when it matters.
        for pulse in process.pulses.iter().filter(|pulse| pulse.serving().len() > 1) {
            pulse.free_ended(procfs::threads);
        }
        let reading = joined(process, self.os.monotonic());
        let total = process.counted().into_iter().filter_map(procfs::sample).fold(
            procfs::Sample::default(),
            |sum, one| procfs::Sample {
                rss: sum.rss + one.rss,
                ticks: sum.ticks + one.ticks,
                threads: sum.threads + one.threads,
                descriptors: sum.descriptors + one.descriptors,
            },
        );
        let (mut queued, mut oldest) = (0, Duration::ZERO);
        for (_, lane) in self.pool.lanes().filter(|(_, lane)| lane.worker() == worker) {
            queued += u32::try_from(lane.holds()).unwrap_or(u32::MAX);
            let age = lane
                .waiting_since()
                .map_or(Duration::ZERO, |since| self.now.saturating_duration_since(since));
            oldest = oldest.max(age);
        }
        let spent = total.ticks.saturating_sub(watched.ticks) * 1_000_000 / procfs::ticks_a_second();
        let worst = watched.worst.max(reading.lag);
        let health = Health {
            reported_at: self.wall_clock.wall(self.now),
            lag_ms: milliseconds(reading.lag),
            worst_lag_ms: milliseconds(worst),
            serving_threads: reading.serving,
            loops: reading.loops.saturating_sub(watched.loops),
            accepted: reading.accepted.saturating_sub(watched.accepted),
            rss: total.rss,
            // Before the second pulse there is no span to measure over.
            cpu_permille: elapsed
                .filter(|_| watched.ticks > 0)
                .map_or(0, |elapsed| spent / milliseconds(elapsed).max(1)),
            threads: total.threads,
            descriptors: total.descriptors,
            queued,
            queue_age_ms: milliseconds(oldest),
        };
        *watched = Watched {
            worst: Duration::ZERO,
            loops: reading.loops,
            accepted: reading.accepted,
            ticks: total.ticks,
            health: Some(health),
        };
        Some(health)
    }
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
