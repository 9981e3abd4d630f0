//! `cargo xtask bench`: this project against its rivals, on this machine, in this run. Figures of different runs or
//! machines are never compared: every ratio is the median over pairs that were measured one right after the other.

mod cost;
mod figures;
mod incidents;
mod load;
mod older;
mod rates;
mod runs;
mod servers;
pub(crate) mod stalls;

use crate::project::{self, Profile};
use crate::{Result, build, complain, say};
use servers::Bench;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, ExitCode};
use std::time::Duration;

const USAGE: &str = "usage: cargo xtask bench [NAME...] [--seconds S] [--runs N] [--against CLUSTERMON]";

/// A case, by its name, what it is, and what measures it. The text it returns is ready to print.
struct Case {
    name: &'static str,
    title: &'static str,
    run: fn(&Bench) -> Result<String>,
}

const CASES: &[Case] = &[
    Case {
        name: "handoff",
        title: "hand-off, connection per request, C epoll server, 2 workers, 64 clients",
        run: rates::plain::handoff,
    },
    Case {
        name: "credit",
        title: "the same, workers accept by themselves; and at 1 client",
        run: rates::plain::credit,
    },
    Case {
        name: "servers",
        title: "connection per request, 2 workers, 64 clients: servers against what they have of their own",
        run: rates::plain::credit_by_server,
    },
    Case { name: "single", title: "hand-off at 1 client: added latency", run: rates::plain::single },
    Case {
        name: "node",
        title: "connection per request, Node http, 2 workers, 64 clients",
        run: rates::plain::node,
    },
    Case {
        name: "keepalive",
        title: "keep-alive, 1 worker, 64 clients: with the thunk and without",
        run: rates::plain::keepalive,
    },
    Case {
        name: "tail",
        title: "heavy-tailed work: 10 % of requests sleep 40 ms, the rest 1 ms; 2 workers that block on one connection",
        run: rates::tail::run,
    },
    Case {
        name: "window",
        title: "hand-off as above, by how many connections may wait in a lane",
        run: rates::window::run,
    },
    Case {
        name: "work",
        title: "heavy-tailed work on the processor: 10 % of requests 40 ms, the rest 1 ms; 2 workers that serve one at a time",
        run: rates::work::run,
    },
    Case {
        name: "stall",
        title: "one of 4 Node workers hangs for 2 s under an open load",
        run: incidents::stall::run,
    },
    Case { name: "hang", title: "one of 4 workers begins a busy loop", run: incidents::hang::run },
    Case { name: "death", title: "kill -9 of one of 2 idle workers", run: incidents::death::run },
    Case { name: "reload", title: "rolling reload of 4 workers, to its end", run: incidents::reload::run },
    Case {
        name: "drain",
        title: "a worker drains, and its connections are looked at",
        run: incidents::drain::run,
    },
    Case { name: "cost", title: "what the supervisor spends on a connection", run: cost::run },
    Case { name: "older", title: "the same against another build, which --against names", run: older::run },
    Case {
        name: "spread",
        title: "connections by worker: at saturation, and of 10,000 kept ones that come at once",
        run: rates::spread::run,
    },
    Case {
        name: "steering",
        title: "--dispatch kernel against plain reuseport and one shared socket, C servers",
        run: rates::steering::run,
    },
    Case {
        name: "native",
        title: "--dispatch kernel beside nginx's reuseport, and a Go server of two workers against itself alone",
        run: rates::native::run,
    },
    Case {
        name: "many",
        title: "64 workers against 2, and 256 of them, C epoll server",
        run: rates::many::run,
    },
];

pub(crate) fn main(args: &[String]) -> Result<ExitCode> {
    let options = Options::parse(args)?;
    if cfg!(debug_assertions) {
        // The client shares the processors with what it measures: it must not be the slow one.
        return become_release("bench", args);
    }
    let built = build::build(Profile::Release)?;
    let bench = Bench::new(built.clustermon, options.seconds, options.runs)?.against(options.against.clone());
    say(&format!("{} CPUs, {} runs of {:?} each, interleaved", cpus(), bench.runs, bench.seconds));
    let mut failed = Vec::new();
    for case in CASES.iter().filter(|case| options.wants(case.name)) {
        say(&format!("\n## {}: {}\n", case.name, case.title));
        match (case.run)(&bench) {
            Ok(text) => say(text.trim_end()),
            Err(error) => {
                say(&format!("failed: {error}"));
                failed.push(case.name);
            }
        }
    }
    if failed.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    complain(&format!("xtask bench: failed: {}", failed.join(", ")));
    Ok(ExitCode::FAILURE)
}

/// Builds this program for release and becomes it, by the same command.
fn become_release(command: &str, args: &[String]) -> Result<ExitCode> {
    project::check(project::cargo("build").args(["--quiet", "--release", "-p", "xtask"]))?;
    let mut release = Command::new(project::artifact(Profile::Release, "xtask")?);
    Err(release.arg(command).args(args).exec().into())
}

fn cpus() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

#[derive(Debug, PartialEq, Eq)]
struct Options {
    /// All, if empty.
    names: Vec<String>,
    seconds: Duration,
    runs: usize,
    /// Another build of clustermon.
    against: Option<PathBuf>,
}

impl Options {
    fn parse(args: &[String]) -> Result<Self> {
        let mut options = Self { names: Vec::new(), seconds: Duration::from_secs(3), runs: 5, against: None };
        let mut args = args.iter();
        while let Some(arg) = args.next() {
            let mut value = || args.next().ok_or_else(|| format!("{arg} needs a value; {USAGE}"));
            match arg.as_str() {
                "--seconds" => {
                    let seconds: f64 =
                        value()?.parse().map_err(|_| format!("--seconds takes a number; {USAGE}"))?;
                    options.seconds = Duration::try_from_secs_f64(seconds)?.max(Duration::from_millis(100));
                }
                "--runs" => {
                    let runs: usize =
                        value()?.parse().map_err(|_| format!("--runs takes a number; {USAGE}"))?;
                    options.runs = runs.max(1);
                }
                "--against" => {
                    let path = PathBuf::from(value()?);
                    if !path.is_file() {
                        return Err(format!("--against: no such program: {}", path.display()).into());
                    }
                    options.against = Some(path);
                }
                name if CASES.iter().any(|case| case.name == name) => options.names.push(name.to_owned()),
                other => {
                    let names: Vec<_> = CASES.iter().map(|case| case.name).collect();
                    return Err(
                        format!("no such case: {other}; there are {}; {USAGE}", names.join(", ")).into()
                    );
                }
            }
        }
        Ok(options)
    }

    fn wants(&self, name: &str) -> bool {
        self.names.is_empty() || self.names.iter().any(|wanted| wanted == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Options> {
        Options::parse(&line.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn options() {
        let all = parse("").unwrap();
        assert!(all.wants("tail") && all.wants("node"));
        let some = parse("tail --seconds 0.5 --runs 2").unwrap();
        assert!(some.wants("tail") && !some.wants("node"));
        assert_eq!((some.seconds, some.runs), (Duration::from_millis(500), 2));
        for bad in ["tails", "--seconds", "--seconds x", "--seconds -1", "--runs 1.5", "--against /none"] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
