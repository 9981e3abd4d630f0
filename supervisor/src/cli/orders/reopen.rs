//! `clustermon reopen` and `flush`: have a cluster open the file of its log anew, for who moves it away, or empty it.

use crate::api::{Action, Command};
use crate::cli::connection::target::At;
use crate::cli::connection::waiting::carry_out;
use crate::cli::output::failed::Failed;

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// Cluster; may be left out when exactly one of this user runs
    #[arg(value_name = "NAME")]
    name: Option<String>,
    #[command(flatten)]
    at: At,
}

impl Args {
    pub(in crate::cli) fn run(&self, action: Action) -> Result<(), Failed> {
        let mut client = self.at.connect(self.name.as_deref())?;
        carry_out(&mut client, &Command { action, wait_ms: None })
    }
}
