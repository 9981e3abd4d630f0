//! Reload: gives every worker a new process as often as a line is read from stdin. `cargo run --example reload -- node server.js`

use clustermon::Cluster;
use std::io::BufRead;
use std::time::Duration;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let cluster = Cluster::builder(std::env::args_os().skip(1))
        .workers(2)
        .min_healthy_time(Duration::from_millis(200))
        .start()?;
    for _ in std::io::stdin().lock().lines() {
        match cluster.reload(Some(Duration::from_secs(60))) {
            Ok(()) => say("every worker has a new process"),
            // The old processes go on.
            Err(failure) => say(&format!("not reloaded: {failure}")),
        }
    }
    cluster.stop();
    std::process::exit(cluster.wait()?.code().into());
}

#[expect(clippy::print_stdout, reason = "an example talks to who runs it")]
fn say(text: &str) {
    println!("{text}");
}
