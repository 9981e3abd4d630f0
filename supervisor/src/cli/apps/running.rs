//! Apps that are to run: what each starts after, and whether it runs already, by its control socket. It changes nothing.

use crate::api::{ClusterState, Inspection};
use crate::app_file::App;
use crate::cli::connection::client::Client;
use crate::cli::connection::{left, target};
use crate::config::{Config, Control};
use crate::io::control::last_end::{self, LastEnd};
use crate::io::control::place::Place;
use std::fs::canonicalize;
use std::path::Path;

/// An app without fault.
pub(in crate::cli) type Planned = (App, Config);

/// Those of the apps that this one starts after.
pub(in crate::cli) fn before(apps: &[Planned], number: usize) -> Vec<usize> {
    let names = &apps[number].0.after;
    let place = |name: &String| apps.iter().position(|(other, _)| other.name == *name);
    names.iter().filter_map(|(name, _)| place(name)).collect()
}

/// For who asks later how the app is, which is not started because of another. It is forgotten when the app starts or is taken down.
pub(super) fn leave_word((app, config): &Planned, why: &str) {
    if let Some(place) = Place::of(config) {
        last_end::write_at(&place, &LastEnd::now(&app.name, 1, why.to_owned(), None));
    }
}

/// Forgets how the app ended, also where its supervisor was killed.
pub(super) fn forget(config: &Config) {
    let by_name = Some(config.name.as_str()).filter(|_| config.control == Control::ByName);
    let at = match &config.control {
        Control::At(path) => target::At { control: Some(path.clone()) },
        Control::ByName | Control::Off => target::At::default(),
    };
    if let Some((path, _)) = target::end_of(by_name, &at) {
        last_end::remove(&path);
    }
    if let Some(name) = by_name {
        left::forget(name);
    }
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

/// Who has started the cluster, if it was not this file, under whatever name it was given then.
pub(super) fn foreign(file: &Path, cluster: &Inspection) -> Option<String> {
    let Some(its) = &cluster.launch.app_file else { return Some("`clustermon run`".to_owned()) };
    let is_same = file == Path::new(its)
        || canonicalize(file).is_ok_and(|own| canonicalize(its).is_ok_and(|its| its == own));
    (!is_same).then(|| its.clone())
}

/// The process of the app, if it runs and is not about to stop.
pub(in crate::cli) fn pid(config: &Config) -> Option<u32> {
    let inspection = connect(config)?.inspect().ok()?;
    (inspection.state != ClusterState::Stopping).then_some(inspection.pid)
}
