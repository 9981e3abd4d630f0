//! Before `clustermon run`: a cluster of the same name that is stopping is waited for, so that the new one gets the name and
//! the addresses. Of one that runs nothing is asked.

use crate::api::ClusterState;
use crate::cli::connection::client::Client;
use crate::cli::connection::target;
use crate::config::{Config, Control};
use std::path::PathBuf;
use std::time::Duration;

/// The longest wait; what follows is as with one that runs.
const LONGEST: Duration = Duration::from_secs(60);

/// Waits until the place where this cluster's control socket is to be is free, if its holder is stopping; `say` is told so.
pub(in crate::cli) fn wait(config: &Config, say: impl Fn(String)) {
    let places: Vec<PathBuf> = match &config.control {
        Control::Off => return,
        Control::At(path) => vec![path.clone()],
        Control::ByName => {
            let file = format!("{}.sock", config.name);
            target::directories().into_iter().map(|directory| directory.join(&file)).collect()
        }
    };
    // Who cannot be asked is no reason to wait, and is told of when the socket is opened.
    let Some(mut client) = places.iter().find_map(|place| Client::connect(place).ok()) else { return };
    let Ok(holder) = client.inspect() else { return };
    if holder.state != ClusterState::Stopping {
        return;
    }
    let (name, pid) = (&holder.name, holder.pid);
    say(format!("{name}: process {pid} is stopping; waiting for its end, {} s at most", LONGEST.as_secs()));
    if !client.wait_for_end(LONGEST) {
        say(format!("{name}: process {pid} has not ended within {} s", LONGEST.as_secs()));
    }
}
