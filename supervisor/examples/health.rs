//! Health verdicts: a worker that holds more than 700 MB, or has been busy for 2 s, is restarted. `cargo run --example health -- node server.js`

use clustermon::Cluster;
use std::time::Duration;

/// In bytes.
const MOST_MEMORY: u64 = 700 << 20;
const LONGEST_LAG: u64 = 2_000;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let cluster = Cluster::builder(std::env::args_os().skip(1))
        .workers(2)
        .handle_signals(true)
        .pulse(Duration::from_millis(500))
        // It runs on the thread of the cluster: what takes long belongs elsewhere.
        .on_health(|id, health| {
            let is_well = health.rss <= MOST_MEMORY && health.lag_ms <= LONGEST_LAG;
            if !is_well {
                say(&format!(
                    "worker {id} is restarted: {} MB, busy for {} ms",
                    health.rss >> 20,
                    health.lag_ms
                ));
            }
            is_well
        })
        .start()?;
    std::process::exit(cluster.wait()?.code().into());
}

#[expect(clippy::print_stdout, reason = "an example talks to who runs it")]
fn say(text: &str) {
    println!("{text}");
}
