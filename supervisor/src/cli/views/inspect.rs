//! `clustermon inspect`: all that is known of clusters or workers of them, as JSON.

use crate::cli::connection::target::Whom;
use crate::cli::output::failed::Failed;
use crate::cli::views::json::{Pss, print_json};

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    #[command(flatten)]
    whom: Whom,
    #[command(flatten)]
    pss: Pss,
}

impl Args {
    pub(in crate::cli) fn run(&self) -> Result<(), Failed> {
        print_json(&self.whom, &self.pss)
    }
}
