//! A cluster supervisor for servers written in any language: N copies of one program behind one port.
//! The program is not changed and does not know.
//!
//! ```no_run
//! let config = clustermon::config::Builder::new(["node", "server.js"]).workers(4).build()?;
//! clustermon::run(config)?;
//! # Ok::<(), clustermon::error::Error>(())
//! ```

pub mod api;
pub mod cli;
mod cluster;
pub mod config;
pub mod error;
mod event_loop;
mod hooks;
pub mod ids;
mod io;
mod link;
pub mod pool;
mod worker_handle;

pub use api::Environment;
pub use cluster::{Cluster, ExitReport};
pub use error::Error;
pub use worker_handle::WorkerHandle;

use config::{Config, ConfigError};
use io::events::signals::{self, Blocked};
use io::kernel::descriptors;
use io::launch::launch_spec::{self, LaunchSpec};
use io::launch::thunk_file;
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
    let (recipe, home, thunk) = prepare(&config)?;
    let signals = take_signals(&config)?;
    let hooks = hooks::Hooks::default();
    event_loop::run(event_loop::Setup { config, recipe, home, thunk, signals, hooks, inbox: None }, || {})
}

/// Blocks the signals that the cluster is to read, if any, before the first thread is started.
fn take_signals(config: &Config) -> Result<Option<Blocked>, Error> {
    let block = || signals::block().map_err(|error| Error::os("cannot take over the signals", error));
    config.handle_signals.then(block).transpose()
}

/// Finds what a worker is made of, where it runs if that may move, and the thunk; or says what is wrong with them.
fn prepare(config: &Config) -> Result<(LaunchSpec, Option<PathBuf>, PathBuf), Error> {
    // First of all: where descriptors are missing every later error would blame what it could not open.
    descriptors::check(config.handle_signals).map_err(|error| Error::os("nothing can be started", error))?;
    let home = launch_spec::home();
    let recipe = LaunchSpec::read(config, home.as_deref())?;
    let thunk = thunk_file::locate(config.thunk.as_deref())?;
    Ok((recipe, home, thunk))
}
