//! The library's handle on one worker: a name, and what it was when it was looked at. It holds nothing of the process.

use crate::api::{self, Action, Failure, Target};
use crate::cluster::Cluster;
use std::fmt;
use std::time::Duration;

/// A worker of a cluster.
#[derive(Clone)]
pub struct WorkerHandle {
    cluster: Cluster,
    seen: api::Worker,
}

/// What people tell workers apart by; [`WorkerHandle::seen`] has the rest.
impl fmt::Debug for WorkerHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("WorkerHandle");
        shown.field("cluster", &self.cluster).field("id", &self.seen.id).field("state", &self.seen.state);
        shown.field("pid", &self.seen.pid).finish_non_exhaustive()
    }
}

impl WorkerHandle {
    pub(crate) fn new(cluster: Cluster, seen: api::Worker) -> Self {
        Self { cluster, seen }
    }

    /// The logical id.
    pub fn id(&self) -> &str {
        &self.seen.id
    }

    /// The worker as it was when this handle was made.
    pub fn seen(&self) -> &api::Worker {
        &self.seen
    }

    /// The worker as it is now; `None` if it is gone (scaled down).
    pub fn inspect(&self) -> Option<api::Worker> {
        self.cluster.inspect().workers.into_iter().find(|worker| worker.id == self.seen.id)
    }

    /// Proportional memory of its processes as they are now, in bytes: what several share counts as a part for each. `None`
    /// if it has none, or they are another user's. The kernel walks all their pages for it, about 13 ms for each GiB, in the
    /// thread that calls; a worker that wants to map memory meanwhile waits. Not for each second.
    pub fn pss(&self) -> Option<u64> {
        crate::io::process::pss::pss(self.inspect()?.pids())
    }

    /// Runs it, at once if it waits for its next start; nothing happens if it runs.
    ///
    /// # Errors
    /// [`Failure`], as for every command below, if the worker or the cluster is gone.
    pub fn start(&self) -> Result<(), Failure> {
        self.tell(|target| Action::Start { target })
    }

    /// Stops it; it stays down until it is started.
    pub fn stop(&self) -> Result<(), Failure> {
        self.tell(|target| Action::Stop { target })
    }

    /// Stops it, and starts it again without delay.
    pub fn restart(&self) -> Result<(), Failure> {
        self.tell(|target| Action::Restart { target })
    }

    /// Sends SIGHUP: the program reloads itself, or dies of it and is restarted.
    pub fn hang_up(&self) -> Result<(), Failure> {
        self.tell(|target| Action::HangUp { target })
    }

    /// Sends SIGKILL; it stays down until it is started.
    pub fn force_stop(&self) -> Result<(), Failure> {
        self.tell(|target| Action::ForceStop { target })
    }

    /// Sends SIGABRT: a core dump where the system keeps them.
    pub fn dump(&self) -> Result<(), Failure> {
        self.tell(|target| Action::Dump { target })
    }

    /// Sends SIGUSR1, and does not kill it while somebody debugs.
    pub fn debug(&self) -> Result<(), Failure> {
        self.tell(|target| Action::Debug { target })
    }

    /// Sends any signal, by number.
    pub fn signal(&self, signal: i32) -> Result<(), Failure> {
        self.tell(|target| Action::Signal { target, signal })
    }

    /// Takes it out of rotation.
    pub fn cordon(&self) -> Result<(), Failure> {
        self.tell(|target| Action::Cordon { target })
    }

    /// Puts it back into rotation.
    pub fn uncordon(&self) -> Result<(), Failure> {
        self.tell(|target| Action::Uncordon { target })
    }

    /// As [`WorkerHandle::restart`], and waits until it runs again, no longer than this.
    pub fn restart_and_wait(&self, limit: Duration) -> Result<(), Failure> {
        self.cluster.command(Action::Restart { target: self.target() }, Some(limit)).map(drop)
    }

    fn target(&self) -> Target {
        Target::Worker(self.seen.id.clone())
    }

    fn tell(&self, action: impl FnOnce(Target) -> Action) -> Result<(), Failure> {
        self.cluster.command(action(self.target()), None).map(drop)
    }
}
