//! `clustermon schema`: the JSON schema of the file of apps, for editors.

use crate::app_file::{self, Options};
use crate::cli::output::failed::Failed;
use crate::cli::output::out;
use crate::cli::starting::run;

/// Print the JSON schema of the file of apps, for editors
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {}

impl Args {
    #[expect(clippy::unused_self, reason = "like its sisters, though it has no options yet")]
    pub(in crate::cli) fn run(&self) -> Result<(), Failed> {
        let schema = app_file::schema(&Options::of(run::command()));
        out::print(&format!("{schema:#}\n"))
    }
}
