//! Many workers: whether they slow each other down, and whether all of them serve.

use crate::Result;
use crate::bench::figures::stats::ratio;
use crate::bench::figures::table::at_least;
use crate::bench::load::client::Connection;
use crate::bench::load::engine;
use crate::bench::runs::{both, closed, interleave, warm_up};
use crate::bench::servers::Bench;

const CLIENTS: usize = 64;
const FEW: usize = 2;
const MANY: usize = 64;
const MOST: usize = 256;

pub(in crate::bench) fn run(bench: &Bench) -> Result<String> {
    let program = bench.c("epoll_server")?;
    let servers = [bench.cluster(MANY, &[], &program)?, bench.cluster(FEW, &[], &program)?];
    let loads = servers.each_ref().map(|server| closed(bench, server, CLIENTS, Connection::Fresh));
    let [many, few] = interleave(bench, loads, warm_up(bench))?;
    let names = [format!("{MANY} workers"), format!("{FEW} workers")];
    let mut text = both(&many, names.each_ref().map(String::as_str), &few);
    text += &at_least(&format!("rate, {MANY} / {FEW} workers"), ratio(&many, &few, |run| run.rate), 0.9);
    drop(servers);
    // It is up once each of them has answered.
    let server = bench.cluster(MOST, &[], &program)?;
    let sample = engine::run_by_process(&closed(bench, &server, CLIENTS, Connection::Fresh))?;
    let serving = sample.by_process.len();
    let verdict = if serving == MOST { "ok" } else { "BELOW" };
    let figures = sample.figures();
    text += &format!(
        "{MOST} workers: {serving} of them serve, {:.0} requests/s, {:.1} us of processor time each, {} failed: {verdict}\n",
        figures.rate,
        figures.spent.as_secs_f64() * 1e6,
        figures.failed,
    );
    Ok(text)
}
