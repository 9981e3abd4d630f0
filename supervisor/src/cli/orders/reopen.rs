//! `clustermon reopen` and `flush`: have clusters open the files of their logs anew, for who moves them away, or empty them.

use super::order;
use crate::api::{Action, Command};
use crate::cli::connection::at_once;
use crate::cli::connection::target::At;
use crate::cli::output::failed::Failed;

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// Clusters, or all; may be left out when exactly one of this user runs
    #[arg(value_name = "NAME|all")]
    names: Vec<String>,
    #[command(flatten)]
    at: At,
}

impl Args {
    pub(in crate::cli) fn run(&self, action: &Action) -> Result<(), Failed> {
        let found = self.at.find(&order::clusters(&self.names))?;
        at_once::order(found, |_| Command { action: action.clone(), wait_ms: None })
    }
}
