//! How soon a worker that hangs is out of rotation, by the supervisor's own word in its log.

use crate::Result;
use crate::bench::figures::stats::median;
use crate::bench::figures::table::{Table, at_most, ms};
use crate::bench::load::probe;
use crate::bench::servers::{Bench, Server};
use std::time::{Duration, Instant};

const WORKERS: usize = 4;
const LIMITS: [u64; 2] = [1_000, 300];
/// Allowed beyond the limit.
const MARGIN: Duration = Duration::from_millis(200);
/// How much longer than the limit the loop is busy.
const BEYOND: Duration = Duration::from_millis(400);
const PATIENCE: Duration = Duration::from_secs(10);

pub(in crate::bench) fn run(bench: &Bench) -> Result<String> {
    let program = bench.c("work_server")?;
    let mut table = Table::new(&["lag limit ms", "out after, median ms", "max ms", "hangs"]);
    let mut verdicts = String::new();
    for limit in LIMITS {
        let server = bench.cluster(WORKERS, &["--lag-limit", &format!("{limit}ms")], &program)?;
        let mut times = Vec::new();
        for _ in 0..bench.runs {
            times.push(one_hang(&server, Duration::from_millis(limit))?.as_secs_f64() * 1e3);
        }
        let most = Duration::from_secs_f64(times.iter().copied().fold(0.0, f64::max) / 1e3);
        let typical = median(times.clone());
        table.row([limit.to_string(), format!("{typical:.1}"), ms(most), times.len().to_string()]);
        let goal = limit as f64 + MARGIN.as_secs_f64() * 1e3;
        verdicts += &at_most(&format!("hang to out of rotation, limit {limit} ms"), typical, goal, "ms");
    }
    Ok(table.render() + "\n" + &verdicts)
}

/// From the request that makes a worker hang to its removal.
fn one_hang(server: &Server, limit: Duration) -> Result<Duration> {
    // Each that can be told of has been.
    let seen = |what: &str| server.log().matches(what).count();
    let (out, back) = ("has been busy for", "keeps up again");
    let before = (seen(out), seen(back));
    let addr = server.addr;
    let begun = Instant::now();
    let hanging = std::thread::spawn(move || probe::burn(addr, limit + BEYOND).is_ok());
    let is_out = probe::until(PATIENCE, || seen(out) > before.0);
    let after = begun.elapsed();
    let served = hanging.join().unwrap_or(false);
    let is_back = probe::until(PATIENCE, || seen(back) > before.1);
    if is_out && is_back && served {
        return Ok(after);
    }
    Err(format!("of a busy loop: noticed {is_out}, back in rotation {is_back}, answered {served}").into())
}
