//! How long a rolling reload takes by how many connections there are meanwhile, and whether it fails a request. What the
//! options add is taken off: each worker must be well for a while, and its connections idle.

use crate::Result;
use crate::bench::figures::stats::median;
use crate::bench::figures::table::{Table, at_most};
use crate::bench::load::client::{Connection, Load, Pace, Work};
use crate::bench::load::crowd::Crowd;
use crate::bench::load::engine;
use crate::bench::servers::Bench;
use std::thread;
use std::time::Duration;

const WORKERS: usize = 4;
const HEALTHY: Duration = Duration::from_millis(100);
const IDLE: Duration = Duration::from_millis(300);
const CONNECTIONS: [usize; 3] = [0, 100, 1000];
/// How long the clients are at it before and after.
const AROUND: Duration = Duration::from_millis(300);

pub(in crate::bench) fn run(bench: &Bench) -> Result<String> {
    let control = bench.control("reload");
    let path = control.display().to_string();
    let flags = ["--control", &path, "--min-healthy-time", "100ms", "--idle-grace", "300ms"];
    let server = bench.cluster(WORKERS, &flags, &bench.c("epoll_server")?)?;
    let reload = || bench.order(&control, &["reload", "--wait"]);
    // Beside the run count: each takes seconds.
    let runs = bench.runs.min(3);
    let mut table = Table::new(&["connections", "ms, median", "beyond the options", "requests", "failed"]);
    let mut row = |name: String, times: Vec<Duration>, silence: Duration, requests: String, failed: usize| {
        let typical = median(times.iter().map(|time| time.as_secs_f64() * 1e3).collect());
        let least = HEALTHY * WORKERS as u32 + silence;
        let beyond = typical - least.as_secs_f64() * 1e3;
        table.row([name, format!("{typical:.0}"), format!("{beyond:.0}"), requests, failed.to_string()]);
    };
    let mut longest = Duration::ZERO;
    for count in CONNECTIONS {
        let mut times = Vec::new();
        for _ in 0..runs {
            // Those that a reload finds idle are closed by it.
            let _crowd = Crowd::idle(server.addr, count)?;
            times.push(reload()?);
        }
        longest = longest.max(times.iter().copied().max().unwrap_or_default());
        // Silent from the start, they are waited for once: until the first of the old ones may go.
        let silence = if count == 0 { Duration::ZERO } else { IDLE - HEALTHY };
        row(format!("{count} idle"), times, silence, "-".to_owned(), 0);
    }
    let mut all_failed = 0;
    for clients in CONNECTIONS.into_iter().filter(|clients| *clients > 0) {
        let (mut times, mut requests, mut failed) = (Vec::new(), 0, 0);
        for _ in 0..runs {
            let load = Load {
                server: server.addr,
                pid: server.pid(),
                pace: Pace::Closed { clients },
                connection: Connection::Fresh,
                work: Work::Plain,
                duration: longest * 2 + AROUND * 2,
            };
            let sample = thread::scope(|scope| {
                let engine = scope.spawn(|| engine::run(&load).map_err(|error| error.to_string()));
                thread::sleep(AROUND);
                times.push(reload()?);
                Ok::<_, crate::Error>(engine.join().map_err(|_| "the client panicked")??)
            })?;
            requests += sample.latencies.len();
            failed += sample.failed;
        }
        all_failed += failed;
        row(format!("{clients} active"), times, Duration::ZERO, requests.to_string(), failed);
    }
    let verdict = at_most("requests that failed", all_failed as f64, 0.0, "of the active clients");
    Ok(table.render() + "\n" + &verdict)
}
