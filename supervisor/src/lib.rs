//! A cluster supervisor for servers written in any language: N copies of one program behind one port. The program is not changed
//! and does not know.
//!
//! This is the library; the program `clustermon` is made of it, and its documentation lies in `docs/` of the repository.
//!
//! # Start and stop
//!
//! ```no_run
//! let cluster = clustermon::Cluster::builder(["node", "server.js"]).workers(4).start()?;
//! println!("{} workers", cluster.count_workers());
//! cluster.stop();
//! let report = cluster.wait()?;
//! println!("{:?}", report.outcome);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Each option of `clustermon run` is a method of the [`Builder`]. What is wrong with the options, the command or the preloaded library
//! is an [`Error`] before anything is started. A [`Cluster`] can be cloned and used from any thread; when its last clone is dropped the
//! cluster stops, and no process and no thread of it is left. Nothing of the host process is changed: signals are read only if
//! [`Builder::handle_signals`] says so.
//!
//! # What happens
//!
//! [`Cluster::events`] delivers each [`api::Event`] as it happens; a receiver that is slow is told how many it has missed.
//! [`Cluster::inspect`] is the latest description of everything, the same that `clustermon inspect` prints.
//!
//! ```no_run
//! # let cluster = clustermon::Cluster::builder(["node", "server.js"]).start()?;
//! for event in cluster.events() {
//!     if let clustermon::api::Event::Worker { id, state, cause, .. } = event {
//!         println!("worker {id}: {state:?} {}", cause.unwrap_or_default());
//!     }
//! }
//! # Ok::<(), clustermon::Error>(())
//! ```
//!
//! # Commands
//!
//! [`Cluster::scale`], [`Cluster::reload`] and the methods of a [`WorkerHandle`] return as soon as the order is given, unless they are told
//! to wait. [`Cluster::command`] takes any [`api::Action`].
//!
//! ```no_run
//! # use std::time::Duration;
//! # let cluster = clustermon::Cluster::builder(["node", "server.js"]).start()?;
//! cluster.reload(Some(Duration::from_secs(60)))?;
//! if let Some(worker) = cluster.worker("2") {
//!     worker.restart_and_wait(Duration::from_secs(10))?;
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Health
//!
//! [`Builder::on_health`] is called with each sample of each worker; its answer `false` has the worker restarted.
//!
//! # Programs to start from
//!
//! `examples/` holds one for each of these: `embed` (everything once), `health` (verdicts), `events`, `reload`, `several` (clusters in one
//! process).

pub mod api;
mod app_file;
#[doc(hidden)]
pub mod cli;
mod cluster;
pub mod config;
pub mod error;
mod event_loop;
mod hooks;
mod ids;
mod io;
mod link;
mod pool;
mod settings;
mod spelling;
mod unit_file;

/// The shell under a simulated operating system, for who drives it from outside: see `event_loop/simulation/`.
#[cfg(feature = "simulation")]
#[doc(hidden)]
pub mod simulation {
    use crate::event_loop::simulation;

    /// Goes through the history of this seed.
    pub fn run_seed(seed: u64) {
        simulation::run_seed(seed);
    }

    /// Goes through the history that these bytes choose.
    pub fn run_bytes(bytes: &[u8]) {
        simulation::run_bytes(bytes);
    }
}

pub use api::Environment;
pub use cluster::{Cluster, ExitReport, WorkerHandle};
pub use config::Builder;
pub use error::Error;
pub use pool::{Exit, Outcome};

use config::{Config, ConfigError, Origin};
use io::events::signals::{self, Blocked};
use io::kernel::descriptors;
use io::launch::launch_spec::{self, LaunchSpec, RecipeError};
use io::launch::spawn::hook;
use io::launch::{thunk_file, trial};
use std::path::PathBuf;

impl config::Builder {
    /// Checks everything, for the CPUs that this process may use. The first thing that is wrong is the error.
    pub fn build(self) -> Result<Config, ConfigError> {
        self.patience(io::machine::container::patience()).build_for(io::machine::cpus::available())
    }
}

/// Runs the cluster in the calling thread until it comes to rest.
///
/// Whatever is wrong with the command or the thunk is found before anything is started.
pub fn run(config: Config) -> Result<pool::Outcome, Error> {
    run_with(config, None)
}

/// The same of one that was made of a command line.
fn run_with(config: Config, origin: Option<Origin>) -> Result<pool::Outcome, Error> {
    let (launch_spec, home, thunk) = prepare_to_start(&config)?;
    let signals = take_signals(&config)?;
    let hooks = hooks::Hooks::default();
    let setup = event_loop::Setup { config, launch_spec, home, thunk, signals, hooks, inbox: None, origin };
    // The command line has been read and everything looked at, which took more memory than is ever needed again.
    event_loop::run(setup, io::machine::heap::give_back_what_is_free)
}

/// Blocks the signals that the cluster is to read, if any, before the first thread is started.
fn take_signals(config: &Config) -> Result<Option<Blocked>, Error> {
    let block = || signals::block().map_err(|error| Error::os("cannot take over the signals", error));
    config.handle_signals.then(block).transpose()
}

/// The same for who is about to start workers: what has to be there for them is made.
fn prepare_to_start(config: &Config) -> Result<(LaunchSpec, Option<PathBuf>, PathBuf), Error> {
    let (mut launch_spec, home, thunk) = prepare(config)?;
    launch_spec.confinement.divide(config.handle_signals).map_err(RecipeError::from)?;
    if launch_spec.confinement.is_divided() {
        trial::run(&launch_spec, Some(&thunk)).map_err(RecipeError::from)?;
    }
    Ok((launch_spec, home, thunk))
}

/// Finds what a worker is made of, where it runs if that may move, and the thunk; or says what is wrong with them.
fn prepare(config: &Config) -> Result<(LaunchSpec, Option<PathBuf>, PathBuf), Error> {
    // First of all: where descriptors are missing every later error would blame what it could not open.
    descriptors::check(config.handle_signals).map_err(|error| Error::os("nothing can be started", error))?;
    let home = launch_spec::home();
    let launch_spec = LaunchSpec::read(config, home.as_deref())?;
    hook::check(config, &launch_spec)?;
    let thunk = thunk_file::locate(config.settings.program.thunk.as_deref())?;
    trial::run(&launch_spec, Some(&thunk)).map_err(RecipeError::from)?;
    Ok((launch_spec, home, thunk))
}
