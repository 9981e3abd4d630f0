//! How long a worker drains beyond the silence that is asked of its connections, and what it costs to look at them: the
//! kernel is asked for its sockets again and again, by a thread of the supervisor's own.

use crate::Result;
use crate::bench::figures::stats::median;
use crate::bench::figures::table::Table;
use crate::bench::load::crowd::{Crowd, raise_descriptors};
use crate::bench::servers::{Bench, Server};
use std::fs;
use std::time::Duration;

const IDLE: Duration = Duration::from_millis(300);
const CONNECTIONS: [usize; 3] = [0, 100, 1000];
const LOOKED_AT: [usize; 3] = [100, 1000, 10_000];
/// Beyond the connections: logs, lanes, what the client itself has open.
const SPARE: u64 = 500;

pub(in crate::bench) fn run(bench: &Bench) -> Result<String> {
    Ok(times(bench)? + "\n" + &looks(bench)?)
}

fn times(bench: &Bench) -> Result<String> {
    let control = bench.control("drain");
    let path = control.display().to_string();
    let flags = ["--control", &path, "--idle-grace", "300ms", "--min-uptime", "1ms"];
    let server = bench.cluster(2, &flags, &bench.c("epoll_server")?)?;
    let mut table = Table::new(&["idle connections", "restart, ms, median", "beyond the silence"]);
    for count in CONNECTIONS {
        let mut times = Vec::new();
        for _ in 0..bench.runs {
            let _crowd = Crowd::idle(server.addr, count)?;
            times.push(bench.order(&control, &["restart", "/0", "--wait"])?.as_secs_f64() * 1e3);
        }
        let typical = median(times);
        let silence = if count == 0 { Duration::ZERO } else { IDLE };
        let beyond = typical - silence.as_secs_f64() * 1e3;
        table.row([count.to_string(), format!("{typical:.1}"), format!("{beyond:.1}")]);
    }
    Ok(table.render())
}

fn looks(bench: &Bench) -> Result<String> {
    let program = bench.c("epoll_server")?;
    let limit = raise_descriptors();
    let mut table = Table::new(&["connections", "ms a look", "looks/s", "% of a processor"]);
    for count in LOOKED_AT {
        if count as u64 + SPARE > limit {
            table.row([count.to_string(), format!("skipped: {limit} descriptors")]);
            continue;
        }
        // A server of its own: one that drains for as long as it is looked at.
        let control = bench.control("looks");
        let path = control.display().to_string();
        let server = bench.cluster(2, &["--control", &path, "--drain-timeout", "60s"], &program)?;
        let _crowd = Crowd::idle(server.addr, count)?;
        // What has not said a word may do so any moment: it is never quiet.
        let _busy = Crowd::silent(server.addr, 4)?;
        bench.order(&control, &["restart", "/0", "--no-wait"])?;
        let quiet = thread(&server, "quiet")?;
        let before = spent(&quiet)?;
        std::thread::sleep(bench.seconds);
        let after = spent(&quiet)?;
        let (busy, looks) = ((after.0 - before.0) as f64 / 1e6, after.1 - before.1);
        if looks == 0 {
            return Err("the worker was not looked at: it has not drained".into());
        }
        let look = busy / looks as f64;
        let seconds = bench.seconds.as_secs_f64();
        table.row([
            count.to_string(),
            format!("{look:.3}"),
            format!("{:.1}", looks as f64 / seconds),
            format!("{:.1}", busy / seconds / 10.0),
        ]);
    }
    Ok(table.render())
}

/// The folder in /proc of the server's thread of that name.
fn thread(server: &Server, name: &str) -> Result<std::path::PathBuf> {
    for task in fs::read_dir(format!("/proc/{}/task", server.pid()))? {
        let folder = task?.path();
        if fs::read_to_string(folder.join("comm")).is_ok_and(|comm| comm.trim_end() == name) {
            return Ok(folder);
        }
    }
    Err(format!("the supervisor has no thread called {name}").into())
}

/// Nanoseconds on a processor, and how often it went to sleep: after each look.
fn spent(thread: &std::path::Path) -> Result<(u64, u64)> {
    let account = fs::read_to_string(thread.join("schedstat"))?;
    let status = fs::read_to_string(thread.join("status"))?;
    let sleeps = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
    let sleeps = sleeps.and_then(|count| count.trim().parse().ok()).ok_or("the kernel counts no sleeps")?;
    Ok((account.split(' ').next().unwrap_or_default().parse()?, sleeps))
}
