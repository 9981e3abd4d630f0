//! Placeholder until the loop is written: takes what the loop will take.

use crate::config::Config;
use crate::error::Error;
use crate::io::program::Program;
use crate::pool::Outcome;
use std::path::PathBuf;

/// Runs the cluster.
pub(crate) fn run(config: Config, program: Program, thunk: PathBuf) -> Result<Outcome, Error> {
    log::info!("would run {} copies of {} with {}", config.logical_ids.len(), program.path.display(), thunk.display());
    Ok(Outcome::Stopped)
}
