//! Kernel dispatch against the kernel alone: sockets of their own between which the kernel chooses by a hash, and one that all share. The
//! program is the same each time; what differs is who chooses.

use crate::Result;
use crate::bench::figures::stats::{Figures, median, ratio, typical};
use crate::bench::figures::table::{Table, at_least, at_most, judged};
use crate::bench::load::client::{Connection, Load, Pace, Task, Work};
use crate::bench::load::{engine, probe};
use crate::bench::runs::{closed, interleave, warm_up};
use crate::bench::servers::{Bench, Program, Server, kill};
use std::time::Duration;

const NAMES: [&str; 3] = ["clustermon, kernel", "plain reuseport", "one shared socket"];
const STALL: Duration = Duration::from_secs(2);
const BEFORE: Duration = Duration::from_millis(500);
/// Requests a second: so few that three of the workers can do them.
const RATE: f64 = 400.0;

/// Ours, and both rivals.
fn servers(bench: &Bench, workers: usize, options: &[&str], program: &Program) -> Result<[Server; 3]> {
    let options = [&["--dispatch", "kernel"], options].concat();
    Ok([
        bench.cluster(workers, &options, program)?,
        bench.alone(workers, &program.clone().with_env("REUSEPORT=1"))?,
        bench.alone(workers, program)?,
    ])
}

fn table(title: &str, runs: &[Vec<Figures>; 3]) -> String {
    let mut table = Table::of_figures(title);
    for (name, runs) in NAMES.iter().zip(runs) {
        table.figures(name, &typical(runs));
    }
    table.render() + "\n"
}

pub(in crate::bench) fn run(bench: &Bench) -> Result<String> {
    Ok(rate(bench)? + "\n" + &tails(bench)? + "\n" + &stop(bench)?)
}

/// Connection per request: what steering costs.
fn rate(bench: &Bench) -> Result<String> {
    let servers = servers(bench, 2, &[], &bench.c("epoll_server")?)?;
    let loads = servers.each_ref().map(|server| closed(bench, server, 64, Connection::Fresh));
    let runs = interleave(bench, loads, warm_up(bench))?;
    let [ours, reuseport, shared] = &runs;
    Ok(table("64 clients, 2 workers", &runs)
        + &at_least("rate, ours / plain reuseport", ratio(ours, reuseport, |run| run.rate), 1.0)
        + &judged("rate, ours / shared socket", ratio(ours, shared, |run| run.rate), None))
}

/// Heavy-tailed work, in workers that block on one connection: who waits behind a slow request.
fn tails(bench: &Bench) -> Result<String> {
    let program = bench.c("work_server")?;
    let mut text = String::new();
    for workers in [2, 8] {
        let servers = servers(bench, workers, &[], &program)?;
        for clients in [16, 64] {
            let loads = servers.each_ref().map(|server| Load {
                server: server.addr,
                pid: server.pid(),
                pace: Pace::Closed { clients },
                connection: Connection::Fresh,
                work: Work::HeavyTailed { seed: 0, task: Task::Sleep },
                // A rate of some hundred a second needs longer for a p99.
                duration: bench.seconds * 2,
            });
            let runs = interleave(bench, loads, Duration::from_millis(200))?;
            let [ours, reuseport, shared] = &runs;
            let p99 = |one, other| ratio(one, other, |run| run.p99.as_secs_f64());
            let deviation = |one, other| ratio(one, other, |run| run.deviation.as_secs_f64());
            text += &table(&format!("{clients} clients, {workers} workers"), &runs);
            text += &judged("p99, ours / shared socket", p99(ours, shared), None);
            text += &judged("p99, plain reuseport / shared socket", p99(reuseport, shared), None);
            text += &judged("deviation, ours / shared socket", deviation(ours, shared), None);
            text += &judged("deviation, plain reuseport / shared socket", deviation(reuseport, shared), None);
            text.push('\n');
        }
    }
    Ok(text)
}

/// One of four workers is stopped for a while: how long clients wait, and who fails.
fn stop(bench: &Bench) -> Result<String> {
    let servers = servers(bench, 4, &["--lag-limit", "50ms"], &bench.c("epoll_server")?)?;
    let (mut figures, mut waits) = ([const { Vec::new() }; 3], [const { Vec::new() }; 3]);
    for _ in 0..bench.runs {
        for (at, server) in servers.iter().enumerate() {
            let run = stopped(bench, server)?;
            waits[at].push(run.max.as_secs_f64() * 1e3);
            figures[at].push(run);
        }
    }
    let failed = figures[0].iter().map(|run| run.failed).sum::<usize>();
    Ok(table("one of 4 is stopped for 2 s", &figures)
        + &at_most("longest wait, ours", median(waits[0].clone()), 300.0, "ms")
        + &at_most("failed, ours", failed as f64, 0.0, "requests"))
}

fn stopped(bench: &Bench, server: &Server) -> Result<Figures> {
    let (pace, connection) = (Pace::Open { rate: RATE }, Connection::Fresh);
    let duration = bench.seconds.max(BEFORE + STALL + BEFORE);
    let load = Load { server: server.addr, pid: server.pid(), pace, connection, work: Work::Plain, duration };
    let victim = probe::ask(server.addr, Duration::from_secs(10))?;
    std::thread::scope(|scope| {
        scope.spawn(|| {
            std::thread::sleep(BEFORE);
            kill(victim as i32, libc::SIGSTOP);
            std::thread::sleep(STALL);
            kill(victim as i32, libc::SIGCONT);
        });
        Ok(engine::run(&load)?.figures())
    })
}
