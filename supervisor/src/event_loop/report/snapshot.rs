//! Describes the cluster as it is: what the core knows, with the names, pids and times that the shell has. It changes
//! nothing.

use super::super::Shell;
use super::super::os::Os;
use super::announce::{because, shown};
use super::rollouts;
use crate::api;
use crate::config::Config;
use crate::ids::{BalancerId, WorkerId};
use crate::io::machine::wall_clock::milliseconds;
use crate::io::output::log_file::{condition, place};
use crate::io::sockets::listener::Listener;
use crate::io::steering::group::Group;
use crate::io::steering::level::Level;
use crate::pool::{self, Phase, State, Stop};
use std::ffi::OsStr;
use std::path::PathBuf;

/// A cluster that does not run.
pub(crate) fn resting(config: &Config) -> api::Inspection {
    api::Inspection {
        name: config.name.clone(),
        state: api::ClusterState::Standby,
        pid: std::process::id(),
        started_at: None,
        workers: Vec::new(),
        load_balancers: Vec::new(),
        launch: Box::default(),
        rollout: None,
        last_reload: None,
        hooks: None,
    }
}

impl<O: Os> Shell<O> {
    pub(in crate::event_loop) fn inspection(&self) -> api::Inspection {
        let listeners =
            self.listeners.all.values().map(|listener| (listener.id, self.describe_balancer(listener)));
        let mut balancers: Vec<_> = listeners.chain(self.describe_datagrams()).collect();
        balancers.sort_by_key(|(id, _)| *id);
        api::Inspection {
            name: self.config.name.clone(),
            state: match self.pool.phase() {
                Phase::Serving if self.pool.is_closing() => api::ClusterState::Stopping,
                Phase::Serving => api::ClusterState::Running,
                Phase::Stopping => api::ClusterState::Stopping,
                Phase::Idle | Phase::Done(_) => api::ClusterState::Standby,
            },
            pid: std::process::id(),
            started_at: Some(self.wall_clock.wall(self.started)),
            workers: self.pool.workers().map(|worker| self.describe(worker)).collect(),
            load_balancers: balancers.into_iter().map(|(_, balancer)| balancer).collect(),
            launch: Box::new(self.launch()),
            rollout: self.pool.rollout().map(|rollout| {
                let purpose = rollouts::purpose(rollout.purpose());
                let pool::Progress { done, under_way, waiting, draining } = rollout.progress();
                api::Rollout { purpose, done, under_way, waiting, draining }
            }),
            last_reload: self.reloads.latest.clone(),
            hooks: self.hook_report(),
        }
    }

    fn launch(&self) -> api::Launch {
        let shown = |text: &OsStr| text.to_string_lossy().into_owned();
        let path = |path: PathBuf| shown(path.as_os_str());
        let template = self.launching.templates.values().last();
        let moved = template.and_then(|template| template.launch_spec.cwd.clone());
        api::Launch {
            command: self.config.argv().iter().map(|word| shown(word)).collect(),
            directory: moved.or_else(|| std::env::current_dir().ok()).map(path),
            app_file: self.configuring.origin.as_ref().and_then(|origin| origin.file.clone()).map(path),
            log: place::place().map(path),
            log_failure: condition::failing().map(str::to_owned),
            lines_lost: self.outputs.lost() + crate::io::output::log::lost(),
            intercept: template.map(|template| template.launch_spec.interception.how.to_string()),
            intercept_reason: template.map(|template| template.launch_spec.interception.because.to_owned()),
            options: self.config.options.clone(),
            schedules: self.scheduled(),
            version: Some(env!("CARGO_PKG_VERSION").to_owned()),
            thunk: Some(path(self.launching.thunk.path().to_owned())),
            thunk_protocol: Some(clustermon_protocol::VERSION),
            control: self.control.as_ref().map(|control| path(control.path().to_owned())),
        }
    }

    pub(in crate::event_loop) fn describe(&self, worker: pool::Worker<'_>) -> api::Worker {
        let wall = |moment| self.wall_clock.wall(moment);
        let life = self.lives.get(worker.id());
        let mut described = api::Worker {
            id: self.logical_id(worker.id()).to_owned(),
            state: shown(&worker.state()).0,
            pid: worker.pid(),
            members: Vec::new(),
            started_at: None,
            starting_at: None,
            reason: None,
            stop_requested_at: None,
            force_stop_at: None,
            forced_stop: false,
            is_debugging: false,
            draining: None,
            beside: self.beside(worker.id().slot),
            cordoned: worker.is_cordoned(),
            restarts: worker.restarts(),
            last_exit: self.reports.causes.last(worker.id()).map(|cause| cause.text.clone()),
            last_stderr: self.reports.causes.last_stderr(worker.id()),
            start_timeout_at: worker.start_by(self.pool.settings()).map(wall),
            last_cause: self.reports.causes.last(worker.id()).map(|cause| cause.kind),
            out_of_rotation: self.why_out(worker.id()),
            connections: worker.dispatched(),
            one_by_one: self.lanes.all.values().any(|lane| lane.worker == worker.id() && lane.one_by_one),
            direct: self.lanes.all.values().any(|lane| lane.worker == worker.id() && lane.is_direct()),
            lag_ms: None,
            health: life.and_then(|life| life.health.health()),
            pss: None,
            open_connections: worker.open_connections(),
            suspended: life.and_then(|life| life.suspended.describe()),
            lines_lost: self.outputs.lost_of(self.logical_id(worker.id())),
            status_text: life.and_then(|life| life.ear.as_ref()?.status()).map(str::to_owned),
        };
        if let Some(process) = life.map(|life| &life.process) {
            described.pid = described.pid.map(|_| process.shown_pid());
            described.members = process.members.values().map(|member| member.pid).collect();
            described.members.sort_unstable();
            let now = self.os.monotonic();
            let readings = process.pulses.iter().filter_map(|pulse| pulse.read(now));
            let lags = readings.filter(|reading| reading.serving > 0).map(|reading| reading.lag);
            described.lag_ms = lags.min().map(milliseconds);
        }
        match worker.state() {
            State::Standby { due, reason } => {
                described.starting_at = due.map(wall);
                described.reason = Some(because(reason).to_owned());
            }
            State::Starting { since, .. } | State::Running { since, .. } => {
                described.started_at = Some(wall(since));
            }
            State::Stopping(stop) => {
                described.started_at = Some(wall(stop.since));
                described.stop_requested_at = Some(wall(stop.asked));
                described.force_stop_at = stop.force_at.map(wall);
                described.forced_stop = stop.forced();
                described.is_debugging = stop.debugging;
                described.draining = self.draining(worker.id(), &stop);
            }
        }
        described
    }

