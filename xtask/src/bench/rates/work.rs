//! Heavy-tailed work on the processor, in workers that serve one connection at a time: what a connection that was given
//! to one worker costs against one that any may take. `tail` shows the same for work that sleeps, by window.

use super::tail::{CLIENTS, OPEN_LOAD};
use crate::Result;
use crate::bench::figures::stats::{Figures, ratio};
use crate::bench::figures::table::at_least;
use crate::bench::load::client::{Connection, Load, Pace, Task, Work};
use crate::bench::load::engine;
use crate::bench::runs::both;
use crate::bench::servers::{Bench, Server};
use std::time::Duration;

const WORKERS: usize = 2;
const CLOSED: Pace = Pace::Closed { clients: CLIENTS };

pub(in crate::bench) fn run(bench: &Bench) -> Result<String> {
    let program = bench.c("work_server")?;
    let servers = [bench.cluster(WORKERS, &[], &program)?, bench.alone(WORKERS, &program)?];
    for server in &servers {
        engine::run(&Load { duration: Duration::from_millis(200), ..load(bench, server, CLOSED, 0) })?;
    }
    let (mut closed, mut open) = ([const { Vec::new() }; 2], [const { Vec::new() }; 2]);
    for turn in 0..bench.runs as u64 {
        for (runs, server) in closed.iter_mut().zip(&servers) {
            runs.push(engine::run(&load(bench, server, CLOSED, turn))?.figures());
        }
        // What the machine can do beside the client, as the rival has just shown.
        let capacity = closed[1].last().map_or(0.0, |run| run.rate);
        let pace = Pace::Open { rate: OPEN_LOAD * capacity };
        for (runs, server) in open.iter_mut().zip(&servers) {
            runs.push(engine::run(&load(bench, server, pace, turn))?.figures());
        }
    }
    let closed = text(&format!("closed, {CLIENTS} clients"), &closed);
    let open = text(&format!("open, {:.0} % of what the rival has just done", OPEN_LOAD * 100.0), &open);
    Ok(closed + "\n" + &open)
}

fn load(bench: &Bench, server: &Server, pace: Pace, seed: u64) -> Load {
    // A rate of some hundred a second needs longer for a p99.
    let duration = bench.seconds * 2;
    let (connection, work) = (Connection::Fresh, Work::HeavyTailed { seed, task: Task::Burn });
    Load { server: server.addr, pid: server.pid(), pace, connection, work, duration }
}

fn text(title: &str, [ours, rival]: &[Vec<Figures>; 2]) -> String {
    let p99 = ratio(rival, ours, |run| run.p99.as_secs_f64());
    let deviation = ratio(rival, ours, |run| run.deviation.as_secs_f64());
    let table = both(ours, ["clustermon", "shared socket"], rival);
    let verdicts =
        at_least("p99, rival / ours", p99, 1.05) + &at_least("deviation, rival / ours", deviation, 1.2);
    format!("{title}\n\n{table}{verdicts}")
}
