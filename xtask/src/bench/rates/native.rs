//! Kernel dispatch against programs that use several processors by themselves: nginx with `reuseport`, and a Go server with as many threads as
//! there are workers.

use crate::Result;
use crate::bench::figures::stats::{Figures, ratio, typical};
use crate::bench::figures::table::{Table, at_least, judged};
use crate::bench::load::client::Connection;
use crate::bench::runs::{closed, interleave, warm_up};
use crate::bench::servers::{Bench, Server};

const WORKERS: usize = 2;
const CLIENTS: usize = 64;

pub(in crate::bench) fn run(bench: &Bench) -> Result<String> {
    Ok(nginx(bench)? + "\n" + &go(bench)?)
}

/// The same tiny answer by nginx, whose workers each have a socket of their own. It is another program: what it shows is where we are.
fn nginx(bench: &Bench) -> Result<String> {
    let Some(nginx) = bench.nginx()? else { return Ok("nginx: skipped: no nginx\n".into()) };
    let ours = bench.cluster(WORKERS, &["--dispatch", "kernel"], &bench.c("epoll_server")?)?;
    let theirs = bench.alone(WORKERS, &nginx)?;
    let runs = measure(bench, [&ours, &theirs])?;
    let [ours, theirs] = &runs;
    Ok(table(["clustermon, kernel", "nginx, reuseport"], &runs)
        + &judged("rate, ours / nginx", ratio(ours, theirs, |run| run.rate), None))
}

/// A Go server of two workers with one thread each, against itself with two.
fn go(bench: &Bench) -> Result<String> {
    let Some(program) = bench.go()? else { return Ok("Go: skipped: no go\n".into()) };
    // What is started is `env`, by which nobody can tell that the filter is needed.
    let options = ["--intercept", "seccomp"];
    let ours = bench.cluster(WORKERS, &options, &program.clone().with_env("GOMAXPROCS=1"))?;
    let theirs = bench.alone(1, &program.with_env("GOMAXPROCS=2"))?;
    let runs = measure(bench, [&ours, &theirs])?;
    let [ours, theirs] = &runs;
    Ok(table(["clustermon, kernel", "itself, GOMAXPROCS=2"], &runs)
        + &at_least("rate, ours / alone", ratio(ours, theirs, |run| run.rate), 1.0)
        + &judged("CPU, alone / ours", ratio(theirs, ours, |run| run.spent.as_secs_f64()), None))
}

fn measure(bench: &Bench, servers: [&Server; 2]) -> Result<[Vec<Figures>; 2]> {
    interleave(bench, servers.map(|server| closed(bench, server, CLIENTS, Connection::Fresh)), warm_up(bench))
}

fn table(names: [&str; 2], runs: &[Vec<Figures>; 2]) -> String {
    let mut table = Table::of_figures(&format!("{CLIENTS} clients, {WORKERS} workers"));
    for (name, runs) in names.iter().zip(runs) {
        table.figures(name, &typical(runs));
    }
    table.render() + "\n"
}
