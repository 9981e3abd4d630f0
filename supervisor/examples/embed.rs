//! A program of one's own that runs a cluster: `cargo run --example embed -- node server.js`.

use clustermon::api::Event;
use clustermon::{Cluster, Environment};
use std::time::Duration;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let command: Vec<_> = std::env::args_os().skip(1).collect();
    let cluster = Cluster::builder(command)
        .workers(2)
        .stop_timeout(Duration::from_secs(5))
        // The process is ours: SIGINT and SIGTERM stop the cluster.
        .handle_signals(true)
        .environment(|id| Environment::Inherited(vec![("SHARD".into(), format!("shard-{id}").into())]))
        .on_start(|cluster| say(&format!("started {} workers", cluster.count_workers())))
        .start()?;

    let events = cluster.events();
    std::thread::spawn(move || {
        for event in events {
            if let Event::Worker { id, state, pid, cause, .. } = event {
                say(&format!("worker {id}: {state:?}, pid {pid:?}, {}", cause.unwrap_or_default()));
            }
        }
    });

    let report = cluster.wait()?;
    say(&format!("at rest: {:?}", report.outcome));
    std::process::exit(report.code().into());
}

#[expect(clippy::print_stdout, reason = "an example talks to who runs it")]
fn say(text: &str) {
    println!("{text}");
}
