//! `clustermon logs`: what a cluster has written last, and, if somebody follows, what it writes from then on. It reads the file of the
//! log where there is one, and otherwise what the supervisor keeps in memory; of a cluster that has failed, what is left. It changes none.

mod ended;
mod file;
pub(super) mod wanted;

use crate::api::{Action, Command, Event, LogLine, LogStream, Logs, Reply, Target};
use crate::cli::connection::at_once;
use crate::cli::connection::client::Client;
use crate::cli::connection::target::{Found, Whom};
use crate::cli::output::failed::{ABSENT, Failed};
use crate::cli::output::out;
use crate::io::control::wire;
use crate::io::output::plain;
use crate::io::output::stamp;
use crate::settings::duration::Human;
use file::LogFile;
use std::time::Duration;
use wanted::{Wanted, shown};

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    #[command(flatten)]
    whom: Whom,
    /// Go on with what is written from now on, until the cluster ends
    #[arg(short, long)]
    follow: bool,
    /// The last so many lines [default: 100, or all with --since]
    #[arg(short = 'n', long, value_name = "N")]
    lines: Option<u32>,
    /// Only lines of the last so long, such as 10m
    #[arg(long, value_name = "DURATION")]
    since: Option<Human>,
    /// Only lines that contain this text
    #[arg(long, value_name = "TEXT")]
    grep: Option<String>,
    /// One JSON object a line, of what is kept in memory
    #[arg(long)]
    json: bool,
}

/// How many lines are shown if nobody says.
const USUAL: u32 = 100;

impl Args {
    pub(in crate::cli) fn run(&self) -> Result<(), Failed> {
        let (found, is_gone) = self.without_ended(self.whom.find()?)?;
        if is_gone {
            let shown = if found.is_empty() { Ok(()) } else { self.show_all(found) };
            return shown.and(Err(Failed::silent(ABSENT)));
        }
        self.show_all(found)
    }

    /// What these have written, which run.
    fn show_all(&self, found: Vec<Found>) -> Result<(), Failed> {
        if self.follow || found.len() == 1 {
            return at_once::each(found, |client, _, target| self.show_one(client, target));
        }
        // One after the other, each with a head as `tail` has it.
        at_once::in_turn(found, |client, label, target| {
            let head = if self.json { String::new() } else { format!("==> {label} <==\n") };
            out::print(&head).and_then(|()| self.show_one(client, target))
        })
    }

    /// How many lines are wanted at most.
    fn count(&self) -> u32 {
        let default = if self.since.is_some() { u32::MAX } else { USUAL };
        self.lines.unwrap_or(default)
    }

    fn wanted(&self) -> Wanted {
        let since = self.since.map(|Human(since)| earliest(since));
        Wanted { since, text: self.grep.clone().unwrap_or_default() }
    }

    /// What one of them has written.
    fn show_one(&self, client: &mut Client, target: &Target) -> Result<(), Failed> {
        let inspection = client.inspect()?;
        let (wanted, count) = (self.wanted(), self.count());
        let target = target.clone();
        // All that is written goes there, also what workers write that inherit it.
        let file = inspection.launch.log.as_deref().filter(|_| target == Target::Cluster && !self.json);
        if let Some(mut file) = file.and_then(LogFile::open) {
            file.last(&wanted, count as usize)?;
            return if self.follow { file.follow(&wanted, client.as_fd()) } else { Ok(()) };
        }
        let show = |line: &LogLine| self.show(&inspection.name, line);
        // What is filtered here has to come here.
        let lines = if wanted.is_all() { count } else { u32::MAX };
        let action = Action::Logs { target, lines, follow: self.follow };
        let Reply::Logs(Logs { lines, captured }) = client.ask(&Command { action, wait_ms: None })?? else {
            return Err(Failed::new(1, "the supervisor's answer holds no lines; is it of an older version?"));
        };
        let lines: Vec<&LogLine> =
            lines.iter().filter(|line| wanted.is(Some(&stamp::of(line.at)), &line.text)).collect();
        let skipped = lines.len().saturating_sub(count as usize);
        lines.into_iter().skip(skipped).try_for_each(show)?;
        if !captured {
            crate::cli::output::complaint::complain(
                "what workers write goes to the supervisor's own stdout and stderr, and is not kept: start the cluster \
                 with --capture, or in the background, to see it here",
            );
        }
        while self.follow
            && let Some(line) = client.follow()?
        {
            let at = wire::read_time(&line).unwrap_or_default();
            match wire::read_event(&line) {
                Some(Event::Line { worker, stream, text }) if wanted.is(Some(&stamp::of(at)), &text) => {
                    show(&LogLine { at, worker, stream, text })?;
                }
                Some(Event::Missed { count }) => {
                    crate::cli::output::complaint::complain(format_args!(
                        "{count} lines were missed: they came faster than they were shown"
                    ));
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn show(&self, cluster: &str, line: &LogLine) -> Result<(), Failed> {
        if self.json {
            let text = serde_json::to_string(line).unwrap_or_default();
            return out::print(&format!("{}\n", plain::json(&text)));
        }
        out::print(&format!("{}\n", text_of(cluster, line)))
    }
}

/// As the supervisor would have written it.
fn text_of(cluster: &str, line: &LogLine) -> String {
    let (time, text) = (stamp::of(line.at), shown(&line.text));
    match (&line.worker, line.stream) {
        (Some(worker), LogStream::Stderr) => format!("{time} [{cluster}/{worker}] stderr: {text}"),
        (Some(worker), LogStream::Stdout | LogStream::Log) => format!("{time} [{cluster}/{worker}] {text}"),
        (None, _) => format!("{time} clustermon {cluster}: {text}"),
    }
}

/// The time so long ago, as lines begin with it.
#[expect(clippy::disallowed_methods, reason = "lines tell when they were written by the time of day")]
fn earliest(since: Duration) -> String {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    stamp::of(now.saturating_sub(since).as_millis() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_tell_who_wrote_them() {
        let line = |worker: Option<&str>, stream, text: &str| LogLine {
            at: 1_767_323_045_678,
            worker: worker.map(str::to_owned),
            stream,
            text: text.to_owned(),
        };
        for (line, expected) in [
            (line(Some("2"), LogStream::Stdout, "up"), "[web/2] up"),
            (line(Some("2"), LogStream::Stderr, "\x1b[31moh\x1b[0m\x07"), "[web/2] stderr: oh\\u{7}"),
            (line(None, LogStream::Log, "worker 2 started"), "clustermon web: worker 2 started"),
        ] {
            assert_eq!(text_of("web", &line), format!("2026-01-02T03:04:05.678Z {expected}"));
        }
        assert!(earliest(Duration::from_secs(60)) < earliest(Duration::ZERO));
    }
}
