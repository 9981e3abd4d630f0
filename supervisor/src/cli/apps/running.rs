//! Apps that are to run: what each starts after, and whether it runs already, by its control socket. It changes nothing.

use crate::api::ClusterState;
use crate::app_file::App;
use crate::cli::connection::client::Client;
use crate::cli::connection::target;
use crate::config::{Config, Control};

/// An app without fault.
pub(in crate::cli) type Planned = (App, Config);

/// Those of the apps that this one starts after.
pub(in crate::cli) fn before(apps: &[Planned], number: usize) -> Vec<usize> {
    let names = &apps[number].0.after;
    let place = |name: &String| apps.iter().position(|(other, _)| other.name == *name);
    names.iter().filter_map(|(name, _)| place(name)).collect()
}

/// The cluster of that app, if there is one.
pub(super) fn connect(config: &Config) -> Option<Client> {
    match &config.control {
        Control::Off => None,
        Control::At(path) => Client::connect(path).ok(),
        Control::ByName => {
            let file = format!("{}.sock", config.name);
            target::directories()
                .into_iter()
                .find_map(|directory| Client::connect(&directory.join(&file)).ok())
        }
    }
}

/// The process of the app, if it runs and is not about to stop.
pub(in crate::cli) fn pid(config: &Config) -> Option<u32> {
    let inspection = connect(config)?.inspect().ok()?;
    (inspection.state != ClusterState::Stopping).then_some(inspection.pid)
}
