//! One worker hangs while requests keep coming: how long the others' clients wait for it. Every server is the same
//! program; what differs is how a connection finds its worker.

use crate::Result;
use crate::bench::figures::stats::{Figures, median, ratio, typical};
use crate::bench::figures::table::{Table, at_least, at_most};
use crate::bench::load::client::{Connection, Load, Pace, Work};
use crate::bench::load::{engine, probe};
use crate::bench::servers::{Bench, Server};
use std::time::Duration;

const WORKERS: usize = 4;
const STALL: Duration = Duration::from_secs(2);
/// From the beginning of the load to that of the stall.
const BEFORE: Duration = Duration::from_millis(500);
/// Requests a second: so few that three of the workers can do them.
const RATE: f64 = 400.0;

pub(in crate::bench) fn run(bench: &Bench) -> Result<String> {
    let (Some(server), Some(own)) = (bench.node("server.js"), bench.node("cluster.js")) else {
        return Ok("skipped: no node\n".to_owned());
    };
    let servers = [
        ("clustermon", bench.cluster(WORKERS, &[], &server)?),
        ("node:cluster", bench.alone(WORKERS, &own)?),
        ("shared socket", bench.alone(WORKERS, &own.with("shared"))?),
    ];
    for (_, server) in &servers {
        // Until the compiler of Node has done its work.
        engine::run(&load(server, Duration::from_secs(1)))?;
    }
    let (mut figures, mut waits) = ([const { Vec::new() }; 3], [const { Vec::new() }; 3]);
    for _ in 0..bench.runs {
        for (at, (_, server)) in servers.iter().enumerate() {
            let (run, longest) = stalled(bench, server)?;
            figures[at].push(run);
            waits[at].push(longest.as_secs_f64() * 1e3);
        }
    }
    let mut table = Table::of_figures("server");
    for (runs, (name, _)) in figures.iter().zip(&servers) {
        table.figures(name, &typical(runs));
    }
    let [ours, cluster, shared] = &figures;
    let p99 = |rival| ratio(rival, ours, |run| run.p99.as_secs_f64());
    let max = |rival| ratio(rival, ours, |run| run.max.as_secs_f64());
    // What the one that hangs had accepted before waits for it, whoever gave it.
    let longest = waits.iter().zip(&servers).map(|(waits, (name, _))| {
        let most = waits.iter().copied().fold(0.0, f64::max);
        format!(
            "longest wait for one of the others, {name}: {:.1} ms, at most {most:.1} ms\n",
            median(waits.clone())
        )
    });
    let longest: String = longest.collect();
    let failed = ours.iter().map(|run| run.failed).sum::<usize>();
    Ok(table.render()
        + "\n"
        + &at_least("p99, node:cluster / ours", p99(cluster), 1.0)
        + &at_least("p99, shared socket / ours", p99(shared), 1.0)
        + &at_least("max, node:cluster / ours", max(cluster), 1.0)
        + &at_least("max, shared socket / ours", max(shared), 1.0)
        + &longest
        + &at_most("longest wait for one of the others, ours", median(waits[0].clone()), 20.0, "ms")
        + &at_most("failed, ours", failed as f64, 0.0, "requests"))
}

/// The load, in the midst of which some worker hangs, and the longest wait of a client whom another one answered. The request that
/// makes it hang is not counted.
fn stalled(bench: &Bench, server: &Server) -> Result<(Figures, Duration)> {
    let load = load(server, bench.seconds.max(BEFORE + STALL + BEFORE));
    let (sample, hung) = std::thread::scope(|scope| {
        let hanging = scope.spawn(|| {
            std::thread::sleep(BEFORE);
            probe::burn(load.server, STALL).map_err(|error| error.to_string())
        });
        let sample = engine::run_by_process(&load);
        let hung = hanging.join().map_err(|_| "the thread that makes a worker hang has panicked")??;
        Ok::<_, crate::Error>((sample?, hung))
    })?;
    let others = sample.by_process.iter().filter(|(pid, _)| **pid != hung);
    let longest = others.map(|(_, share)| share.slowest).max().unwrap_or_default();
    Ok((sample.figures(), longest))
}

fn load(server: &Server, duration: Duration) -> Load {
    let (pace, connection) = (Pace::Open { rate: RATE }, Connection::Fresh);
    Load { server: server.addr, pid: server.pid(), pace, connection, work: Work::Plain, duration }
}
