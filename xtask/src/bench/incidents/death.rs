//! How soon a worker that was killed is replaced: seen in /proc, and seen by a client.

use crate::Result;
use crate::bench::figures::stats::median;
use crate::bench::figures::table::{Table, at_most};
use crate::bench::load::probe::{ask, ready, until};
use crate::bench::servers::{Bench, Server, kill};
use std::time::{Duration, Instant};

const WORKERS: usize = 2;
const KILLS_PER_RUN: usize = 5;
const PATIENCE: Duration = Duration::from_secs(10);

pub(in crate::bench) fn run(bench: &Bench) -> Result<String> {
    // A worker counts as settled at once: what is measured is the replacement and not the back-off.
    let server = bench.cluster(WORKERS, &["--min-uptime", "1ms"], &bench.c("epoll_server")?)?;
    let mut spawned = Vec::new();
    let mut served = Vec::new();
    for _ in 0..bench.runs * KILLS_PER_RUN {
        let times = one_kill(&server)?;
        spawned.push(times.0.as_secs_f64() * 1e3);
        served.push(times.1.as_secs_f64() * 1e3);
    }
    let mut table = Table::new(&["from kill -9 until", "median ms", "max ms", "kills"]);
    for (name, times) in
        [("the replacement is a process", &spawned), ("the replacement has answered", &served)]
    {
        let most = times.iter().copied().fold(0.0, f64::max);
        table.row([
            name.to_owned(),
            format!("{:.3}", median(times.clone())),
            format!("{most:.3}"),
            times.len().to_string(),
        ]);
    }
    Ok(table.render() + "\n" + &at_most("death to spawn, median", median(spawned), 5.0, "ms"))
}

/// From the kill to the new process, and to its first answer.
fn one_kill(server: &Server) -> Result<(Duration, Duration)> {
    let workers = ready(server.addr, WORKERS, PATIENCE)?;
    let before = server.children();
    let victim = workers.iter().copied().min().ok_or("no worker")?;
    let begun = Instant::now();
    kill(victim as i32, libc::SIGKILL);
    let mut spawned = None;
    // Not without a pause: who reads the list of children holds up who makes one.
    until(PATIENCE, || {
        let is_new = server.children().difference(&before).next().is_some();
        spawned = is_new.then(|| begun.elapsed());
        is_new
    });
    let spawned = spawned.ok_or_else(|| format!("worker {victim} was not replaced within {PATIENCE:?}"))?;
    loop {
        // A connection that fails was in the hands of the one that died.
        if ask(server.addr, PATIENCE).is_ok_and(|pid| !workers.contains(&pid)) {
            return Ok((spawned, begun.elapsed()));
        }
        if begun.elapsed() > PATIENCE {
            return Err(format!("the replacement of {victim} did not answer within {PATIENCE:?}").into());
        }
    }
}
