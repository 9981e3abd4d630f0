//! Events: prints what happens, one line each. `cargo run --example events -- node server.js`

use clustermon::Cluster;
use clustermon::api::Event;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let cluster = Cluster::builder(std::env::args_os().skip(1)).workers(2).handle_signals(true).start()?;
    // The channel ends with the cluster.
    for event in cluster.events() {
        match event {
            Event::Worker { id, state, pid, cause, .. } => {
                say(&format!("worker {id}: {state:?}, pid {pid:?}, {}", cause.unwrap_or_default()));
            }
            Event::LoadBalancer { address, state, .. } => say(&format!("{address}: {state:?}")),
            Event::Rotation { id, in_rotation, cause, .. } => {
                say(&format!("worker {id}: in rotation: {in_rotation}, {cause}"));
            }
            Event::Standby { outcome } => {
                say(&format!("at rest: {outcome}"));
                break;
            }
            // More kinds may come.
            _ => {}
        }
    }
    std::process::exit(cluster.wait()?.code().into());
}

#[expect(clippy::print_stdout, reason = "an example talks to who runs it")]
fn say(text: &str) {
    println!("{text}");
}
