//! Heavy-tailed work: what the window, the number of connections that may wait at one worker, does to those that
//! wait behind a slow one. The default window is chosen by these figures.

use super::window::{self, WINDOWS, WORKERS};
use crate::Result;
use crate::bench::figures::stats::{Figures, ratio, typical};
use crate::bench::figures::table::{Table, ms};
use crate::bench::load::client::{Connection, Load, Pace, Task, Work};
use crate::bench::runs::interleave;
use crate::bench::servers::{Bench, Server};
use std::time::Duration;

pub(super) const CLIENTS: usize = 16;
/// Nine times 1 ms and once 40 ms.
const MEAN_WORK: Duration = Duration::from_micros(4_900);
/// Of what the workers can do if none ever waits.
pub(super) const OPEN_LOAD: f64 = 0.8;

pub(in crate::bench) fn run(bench: &Bench) -> Result<String> {
    let program = bench.c("work_server")?;
    let servers = window::servers(bench, &program)?;
    let rate = OPEN_LOAD * WORKERS as f64 / MEAN_WORK.as_secs_f64();
    let closed = measure(bench, &servers, Pace::Closed { clients: CLIENTS })?;
    let open = measure(bench, &servers, Pace::Open { rate })?;
    let closed = table(&format!("closed, {CLIENTS} clients"), &closed);
    let open = table(&format!("open, {rate:.0}/s = {:.0} %", OPEN_LOAD * 100.0), &open);
    Ok(format!(
        "{closed}\n{open}\nshared / ours: above 1, the hand-off is better than the shared socket in the same run.\n"
    ))
}

fn measure<const N: usize>(bench: &Bench, servers: &[Server; N], pace: Pace) -> Result<[Vec<Figures>; N]> {
    // A rate of some hundred a second needs longer for a p99.
    let duration = bench.seconds * 2;
    let (connection, work) = (Connection::Fresh, Work::HeavyTailed { seed: 0, task: Task::Sleep });
    let loads = servers.each_ref().map(|server| Load {
        server: server.addr,
        pid: server.pid(),
        pace,
        connection,
        work,
        duration,
    });
    interleave(bench, loads, Duration::from_millis(200))
}

fn table<const N: usize>(name: &str, figures: &[Vec<Figures>; N]) -> String {
    let head = [name, "rate/s", "p50 ms", "p99 ms", "max ms", "deviation ms", "failed"];
    let mut table = Table::new(&[&head[..], &["p99 shared / ours", "deviation shared / ours"]].concat());
    let shared = &figures[N - 1];
    for (at, runs) in figures.iter().enumerate() {
        let name = WINDOWS.get(at).map_or("shared socket".to_owned(), |window| format!("window {window}"));
        let typical = typical(runs);
        let times = [typical.p50, typical.p99, typical.max, typical.deviation].map(ms);
        let against = |figure| format!("{:.3}", ratio(shared, runs, figure).median);
        let p99 = against(|run| run.p99.as_secs_f64());
        let deviation = against(|run| run.deviation.as_secs_f64());
        let cells = [name, format!("{:.0}", typical.rate)].into_iter().chain(times);
        table.row(cells.chain([typical.failed.to_string(), p99, deviation]));
    }
    table.render()
}
