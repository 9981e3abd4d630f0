//! `clustermon events`: what happens in a cluster, line by line, until it ends.

use crate::api::{Action, BalancerState, ClusterState, Command, Event, GateState, WorkerState};
use crate::cli::connection::target::At;
use crate::cli::output::failed::Failed;
use crate::cli::output::out;
use crate::io::control::wire;
use crate::io::output::plain::{self, Plain};
use crate::io::output::stamp;
use std::fmt;

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// Cluster; may be left out when exactly one cluster of this user runs
    name: Option<String>,
    #[command(flatten)]
    at: At,
    /// One JSON object a line
    #[arg(long)]
    json: bool,
}

impl Args {
    pub(in crate::cli) fn run(&self) -> Result<(), Failed> {
        let mut client = self.at.connect(self.name.as_deref())?;
        client.ask(&Command { action: Action::Events, wait_ms: None })??;
        while let Some(line) = client.follow()? {
            if self.json {
                out::print(&format!("{}\n", plain::json(&String::from_utf8_lossy(&line))))?;
            } else if let Some(event) = wire::read_event(&line).filter(|event| !is_pulse(event)) {
                // One of an older supervisor has no time.
                let time = wire::read_time(&line).map(|ms| stamp::of(ms) + " ");
                out::print(&format!("{}{}\n", time.unwrap_or_default(), Shown(&event)))?;
            }
        }
        Ok(())
    }
}

/// Pulses come each second from each worker: for programs, who ask for JSON, and in `status`.
fn is_pulse(event: &Event) -> bool {
    matches!(event, Event::Health { .. })
}

/// An event as people read it.
struct Shown<'a>(&'a Event);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let because = |f: &mut fmt::Formatter<'_>, cause: &Option<String>| match cause {
            Some(cause) => write!(f, ": {}", Plain(cause)),
            None => Ok(()),
        };
        match self.0 {
            Event::Worker { id, state, pid, cause, .. } => {
                write!(f, "worker {id} {}", worker_state(*state))?;
                if let Some(pid) = pid {
                    write!(f, ", pid {pid}")?;
                }
                because(f, cause)
            }
            Event::LoadBalancer { address, state, cause } => {
                write!(f, "load balancer {address} {}", balancer_state(*state))?;
                because(f, cause)
            }
            Event::Rotation { id, address, in_rotation, cause, .. } => {
                let way = if *in_rotation { "into" } else { "out of" };
                write!(f, "worker {id} {way} rotation on {address}: {}", Plain(cause))
            }
            Event::Health { id, health } => {
                let (whole, tenths) = (health.cpu_permille / 10, health.cpu_permille % 10);
                let (lag, rss) = (health.worst_lag_ms, health.rss >> 20);
                write!(
                    f,
                    "worker {id}: lag {lag} ms, {whole}.{tenths} % CPU, {rss} MiB, {} waiting",
                    health.queued
                )
            }
            Event::Reload { outcome, cause, stderr } => {
                match cause {
                    // It says itself what has failed.
                    Some(cause) => write!(f, "{}", Plain(cause))?,
                    None => write!(f, "reload {}", Plain(outcome))?,
                }
                stderr.iter().try_for_each(|line| write!(f, "\n  stderr: {}", Plain(line)))
            }
            Event::Line { worker, text, .. } => {
                write!(f, "{}: {}", worker.as_deref().unwrap_or("clustermon"), Plain(text))
            }
            Event::Cluster { state } => write!(f, "cluster {}", cluster_state(*state)),
            Event::Hook { hook, state, cause, output } => {
                match (state, cause) {
                    // It says itself what has failed.
                    (_, Some(cause)) => write!(f, "{}", Plain(cause))?,
                    (GateState::Running, None) => write!(f, "{} runs", Plain(hook))?,
                    (_, None) => write!(f, "{} has ended well", Plain(hook))?,
                }
                output.iter().try_for_each(|line| write!(f, "\n  output: {}", Plain(line)))
            }
            Event::Log { text } => write!(f, "log: {}", Plain(text)),
            Event::Standby { outcome } => write!(f, "at rest: {}", Plain(outcome)),
            Event::Missed { count } => write!(f, "{count} events were missed"),
        }
    }
}

pub(in crate::cli) fn cluster_state(state: ClusterState) -> &'static str {
    match state {
        ClusterState::Standby => "standby",
        ClusterState::Running => "running",
        ClusterState::Stopping => "stopping",
    }
}

pub(in crate::cli) fn worker_state(state: WorkerState) -> &'static str {
    match state {
        WorkerState::Standby => "standby",
        WorkerState::Starting => "starting",
        WorkerState::Running => "running",
        WorkerState::Stopping => "stopping",
    }
}

pub(in crate::cli) fn balancer_state(state: BalancerState) -> &'static str {
    match state {
        BalancerState::Standby => "standby",
        BalancerState::Starting => "starting",
        BalancerState::Running => "running",
        BalancerState::Stopping => "stopping",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::CauseKind;

    #[test]
    fn events_read_as_sentences() {
        let worker = Event::Worker {
            id: "2".into(),
            state: WorkerState::Standby,
            pid: None,
            cause: Some("code 3,\nup 2ms".into()),
            kind: Some(CauseKind::ExitCode),
        };
        let running = Event::Worker {
            id: "2".into(),
            state: WorkerState::Running,
            pid: Some(7),
            cause: None,
            kind: None,
        };
        let address = || "127.0.0.1:80".to_owned();
        let rotation = Event::Rotation {
            id: "2".into(),
            address: address(),
            in_rotation: false,
            cause: "cordoned".into(),
            kind: None,
        };
        let balancer = Event::LoadBalancer { address: address(), state: BalancerState::Running, cause: None };
        let done = Event::Reload { outcome: "done".into(), cause: None, stderr: Vec::new() };
        let cause = Some("reload failed: code 7".into());
        let failed = Event::Reload { outcome: "failed".into(), cause, stderr: vec!["no\tgo".into()] };
        for (event, shown) in [
            (worker, "worker 2 standby: code 3,\\nup 2ms"),
            (running, "worker 2 running, pid 7"),
            (rotation, "worker 2 out of rotation on 127.0.0.1:80: cordoned"),
            (balancer, "load balancer 127.0.0.1:80 running"),
            (done, "reload done"),
            (failed, "reload failed: code 7\n  stderr: no\\tgo"),
            (Event::Missed { count: 3 }, "3 events were missed"),
        ] {
            assert_eq!(Shown(&event).to_string(), shown);
        }
    }
}
