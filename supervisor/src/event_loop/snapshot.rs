//! Describes the cluster as it is: what the core knows, with the names, pids and times that the shell has. It changes
//! nothing.

use super::Shell;
use crate::api;
use crate::config::Config;
use crate::io::listener::Listener;
use crate::pool::{self, Phase, State};

/// A cluster that does not run.
pub(crate) fn resting(config: &Config) -> api::Inspection {
    api::Inspection {
        name: config.name.clone(),
        state: api::ClusterState::Standby,
        pid: std::process::id(),
        started_at: None,
        workers: Vec::new(),
        load_balancers: Vec::new(),
    }
}

impl Shell {
    pub(super) fn inspection(&self) -> api::Inspection {
        let mut listeners: Vec<&Listener> = self.listeners.values().collect();
        listeners.sort_by_key(|listener| listener.id);
        api::Inspection {
            name: self.config.name.clone(),
            state: match self.pool.phase() {
                Phase::Serving => api::ClusterState::Running,
                Phase::Stopping => api::ClusterState::Stopping,
                Phase::Idle | Phase::Done(_) => api::ClusterState::Standby,
            },
            pid: std::process::id(),
            started_at: Some(self.epoch.wall(self.started)),
            workers: self.pool.workers().iter().map(|worker| self.describe(worker)).collect(),
            load_balancers: listeners.into_iter().map(|listener| self.describe_balancer(listener)).collect(),
        }
    }

    pub(super) fn describe(&self, worker: &pool::Worker) -> api::Worker {
        let wall = |moment| self.epoch.wall(moment);
        let mut described = api::Worker {
            id: self.logical_id(worker.id()).to_owned(),
            state: worker_state(worker),
            pid: worker.pid(),
            members: Vec::new(),
            started_at: None,
            starting_at: None,
            reason: None,
            stop_requested_at: None,
            force_stop_at: None,
            forced_stop: false,
            is_debugging: false,
            cordoned: false,
            restarts: 0,
            last_exit: None,
            connections: 0,
            open_connections: None,
        };
        if let Some(process) = self.processes.get(&worker.id()) {
            described.members = process.members.values().map(|member| member.pid).collect();
            described.members.sort_unstable();
        }
        match worker.state() {
            State::Standby { due, .. } => described.starting_at = due.map(wall),
            State::Starting { since, .. } | State::Running { since, .. } => {
                described.started_at = Some(wall(since));
            }
            State::Stopping(stop) => {
                described.started_at = Some(wall(stop.since));
                described.stop_requested_at = Some(wall(stop.asked));
                described.force_stop_at = stop.force_at.map(wall);
                described.forced_stop = stop.forced();
                described.is_debugging = stop.debugging;
            }
        }
        described
    }

    fn describe_balancer(&self, listener: &Listener) -> api::Balancer {
        let known = self.pool.balancer(listener.id);
        let name = |lane| Some(self.logical_id(self.pool.lane(lane)?.worker()).to_owned());
        api::Balancer {
            state: api::BalancerState::Running,
            address: listener.address.to_string(),
            backlog: listener.backlog,
            queued: known.map_or(0, |balancer| balancer.held() as u64),
            policy: "round-robin".to_owned(),
            connections: known.map_or(0, pool::Balancer::dispatched),
            rotation: known
                .map(|balancer| balancer.rotation().filter_map(name).collect())
                .unwrap_or_default(),
        }
    }
}

/// The state under the original's name.
pub(super) fn worker_state(worker: &pool::Worker) -> api::WorkerState {
    match worker.state() {
        State::Standby { .. } => api::WorkerState::Standby,
        State::Starting { .. } => api::WorkerState::Starting,
        State::Running { .. } => api::WorkerState::Running,
        State::Stopping(_) => api::WorkerState::Stopping,
    }
}
