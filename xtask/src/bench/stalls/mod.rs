//! `cargo xtask stalls`: loads clusters and watches them from outside, to prove that no readiness is lost: that no worker
//! sleeps in its wait while connections wait in the queue. It measures no rates.

mod judge;
mod phases;
mod queue;
mod shape;
mod threads;
mod watch;

use super::become_release;
use super::figures::table::{Table, ms};
use super::load::client::{Connection, Load, Pace, Work};
use super::load::engine;
use super::servers::{Bench, Server};
use crate::project::Profile;
use crate::{Result, build, complain, say};
use phases::PHASES;
use shape::{SHAPES, Shape};
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use watch::{Tally, Watched};

const USAGE: &str = "usage: cargo xtask stalls [SHAPE...] [--connections N] [--workers W]";
/// Before anything is watched: servers compile, children are given lanes, and it is seen which threads serve.
const WARM_UP: Duration = Duration::from_secs(1);
/// A thread that had a processor less often in the warm-up does not serve.
const LEAST_SWITCHES: u64 = 20;
/// After so many connections that failed nothing more is to be learnt.
const MOST_FAILED: usize = 200;
/// How often is told how far it is.
const PROGRESS: Duration = Duration::from_secs(60);

pub(crate) fn main(args: &[String]) -> Result<ExitCode> {
    let options = Options::parse(args)?;
    if cfg!(debug_assertions) {
        return become_release("stalls", args);
    }
    let built = build::build(Profile::Release)?;
    let bench = Bench::new(built.clustermon, Duration::from_secs(1), 1)?;
    say(&format!(
        "{} CPUs, {} workers, {} connections a shape",
        super::cpus(),
        options.workers,
        options.connections
    ));
    let mut table = Table::new(&[
        "shape",
        "dispatch",
        "connections",
        "failed",
        "slowest ms",
        "samples",
        "with a queue",
        "late",
        "starved",
        "longest sit ms",
        "unclear",
        "stalls",
        "stolen ms",
        "watcher waited ms",
    ]);
    let mut is_good = true;
    for shape in SHAPES.iter().filter(|shape| options.wants(shape.name)) {
        say(&format!("{}: {}", shape.name, shape.what));
        let Some(outcome) = run(&bench, shape, &options)? else {
            table.row([shape.name.to_owned(), "skipped: not installed".to_owned()]);
            continue;
        };
        if let Some(why) = &outcome.broken {
            say(&format!("{}: given up: {why}", shape.name));
        }
        is_good &= outcome.failed == 0 && outcome.tally.stalls == 0 && outcome.broken.is_none();
        table.row(outcome.cells(shape.name));
    }
    say(&table.render());
    Ok(if is_good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Of one shape.
#[derive(Debug, Default)]
struct Outcome {
    dispatch: String,
    connections: usize,
    failed: usize,
    slowest: Duration,
    tally: Tally,
    /// Why it ended before its time.
    broken: Option<String>,
}

impl Outcome {
    fn cells(&self, name: &str) -> Vec<String> {
        let tally = &self.tally;
        let counts =
            [tally.samples, tally.with_queue, tally.late, tally.starved].map(|count| count.to_string());
        let mut cells = vec![name.to_owned(), self.dispatch.clone(), self.connections.to_string()];
        cells.extend([self.failed.to_string(), ms(self.slowest)]);
        cells.extend(counts);
        cells.extend([ms(tally.longest), tally.unclear.to_string(), tally.stalls.to_string()]);
        cells.extend([tally.stolen, tally.waited].map(|time| format!("{:.0}", time.as_secs_f64() * 1e3)));
        cells
    }
}

/// `None` if the shape cannot be run on this machine.
fn run(bench: &Bench, shape: &Shape, options: &Options) -> Result<Option<Outcome>> {
    let Some(program) = (shape.program)(bench)? else { return Ok(None) };
    let control = bench.control(shape.name);
    let server = bench.cluster(options.workers, &["--control", &control.display().to_string()], &program)?;
    let mut watched = meet(&server)?;
    let picture = bench.ask(&control, &["inspect"])?;
    let mut outcome = Outcome { dispatch: dispatch(&picture), ..Outcome::default() };
    let serving: Vec<_> = watched.workers.iter().map(threads::Worker::serving).collect();
    complain(&format!("  dispatch {}; threads that serve: {serving:?}", outcome.dispatch));
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| -> Result<()> {
        let watcher = scope.spawn(|| watched.watch(&stop).map_err(|error| error.to_string()));
        let broken = clients(&server, options.connections, &mut outcome);
        stop.store(true, Ordering::Relaxed);
        outcome.broken = broken?;
        outcome.tally = watcher.join().map_err(|_| "the watcher panicked")??;
        Ok(())
    })?;
    Ok(Some(outcome))
}

/// The cluster's queue and threads, once it has served for a while.
fn meet(server: &Server) -> Result<Watched> {
    let SocketAddr::V4(address) = server.addr else { return Err("the bench listens on IPv4".into()) };
    let queue = queue::Queue::of(address)?;
    let supervisor = threads::Process::first_thread(server.pid())?;
    let mut pids: Vec<u32> = server.children().into_iter().collect();
    pids.sort_unstable();
    let mut workers = pids.into_iter().map(threads::Worker::new).collect::<Result<Vec<_>>>()?;
    engine::run(&load(server, Pace::Closed { clients: 64 }, WARM_UP))?;
    for worker in &mut workers {
        worker.keep_busy(LEAST_SWITCHES)?;
    }
    Ok(Watched { queue, supervisor, workers })
}

fn load(server: &Server, pace: Pace, duration: Duration) -> Load {
    Load {
        server: server.addr,
        pid: server.pid(),
        pace,
        connection: Connection::Fresh,
        work: Work::Plain,
        duration,
    }
}

/// Phase after phase, until there were enough connections; why it was given up, if it was.
fn clients(server: &Server, enough: usize, outcome: &mut Outcome) -> Result<Option<String>> {
    let mut told = Instant::now();
    let before = server.children();
    for phase in PHASES.iter().cycle() {
        let sample = engine::run(&load(server, phase.pace, phase.lasts))?;
        let slowest = sample.latencies.iter().copied().max().unwrap_or_default();
        outcome.connections += sample.latencies.len() + sample.failed;
        if sample.failed > 0 || slowest > Duration::from_secs(1) {
            complain(&format!("  {:?}: {} failed, slowest {} ms", phase.pace, sample.failed, ms(slowest)));
        }
        outcome.failed += sample.failed;
        outcome.slowest = outcome.slowest.max(slowest);
        if server.children() != before {
            return Ok(Some(format!("a worker was replaced; the log:\n{}", server.log())));
        }
        if outcome.failed >= MOST_FAILED {
            return Ok(Some(format!("{} connections failed", outcome.failed)));
        }
        if outcome.connections >= enough {
            break;
        }
        if told.elapsed() > PROGRESS {
            told = Instant::now();
            complain(&format!("  {} connections", outcome.connections));
        }
    }
    Ok(None)
}

/// How the cluster gives out connections, by its own picture of itself.
fn dispatch(picture: &str) -> String {
    let values = picture.lines().filter_map(|line| line.trim().strip_prefix("\"dispatch\": "));
    values.map(|value| value.trim_matches(['"', ','])).collect::<Vec<_>>().join(" ")
}

#[derive(Debug)]
struct Options {
    /// All, if empty.
    shapes: Vec<String>,
    connections: usize,
    workers: usize,
}

impl Options {
    fn parse(args: &[String]) -> Result<Self> {
        let mut options = Self { shapes: Vec::new(), connections: 200_000, workers: 2 };
        let mut args = args.iter();
        while let Some(arg) = args.next() {
            let mut number = || -> Result<usize> {
                let value = args.next().ok_or_else(|| format!("{arg} needs a value; {USAGE}"))?;
                let number = value.parse().ok().filter(|number| *number > 0);
                Ok(number.ok_or_else(|| format!("{arg} takes a number from 1; {USAGE}"))?)
            };
            match arg.as_str() {
                "--connections" => options.connections = number()?,
                "--workers" => options.workers = number()?,
                name if SHAPES.iter().any(|shape| shape.name == name) => options.shapes.push(name.to_owned()),
                other => {
                    let names: Vec<_> = SHAPES.iter().map(|shape| shape.name).collect();
                    return Err(
                        format!("no such shape: {other}; there are {}; {USAGE}", names.join(", ")).into()
                    );
                }
            }
        }
        Ok(options)
    }

    fn wants(&self, name: &str) -> bool {
        self.shapes.is_empty() || self.shapes.iter().any(|wanted| wanted == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options() {
        let parse =
            |line: &str| Options::parse(&line.split_whitespace().map(str::to_owned).collect::<Vec<_>>());
        let all = parse("--connections 5 --workers 3").unwrap();
        assert_eq!((all.connections, all.workers), (5, 3));
        assert!(all.wants("edge") && all.wants("node"));
        assert!(!parse("edge").unwrap().wants("node"));
        for bad in ["edges", "--connections", "--connections 0", "--workers x"] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_dispatch_is_read() {
        let picture = "  \"load_balancers\": [\n    {\n      \"dispatch\": \"credit\",\n      \"dispatch_reason\": null,\n";
        assert_eq!(dispatch(picture), "credit");
    }
}
