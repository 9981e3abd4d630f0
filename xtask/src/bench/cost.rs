//! What the supervisor spends on one connection: processor time by the kernel's own account, and system calls by
//! perf or strace, whichever there is.

use super::figures::processor;
use super::figures::stats::median;
use super::figures::table::{Table, at_most};
use super::load::client::{Connection, Load, Pace, Work};
use super::load::engine;
use super::load::probe::until;
use super::servers::{Bench, Server, has, kill};
use crate::Result;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

pub(super) fn run(bench: &Bench) -> Result<String> {
    let server = bench.cluster(
        2,
        &std::env::var("STEAL_FLAGS").unwrap_or_default().split_whitespace().collect::<Vec<_>>(),
        &bench.c("epoll_server")?,
    )?;
    let mut table =
        Table::new(&["clients", "CPU us a connection", "system calls a connection", "counted by"]);
    let mut verdicts = String::new();
    for clients in [64, 1] {
        let load = Load {
            server: server.addr,
            pid: server.pid(),
            pace: Pace::Closed { clients },
            connection: Connection::Fresh,
            work: Work::Plain,
            duration: bench.seconds,
        };
        engine::run(&Load { duration: Duration::from_millis(300), ..load })?;
        let mut spent = Vec::new();
        for _ in 0..bench.runs {
            let before = processor::of_process(server.pid())?;
            let connections = connections(&load)?;
            spent.push((processor::of_process(server.pid())? - before).as_secs_f64() * 1e6 / connections);
        }
        let calls = count_calls(&server, &load)?;
        let (count, counter) = calls.map_or(("skipped".to_owned(), "no perf, no strace"), |(calls, by)| {
            verdicts += &at_most(&format!("system calls, {clients} clients"), calls, 6.0, "a connection");
            (format!("{calls:.2}"), by)
        });
        verdicts +=
            &at_most(&format!("CPU, {clients} clients"), median(spent.clone()), 8.0, "us a connection");
        table.row([clients.to_string(), format!("{:.2}", median(spent)), count, counter.to_owned()]);
    }
    Ok(table.render() + "\n" + &verdicts)
}

fn connections(load: &Load) -> Result<f64> {
    let sample = engine::run(load)?;
    match sample.latencies.len() {
        0 => Err("no connection was answered".into()),
        n => Ok(n as f64),
    }
}

/// System calls a connection, and who counted; `None` if nobody can.
fn count_calls(server: &Server, load: &Load) -> Result<Option<(f64, &'static str)>> {
    let counters = [("perf", Counter::perf(server.pid())), ("strace", Counter::strace(server.pid()))];
    for (name, mut counter) in counters.into_iter().filter(|(name, _)| has(name)) {
        if !counter.begin()? {
            continue;
        }
        let connections = connections(load)?;
        if let Some(calls) = counter.end()? {
            return Ok(Some((
                calls / connections,
                if name == "strace" { "strace, which slows it" } else { name },
            )));
        }
    }
    Ok(None)
}

/// A program that counts another's system calls from its attachment to its interruption.
struct Counter {
    command: Command,
    child: Option<Child>,
    is_attached: Box<dyn Fn(u32) -> bool>,
    read: fn(&str) -> Option<f64>,
}

impl Counter {
    fn perf(target: u32) -> Self {
        let mut command = Command::new("perf");
        command.args(["stat", "-x", ",", "-e", "raw_syscalls:sys_enter", "-p", &target.to_string()]);
        Self { command, child: None, is_attached: Box::new(holds_perf_events), read: perf_count }
    }

    /// It slows the other one down, which lets more connections arrive together: fewer calls each. perf does not.
    fn strace(target: u32) -> Self {
        let mut command = Command::new("strace");
        command.args(["-c", "-f", "-p", &target.to_string()]);
        Self { command, child: None, is_attached: Box::new(move |_| is_traced(target)), read: strace_count }
    }

    /// False if it could not attach.
    fn begin(&mut self) -> Result<bool> {
        let child =
            self.command.env("LC_ALL", "C").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = child.spawn()?;
        let mut attached = false;
        until(Duration::from_secs(5), || {
            attached = (self.is_attached)(child.id());
            attached || !matches!(child.try_wait(), Ok(None))
        });
        self.child = Some(child);
        Ok(attached)
    }

    fn end(&mut self) -> Result<Option<f64>> {
        let Some(child) = self.child.take() else { return Ok(None) };
        kill(child.id() as i32, libc::SIGINT);
        let output = child.wait_with_output()?;
        Ok((self.read)(&String::from_utf8_lossy(&output.stderr)))
    }
}

impl Drop for Counter {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            // It may have ended by itself; either way nothing is left of it.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn holds_perf_events(perf: u32) -> bool {
    let fds = std::fs::read_dir(format!("/proc/{perf}/fd")).into_iter().flatten().flatten();
    let mut targets = fds.filter_map(|fd| std::fs::read_link(fd.path()).ok());
    targets.any(|target| target.to_string_lossy().contains("perf_event"))
}

fn is_traced(target: u32) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{target}/status")).unwrap_or_default();
    status.lines().any(|line| line.strip_prefix("TracerPid:").is_some_and(|pid| pid.trim() != "0"))
}

/// `1234,,raw_syscalls:sys_enter,...`; `<not counted>` is no number.
fn perf_count(text: &str) -> Option<f64> {
    let line = text.lines().find(|line| line.contains("raw_syscalls:sys_enter"))?;
    line.split(',').next()?.parse().ok()
}

/// The last line: `100.00    0.001    1    1234    5 total`.
fn strace_count(text: &str) -> Option<f64> {
    let line = text.lines().rev().find(|line| line.trim_end().ends_with(" total"))?;
    line.split_whitespace().nth(3)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_read() {
        assert_eq!(perf_count("\n144,,raw_syscalls:sys_enter,1101353,100.00,,\n"), Some(144.0));
        assert_eq!(perf_count("<not counted>,,raw_syscalls:sys_enter,0,0.00,,\n"), None);
        let strace = "strace: Process 1 attached\n% time seconds usecs/call calls errors syscall\n 60.0 0.1 3 20 recvmsg\n\
                      ------ ----\n100.00    0.001    1    1234    5 total\n";
        assert_eq!(strace_count(strace), Some(1234.0));
    }
}
