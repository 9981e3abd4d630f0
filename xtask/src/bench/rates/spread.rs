//! How evenly connections come to workers where none of them is ever idle, and where more come at once than they take. Who has
//! answered is read from the answers.

use crate::Result;
use crate::bench::figures::stats::{Figures, median, spread, typical};
use crate::bench::figures::table::{Table, at_most};
use crate::bench::load::client::{Connection, Load, Pace, Work};
use crate::bench::load::crowd::raise_descriptors;
use crate::bench::load::engine;
use crate::bench::servers::{Bench, Program, Server};
use std::time::Duration;

const CLIENTS: usize = 64;
const SATURATED: Duration = Duration::from_secs(10);
const AT_ONCE: usize = 10_000;
/// Beyond the connections: logs, lanes, what the client itself has open.
const SPARE: u64 = 500;
const GOAL: f64 = 1.1;

pub(in crate::bench) fn run(bench: &Bench) -> Result<String> {
    let limit = raise_descriptors();
    let program = bench.c("epoll_server")?;
    let mut table = Table::new(&["load", "server", "rate/s", "CPU us", "most / least", "failed"]);
    let mut verdicts = String::new();
    for workers in [2, 4] {
        let load = (Pace::Closed { clients: CLIENTS }, Connection::Fresh, SATURATED);
        verdicts += &row(bench, &program, workers, load, &format!("{CLIENTS} clients"), &mut table)?;
    }
    if AT_ONCE as u64 + SPARE > limit {
        return Ok(table.render()
            + "\n"
            + &verdicts
            + &format!("{AT_ONCE} at once: skipped: {limit} descriptors\n"));
    }
    for workers in [2, 4] {
        // The time is over at once: there is one burst, and all of it is answered on connections that stay open.
        let burst = Pace::Bursts { clients: AT_ONCE, pause: SATURATED };
        let load = (burst, Connection::Kept, Duration::from_millis(1));
        verdicts += &row(bench, &program, workers, load, &format!("{AT_ONCE} at once"), &mut table)?;
    }
    Ok(table.render() + "\n" + &verdicts)
}

fn row(
    bench: &Bench,
    program: &Program,
    workers: usize,
    (pace, connection, duration): (Pace, Connection, Duration),
    name: &str,
    table: &mut Table,
) -> Result<String> {
    let servers = [bench.cluster(workers, &[], program)?, bench.alone(workers, program)?];
    let load = |server: &Server| Load {
        server: server.addr,
        pid: server.pid(),
        pace,
        connection,
        work: Work::Plain,
        duration,
    };
    let (mut runs, mut spreads) = ([const { Vec::<Figures>::new() }; 2], [const { Vec::new() }; 2]);
    for _ in 0..bench.runs {
        for (at, server) in servers.iter().enumerate() {
            let sample = engine::run_by_process(&load(server))?;
            spreads[at].push(spread(&sample.by_process, workers));
            runs[at].push(sample.figures());
        }
    }
    for (at, server) in ["clustermon", "shared socket"].into_iter().enumerate() {
        let all = typical(&runs[at]);
        // A burst has no rate: its time is over at once.
        let rate = if connection == Connection::Fresh { format!("{:.0}", all.rate) } else { "-".to_owned() };
        table.row([
            format!("{name}, {workers} workers"),
            server.to_owned(),
            rate,
            format!("{:.1}", all.spent.as_secs_f64() * 1e6),
            format!("{:.3}", median(spreads[at].clone())),
            all.failed.to_string(),
        ]);
    }
    let what = format!("most / least, {name}, {workers} workers");
    Ok(at_most(&what, median(spreads[0].clone()), GOAL, "times"))
}
