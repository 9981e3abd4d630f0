//! Starting a cluster: everything is checked, the loop gets its thread, and the start is reported before anything lasts.

use super::Cluster;
use super::inner::{Running, current, join};
use crate::config::{Builder, Config, ConfigError};
use crate::error::Error;
use crate::event_loop::{self, Setup};
use crate::link::Inbox;
use crossbeam_channel::{bounded, unbounded};
use std::any::Any;
use std::cell::Cell;
use std::sync::Arc;
use std::thread;

impl Cluster {
    /// Starts it; nothing happens if it runs. It may be started again after it came to rest.
    ///
    /// # Errors
    /// Whatever is wrong with the command or the thunk, before anything is started.
    pub fn start(&self) -> Result<(), Error> {
        let mut life = self.inner.life.lock();
        if life.running.as_ref().is_some_and(|running| running.thread.thread().id() == current()) {
            return Ok(());
        }
        while life.beginning {
            self.inner.ended.wait(&mut life);
        }
        // One that has reported has come to rest, even where its thread has yet to end.
        if life.running.as_ref().is_some_and(|running| !running.thread.is_finished()) && life.report.is_none()
        {
            return Ok(());
        }
        if let Some(last) = life.running.take() {
            join(last.thread);
        }
        let (launch_spec, home, thunk) = crate::prepare_to_start(&self.inner.config)?;
        // Once for all starts: afterwards the mask from before is no longer to be seen.
        if life.signals.is_none() {
            life.signals = crate::take_signals(&self.inner.config)?;
        }
        let signals = life.signals;
        let (orders, inbox) = unbounded();
        let setup = Setup {
            config: self.inner.config.clone(),
            launch_spec,
            home,
            thunk,
            signals,
            hooks: self.inner.hooks.clone(),
            inbox: Some(Inbox { orders: inbox, board: self.inner.board.clone() }),
            origin: None,
        };
        let weak = Arc::downgrade(&self.inner);
        life.report = None;
        let (began, begun) = bounded(1);
        let builder = thread::Builder::new().name(format!("clustermon {}", self.inner.config.name));
        let thread = builder
            .spawn(move || {
                let running = Cell::new(false);
                let result = event_loop::run(setup, || {
                    running.set(true);
                    let _ = began.send(Ok(()));
                });
                match (running.get(), weak.upgrade()) {
                    (true, Some(inner)) => inner.came_to_rest(result),
                    (true, None) => {}
                    (false, _) => drop(began.send(result.map(drop))),
                }
            })
            .map_err(|error| Error::os("cannot start a thread", error))?;
        life.running = Some(Running { orders, thread });
        life.beginning = true;
        // Hooks are called meanwhile, and may want to look at the cluster.
        drop(life);
        // The thread reports before it does anything that lasts.
        let outcome = begun.recv().unwrap_or(Ok(()));
        let mut life = self.inner.life.lock();
        life.beginning = false;
        let failed = if outcome.is_err() { life.running.take() } else { None };
        drop(life);
        self.inner.ended.notify_all();
        if let Some(failed) = failed {
            join(failed.thread);
        }
        outcome?;
        if let Some(on_start) = self.inner.hooks.on_start.clone() {
            let handle = self.clone();
            let builder = thread::Builder::new().name("clustermon on_start".into());
            builder
                .spawn(move || on_start(&handle))
                .map_err(|error| Error::os("cannot start a thread", error))?;
        }
        Ok(())
    }
}

/// What of the builder needs the handle on a cluster.
impl Builder {
    /// Called once for each start with the cluster, on a thread of its own, after the first workers were spawned: the
    /// original's `initMaster`.
    pub fn on_start(mut self, hook: impl Fn(&Cluster) + Send + Sync + 'static) -> Self {
        // Options know nothing of handles, so that neither needs the other: the type is found again here.
        let hook = move |handle: &dyn Any| handle.downcast_ref::<Cluster>().map_or((), &hook);
        self.hooks().on_start = Some(Arc::new(hook));
        self
    }

    /// Checks everything and starts the cluster.
    ///
    /// # Errors
    /// What is wrong with the options, the command or the thunk; nothing was started then.
    pub fn start(mut self) -> Result<Cluster, Error> {
        let hooks = std::mem::take(self.hooks());
        let config: Result<Config, ConfigError> = self.build();
        let cluster = Cluster::new(config?, hooks);
        cluster.start()?;
        Ok(cluster)
    }
}
