//! The full run of what must not lose requests: every case in a process of its own with a deadline, one line for each,
//! and a table. It leaves no process and no file behind.
#![allow(clippy::disallowed_methods, reason = "it starts programs and gives them a deadline")]

use harness::loss::{CASES, Case, Extent, HEAD, Row};
use harness::{PATIENCE, TempDir, ends_within, marked, pidfd, signal, wait_or_kill};
use std::io::{Read, Write};
use std::process::{Child, Command, ExitCode, Stdio};
use std::thread;
use std::time::Instant;

const USAGE: &str = "usage: no-loss [CASE...] [--quick] [--table] [--list]";
/// Carried by every process of a case.
const MARK: &str = "CLUSTERMON_LOSS_ID";
/// The option by which this program starts itself.
const ONE: &str = "--one-case";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let options = match Options::parse(&args) {
        Ok(options) => options,
        Err(fault) => {
            complain(&format!("no-loss: {fault}"));
            return ExitCode::from(2);
        }
    };
    if options.list {
        CASES.iter().for_each(|case| say(case.name));
        return ExitCode::SUCCESS;
    }
    if options.one {
        return run_here(options.cases[0], options.extent);
    }
    run_all(&options)
}

#[derive(Debug)]
struct Options {
    cases: Vec<&'static Case>,
    extent: Extent,
    quick: bool,
    table: bool,
    list: bool,
    one: bool,
}

impl Options {
    fn parse(args: &[String]) -> Result<Self, String> {
        let mut words = Vec::new();
        let mut options = Self {
            cases: Vec::new(),
            extent: Extent::FULL,
            quick: false,
            table: false,
            list: false,
            one: false,
        };
        for arg in args {
            match arg.as_str() {
                "--quick" => (options.quick, options.extent) = (true, Extent::QUICK),
                "--table" => options.table = true,
                "--list" => options.list = true,
                ONE => options.one = true,
                word if word.starts_with('-') => return Err(format!("no such option: {word}; {USAGE}")),
                word if !CASES.iter().any(|case| case.is_called(word)) => {
                    return Err(format!("no such case: {word}; --list shows them all"));
                }
                word => words.push(word),
            }
        }
        let is_wanted = |case: &&Case| words.is_empty() || words.iter().any(|word| case.is_called(word));
        options.cases = CASES.iter().filter(is_wanted).collect();
        Ok(options)
    }
}

/// The case itself: its row is the last line on stdout.
fn run_here(case: &Case, extent: Extent) -> ExitCode {
    if let Some(row) = case.run(extent) {
        say(&row.to_json().to_string());
    }
    ExitCode::SUCCESS
}

fn run_all(options: &Options) -> ExitCode {
    // With a table, stdout is the table.
    let tell = |text: &str| if options.table { complain(text) } else { say(text) };
    let begun = Instant::now();
    let mut rows = Vec::new();
    let mut bad = Vec::new();
    for case in &options.cases {
        match run_apart(case, options.quick) {
            Ok(None) => tell(&format!("{}: left out", case.name)),
            Ok(Some(row)) => {
                tell(&format!("{}: {}", case.name, row.line()));
                if !row.problems.is_empty() {
                    bad.push(case.name);
                    row.particulars.iter().for_each(|line| complain(&format!("    {line}")));
                }
                rows.push((case.name, row));
            }
            Err(fault) => {
                tell(&format!("{}: NOT WELL: {fault}", case.name));
                bad.push(case.name);
            }
        }
    }
    if options.table {
        say(&table(&rows));
    }
    let requests: u64 = rows.iter().map(|(_, row)| row.requests).sum();
    tell(&format!("{} cases, {requests} requests, {:.0} s", rows.len(), begun.elapsed().as_secs_f64()));
    if bad.is_empty() {
        return ExitCode::SUCCESS;
    }
    complain(&format!("no-loss: not well: {}", bad.join(", ")));
    ExitCode::FAILURE
}

/// Runs the case in a process of its own, and ends whatever is left of it.
fn run_apart(case: &Case, quick: bool) -> Result<Option<Row>, String> {
    let temp = TempDir::new();
    let mark = temp.path().display().to_string();
    let own = std::env::current_exe().map_err(|error| format!("/proc is not mounted: {error}"))?;
    let mut command = Command::new(own);
    command.args([ONE, case.name]).args(quick.then_some("--quick"));
    command.env(MARK, &mark).env("TMPDIR", temp.path()).stdin(Stdio::null()).stdout(Stdio::piped());
    let mut child = command.spawn().map_err(|error| format!("cannot start it: {error}"))?;
    let output = collect(&mut child);
    let ended = wait_or_kill(&mut child, case.limit);
    end_marked(&mark);
    let output = output.join().unwrap_or_default();
    match ended.map_err(|error| format!("cannot wait for it: {error}"))? {
        None => Err(format!("it took more than {:?}", case.limit)),
        Some(status) if !status.success() => Err(format!("the case ended with {status}")),
        Some(_) => {
            let last = output.lines().last();
            last.map(|line| parse(line).ok_or_else(|| format!("it said {line:?}"))).transpose()
        }
    }
}

fn parse(line: &str) -> Option<Row> {
    Row::from_json(&serde_json::from_str(line).ok()?)
}

fn collect(child: &mut Child) -> thread::JoinHandle<String> {
    let pipe = child.stdout.take();
    thread::spawn(move || {
        let mut text = String::new();
        let _ = pipe.map(|mut pipe| pipe.read_to_string(&mut text));
        text
    })
}

/// Kills what carries the mark, until nothing does.
fn end_marked(mark: &str) {
    loop {
        let left = marked(MARK, mark);
        if left.is_empty() {
            return;
        }
        // One that is gone already is no error.
        let held: Vec<_> = left.into_iter().filter_map(|pid| Some((pid, pidfd(pid).ok()?))).collect();
        held.iter().for_each(|(pid, _)| signal(*pid, libc::SIGKILL));
        held.iter().for_each(|(_, process)| _ = ends_within(process, PATIENCE));
    }
}

fn is_text(column: &str) -> bool {
    HEAD[..3].contains(&column) || HEAD.last() == Some(&column)
}

/// In Markdown.
fn table(rows: &[(&str, Row)]) -> String {
    let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
    let mut text = line(&HEAD.map(str::to_owned));
    text.push_str(&line(&HEAD.map(|name| if is_text(name) { "---" } else { "---:" }.to_owned())));
    for (name, row) in rows {
        text.push_str(&line(&row.cells(name)));
    }
    text.truncate(text.trim_end().len());
    text
}

/// A reader that went away is no reason to fail.
fn say(text: &str) {
    let mut stdout = std::io::stdout().lock();
    let _ = writeln!(stdout, "{text}").and_then(|()| stdout.flush());
}

fn complain(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}
