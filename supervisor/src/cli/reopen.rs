//! `clustermon reopen`: has a cluster open the file of its log anew, for who moves it away.

use super::failed::Failed;
use super::target::At;
use super::waiting::carry_out;
use crate::api::{Action, Command};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Cluster; may be left out when exactly one of this user runs
    #[arg(value_name = "NAME")]
    name: Option<String>,
    #[command(flatten)]
    at: At,
}

impl Args {
    pub(super) fn run(&self) -> Result<(), Failed> {
        let mut client = self.at.connect(self.name.as_deref())?;
        carry_out(&mut client, &Command { action: Action::Reopen, wait_ms: None })
    }
}
