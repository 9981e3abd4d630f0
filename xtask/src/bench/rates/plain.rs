//! Rates and latencies against a rival that runs beside: credit and hand-off against a shared socket, against what servers have of
//! their own, and with the thunk against without.

use crate::Result;
use crate::bench::figures::stats::{Figures, median, ratio};
use crate::bench::figures::table::{at_least, at_most, judged};
use crate::bench::load::client::Connection;
use crate::bench::runs::{both, closed, interleave, warm_up};
use crate::bench::servers::{Bench, Program, Server};
use std::time::Duration;

const CLIENTS: usize = 64;
const WORKERS: usize = 2;

pub(in crate::bench) fn handoff(bench: &Bench) -> Result<String> {
    let [ours, rival] = against_shared_socket(bench, CLIENTS)?;
    let mut text = both(&ours, ["clustermon", "shared socket"], &rival);
    text += &at_least("rate, ours / rival", ratio(&ours, &rival, |run| run.rate), 1.0);
    text += &at_least("p99, rival / ours", ratio(&rival, &ours, |run| run.p99.as_secs_f64()), 1.0);
    Ok(text)
}

/// What is asked of a pair, ours over theirs for the rate and theirs over ours for the rest; what is `None` is only shown.
#[derive(Clone, Copy, Debug)]
struct Goals {
    rate: f64,
    p99: Option<f64>,
    cpu: Option<f64>,
}

impl Goals {
    const fn rate(rate: f64) -> Self {
        Self { rate, p99: None, cpu: None }
    }
}

/// Workers that accept by themselves against the same program on one socket, at many clients and at one.
pub(in crate::bench) fn credit(bench: &Bench) -> Result<String> {
    let program = bench.c("epoll_server")?;
    let credit = bench.cluster(WORKERS, &["--dispatch", "credit"], &program)?;
    let shared = bench.alone(WORKERS, &program)?;
    let servers = [&credit, &shared];
    let goals = Goals { rate: 1.05, p99: Some(0.9), cpu: Some(1.0) };
    let (many, _) = against(bench, servers, CLIENTS, "shared socket", goals)?;
    let (one, [ours, rival]) = against(bench, servers, 1, "shared socket", Goals::rate(0.92))?;
    Ok(many + "\n" + &one + &at_most("added latency, p50", added(&ours, &rival), 8.0, "us"))
}

/// Servers that can fork by themselves, each against itself.
pub(in crate::bench) fn credit_by_server(bench: &Bench) -> Result<String> {
    let mut text = String::new();
    let node = bench.node("server.js").zip(bench.node("cluster.js"));
    let rivals = [("node:cluster, SCHED_NONE", true, 0.95), ("node:cluster, round-robin", false, 2.6)];
    for (name, shared, least) in rivals {
        let Some((server, own)) = &node else {
            text += &format!("{name}: skipped: no node\n");
            continue;
        };
        let own = if shared { own.clone().with("shared") } else { own.clone() };
        text += &pair(bench, server, &own, name, least)?;
    }
    for (package, least) in [("uvicorn", 0.98), ("granian", 0.98), ("gunicorn", 1.3)] {
        match bench.python(package) {
            Some(server) => text += &pair(bench, &server, &server, package, least)?,
            None => text += &format!("{package}: skipped: not installed for python3\n"),
        }
    }
    Ok(text)
}

fn pair(bench: &Bench, server: &Program, own: &Program, name: &str, least: f64) -> Result<String> {
    let ours = bench.cluster(WORKERS, &[], server)?;
    let rival = bench.alone(WORKERS, own)?;
    let (text, _) = against(bench, [&ours, &rival], CLIENTS, name, Goals::rate(least))?;
    Ok(text + "\n")
}

/// The text, and the runs of both.
fn against(
    bench: &Bench,
    servers: [&Server; 2],
    clients: usize,
    name: &str,
    goals: Goals,
) -> Result<(String, [Vec<Figures>; 2])> {
    let loads = servers.map(|server| closed(bench, server, clients, Connection::Fresh));
    let runs = interleave(bench, loads, warm_up(bench))?;
    let [ours, rival] = &runs;
    let mut text = both(ours, ["clustermon", name], rival);
    text += &at_least("rate, ours / rival", ratio(ours, rival, |run| run.rate), goals.rate);
    text += &judged("p99, rival / ours", ratio(rival, ours, |run| run.p99.as_secs_f64()), goals.p99);
    text += &judged("CPU, rival / ours", ratio(rival, ours, |run| run.spent.as_secs_f64()), goals.cpu);
    Ok((text, runs))
}

/// Microseconds that half of the requests take at least longer here than there.
fn added(ours: &[Figures], rival: &[Figures]) -> f64 {
    median(ours.iter().zip(rival).map(|(a, b)| (a.p50.as_secs_f64() - b.p50.as_secs_f64()) * 1e6).collect())
}

pub(in crate::bench) fn single(bench: &Bench) -> Result<String> {
    let [ours, rival] = against_shared_socket(bench, 1)?;
    let mut text = both(&ours, ["clustermon", "shared socket"], &rival);
    text += &at_most("added latency, p50", added(&ours, &rival), 15.0, "us");
    Ok(text)
}

fn against_shared_socket(bench: &Bench, clients: usize) -> Result<[Vec<Figures>; 2]> {
    let program = bench.c("epoll_server")?;
    let cluster = bench.cluster(WORKERS, &["--dispatch", "handoff"], &program)?;
    let shared = bench.alone(WORKERS, &program)?;
    let loads = [&cluster, &shared].map(|server| closed(bench, server, clients, Connection::Fresh));
    interleave(bench, loads, warm_up(bench))
}

pub(in crate::bench) fn node(bench: &Bench) -> Result<String> {
    let (Some(server), Some(own)) = (bench.node("server.js"), bench.node("cluster.js")) else {
        return Ok("skipped: no node\n".to_owned());
    };
    let cluster = bench.cluster(WORKERS, &[], &server)?;
    let rival = bench.alone(WORKERS, &own)?;
    let loads = [&cluster, &rival].map(|server| closed(bench, server, CLIENTS, Connection::Fresh));
    let [ours, rival] = interleave(bench, loads, node_warm_up(bench))?;
    let mut text = both(&ours, ["clustermon", "node:cluster"], &rival);
    text += &at_least("rate, ours / rival", ratio(&ours, &rival, |run| run.rate), 1.6);
    Ok(text)
}

pub(in crate::bench) fn keepalive(bench: &Bench) -> Result<String> {
    let mut text = with_and_without(bench, "C epoll", &bench.c("epoll_server")?, warm_up(bench))?;
    match bench.node("server.js") {
        Some(server) => text += &with_and_without(bench, "Node http", &server, node_warm_up(bench))?,
        None => text += "Node http skipped: no node\n",
    }
    Ok(text)
}

fn with_and_without(bench: &Bench, name: &str, program: &Program, warm_up: Duration) -> Result<String> {
    let with = bench.cluster(1, &[], program)?;
    let without = bench.alone(0, program)?;
    let loads = [&with, &without].map(|server| closed(bench, server, CLIENTS, Connection::Kept));
    let [with, without] = interleave(bench, loads, warm_up)?;
    let names = [format!("{name} with the thunk"), format!("{name} without")];
    let mut text = both(&with, names.each_ref().map(String::as_str), &without);
    text += &at_least(&format!("{name}: rate, with / without"), ratio(&with, &without, |run| run.rate), 0.99);
    Ok(text + "\n")
}

/// Until the compiler of Node has done its work.
fn node_warm_up(bench: &Bench) -> Duration {
    bench.seconds.max(Duration::from_secs(3))
}
