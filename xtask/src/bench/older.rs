//! What the supervisor spends on a connection, against another build of it that runs by turns: figures of different runs are never
//! compared.

use super::figures::processor;
use super::figures::stats::{Figures, median, typical};
use super::figures::table::{Table, at_most};
use super::load::client::{Connection, Load};
use super::load::engine;
use super::runs::{closed, warm_up};
use super::servers::Bench;
use crate::Result;
use std::time::Duration;

const WORKERS: usize = 2;
/// Clients, and what the share of the other build's supervisor may be.
const ROWS: [(usize, Option<f64>); 2] = [(64, Some(0.15)), (1, None)];

pub(super) fn run(bench: &Bench) -> Result<String> {
    let program = bench.c("epoll_server")?;
    let Some(older) = bench.older_cluster(WORKERS, &program)? else {
        return Ok("skipped: no other build was named by --against\n".to_owned());
    };
    let servers = [bench.cluster(WORKERS, &[], &program)?, older];
    let mut table =
        Table::new(&["clients", "build", "rate/s", "CPU us, all", "CPU us, supervisor", "failed"]);
    let mut verdicts = String::new();
    for (clients, goal) in ROWS {
        let loads = servers.each_ref().map(|server| closed(bench, server, clients, Connection::Fresh));
        for load in loads {
            engine::run(&Load { duration: warm_up(bench), ..load })?;
        }
        let (mut figures, mut spent) = ([const { Vec::new() }; 2], [const { Vec::new() }; 2]);
        for _ in 0..bench.runs {
            for (at, load) in loads.iter().enumerate() {
                let (run, supervisor) = one(load)?;
                figures[at].push(run);
                spent[at].push(supervisor.as_secs_f64() * 1e6);
            }
        }
        for (at, build) in ["this", "the other"].into_iter().enumerate() {
            let all = typical(&figures[at]);
            table.row([
                clients.to_string(),
                build.to_owned(),
                format!("{:.0}", all.rate),
                format!("{:.1}", all.spent.as_secs_f64() * 1e6),
                format!("{:.2}", median(spent[at].clone())),
                all.failed.to_string(),
            ]);
        }
        let shares = spent[0].iter().zip(&spent[1]).map(|(ours, other)| ours / other).collect();
        let what = format!("supervisor CPU, {clients} clients, this build");
        let share = median(shares);
        verdicts += &match goal {
            Some(goal) => at_most(&what, share, goal, "of the other's"),
            None => format!("{what}: {share:.2} of the other's\n"),
        };
    }
    Ok(table.render() + "\n" + &verdicts)
}

/// A run, and what the first process spent on each connection of it.
fn one(load: &Load) -> Result<(Figures, Duration)> {
    let before = processor::of_process(load.pid)?;
    let sample = engine::run(load)?;
    let spent = processor::of_process(load.pid)?.saturating_sub(before);
    let connections = u32::try_from(sample.latencies.len())?;
    let each = spent.checked_div(connections).ok_or("no connection was answered")?;
    Ok((sample.figures(), each))
}
