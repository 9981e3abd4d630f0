//! The hand-off's rate by the window: how many connections may wait in one lane. `tail` shows what the same windows do to
//! requests of uneven length; the default is chosen from both.

use crate::Result;
use crate::bench::figures::stats::{ratio, typical};
use crate::bench::figures::table::Table;
use crate::bench::load::client::{Connection, Load, Pace, Work};
use crate::bench::runs::interleave;
use crate::bench::servers::{Bench, Program, Server};
use std::time::Duration;

pub(super) const WINDOWS: [&str; 4] = ["1", "2", "4", "8"];
pub(in crate::bench) const WORKERS: usize = 2;
const CLIENTS: usize = 64;

/// A cluster of the program for each window, and the shared socket.
pub(in crate::bench) fn servers(bench: &Bench, program: &Program) -> Result<[Server; WINDOWS.len() + 1]> {
    let cluster = |window| bench.cluster(WORKERS, &["--dispatch", "handoff", "--window", window], program);
    let [one, two, four, eight] = WINDOWS.map(cluster);
    Ok([one?, two?, four?, eight?, bench.alone(WORKERS, program)?])
}

pub(in crate::bench) fn run(bench: &Bench) -> Result<String> {
    let servers = servers(bench, &bench.c("epoll_server")?)?;
    let loads = servers.each_ref().map(|server| Load {
        server: server.addr,
        pid: server.pid(),
        pace: Pace::Closed { clients: CLIENTS },
        connection: Connection::Fresh,
        work: Work::Plain,
        duration: bench.seconds,
    });
    let runs = interleave(bench, loads, bench.seconds.min(Duration::from_millis(500)))?;
    let mut table = Table::of_figures("window");
    for (window, figures) in WINDOWS.iter().chain(&["shared socket"]).zip(&runs) {
        table.figures(window, &typical(figures));
    }
    let mut text = table.render() + "\n";
    let shared = &runs[WINDOWS.len()];
    for (window, figures) in WINDOWS.iter().zip(&runs) {
        let rate = ratio(figures, shared, |run| run.rate).median;
        let p99 = ratio(shared, figures, |run| run.p99.as_secs_f64()).median;
        text += &format!("window {window}: rate, ours / shared: {rate:.3}; p99, shared / ours: {p99:.3}\n");
    }
    Ok(text)
}