    fn draining(&self, worker: WorkerId, stop: &Stop) -> Option<api::Draining> {
        let until = self.wall_clock.wall(stop.drain_until?);
        let (connections, busy) = self.connections_of(worker).unzip();
        Some(api::Draining { until, connections, busy })
    }

    /// The processes of a slot that are not its own.
    fn beside(&self, slot: u32) -> Vec<api::Beside> {
        let wall = |moment| Some(self.wall_clock.wall(moment));
        let coming = self.pool.successors().filter(|worker| worker.id().slot == slot);
        let coming = coming.map(|worker| api::Beside {
            pid: worker.pid(),
            state: shown(&worker.state()).0,
            started_at: worker.since().and_then(wall),
            draining: None,
        });
        let going = self.pool.retiring().filter(|(id, _)| id.slot == slot);
        let going = going.map(|(id, stop)| api::Beside {
            pid: self.lives.process(id).map(|process| process.shown_pid()).or(stop.pid),
            state: api::WorkerState::Stopping,
            started_at: wall(stop.since),
            draining: self.draining(id, &stop),
        });
        coming.chain(going).collect()
    }

    /// Connections in the queue of sockets from which workers accept by themselves.
    fn queued_in(&self, listener: &Listener) -> u64 {
        if self.steering.has(listener.id) {
            return self.steering.waiting(listener.id);
        }
        let waiting = self.os.queue_length(listener).filter(|_| listener.by_credit() || listener.by_kernel);
        waiting.unwrap_or(0).into()
    }

    /// What chooses, why nothing better does, and who waits where nothing can be moved.
    fn how_it_chooses(&self, balancer: BalancerId, group: &Group) -> String {
        let mut text = group.reason().to_owned();
        if !group.is_split() || group.migrates() {
            return text;
        }
        for (id, member) in self.steering.members().filter(|(_, member)| member.balancer == balancer) {
            let suspect = |lane: &pool::Lane| lane.status() == pool::LaneStatus::Suspect;
            let waiting = member.waiting().unwrap_or(0);
            if waiting > 0 && self.pool.lane(id).is_some_and(suspect) {
                let worker = self.logical_id(member.worker);
                text +=
                    &format!("; {waiting} wait for worker {worker}, which takes none, and cannot be moved");
            }
        }
        text
    }

    fn describe_balancer(&self, listener: &Listener) -> api::Balancer {
        let known = self.pool.balancer(listener.id);
        let by_credit = listener.by_credit() && !known.is_some_and(pool::Balancer::is_handed_over);
        let group = self.steering.group(listener.id);
        let name = |lane| Some(self.logical_id(self.pool.lane(lane)?.worker()).to_owned());
        api::Balancer {
            state: known.map_or(api::BalancerState::Stopping, |balancer| match balancer.state() {
                pool::BalancerState::Standby { .. } => api::BalancerState::Standby,
                pool::BalancerState::Starting => api::BalancerState::Starting,
                pool::BalancerState::Running => api::BalancerState::Running,
                pool::BalancerState::Stopping => api::BalancerState::Stopping,
            }),
            address: listener.address.to_string(),
            backlog: listener.backlog,
            queued: known.map_or(0, |balancer| balancer.held() as u64) + self.queued_in(listener),
            dispatch: match (group, by_credit) {
                (Some(group), _) => group.level().name(),
                (None, _) if listener.by_kernel => Level::Shared.name(),
                (None, true) => "credit",
                (None, false) => "handoff",
            }
            .to_owned(),
            dispatch_reason: group
                .map(|group| self.how_it_chooses(listener.id, group))
                .or_else(|| listener.handoff_because.map(str::to_owned))
                .or_else(|| listener.by_kernel.then(|| listener.shared_because.clone()))
                .or_else(|| known.and_then(pool::Balancer::handoff_because).map(str::to_owned)),
            policy: self.config.settings.balancing.policy.to_string(),
            connections: known.map_or(0, pool::Balancer::dispatched),
            late: known.map_or(0, pool::Balancer::late),
            rotation: known
                .map(|balancer| balancer.rotation().filter_map(name).collect())
                .unwrap_or_default(),
        }
    }
}
