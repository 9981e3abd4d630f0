//! How long a command waits for what it asked for, and what it prints then. Ctrl-C ends the waiting and changes nothing in
//! the cluster.

use crate::api::{Action, Command, NO_LIMIT, Reply, ScaleTo, Target};
use crate::cli::connection::client::{Client, Unanswered};
use crate::cli::output::failed::{Failed, INTERRUPTED};
use crate::cli::output::out;
use crate::event_loop::clock;
use crate::settings::duration::Human;
use nix::sys::signal::Signal;
use std::time::Duration;

/// From the answer that a cluster has stopped until its supervisor is gone and its name is free; less where the command
/// waits no longer.
const LAST_STEPS: Duration = Duration::from_secs(10);

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Wait {
    /// Return when it is done: the default, accepted because it once was not
    #[arg(long)]
    wait: bool,
    /// Return as soon as it is begun
    #[arg(long, conflicts_with_all = ["wait", "wait_timeout"])]
    no_wait: bool,
    /// Longest wait; exit code 4 if it takes longer, and it goes on [default: no limit]
    #[arg(long, value_name = "DURATION")]
    wait_timeout: Option<Human>,
}

impl Wait {
    pub(in crate::cli) fn ms(&self) -> Option<u64> {
        // A duration of the command line is a year at most.
        let limit = self.wait_timeout.as_ref().map_or(NO_LIMIT, |limit| limit.0.as_millis() as u64);
        (!self.no_wait).then_some(limit)
    }
}

/// Asks, waits as long as the command says, and prints what was done with the one that people call so.
pub(in crate::cli) fn carry_out(client: &mut Client, label: &str, command: &Command) -> Result<(), Failed> {
    let ends_it = matches!(
        command.action,
        Action::Stop { target: Target::Cluster } | Action::ForceStop { target: Target::Cluster }
    );
    let asked = clock();
    match client.ask(command) {
        Ok(answer) => {
            let told = answer?;
            if ends_it && let Some(wait_ms) = command.wait_ms {
                let rest = Duration::from_millis(wait_ms).saturating_sub(clock() - asked);
                // One that lives on is a program that links the library.
                client.wait_for_end(LAST_STEPS.min(rest));
            }
            match told {
                Reply::Told(told) => out::print(&format!("clustermon {told}\n")),
                Reply::Done => out::print(&format!("clustermon {label}: {}\n", done(&command.action))),
                Reply::Inspection(_) | Reply::Logs(_) | Reply::Differences(_) => Ok(()),
            }
        }
        // The cluster was told to stop, and its supervisor is gone.
        Err(Unanswered::Ended) if ends_it => out::print(&format!("clustermon {label}: stopped\n")),
        Err(Unanswered::Interrupted) => {
            let what = named(&command.action);
            let told = format!("no longer waiting; {what} goes on: see `clustermon status`");
            Err(Failed::new(INTERRUPTED, told))
        }
        Err(unanswered) => Err(unanswered.into()),
    }
}

/// What was done, where the supervisor says no more than that it was.
fn done(action: &Action) -> String {
    let sent = |signal: i32| match Signal::try_from(signal) {
        Ok(signal) => format!("{signal} sent"),
        Err(_) => format!("signal {signal} sent"),
    };
    match action {
        Action::HangUp { .. } => sent(libc::SIGHUP),
        Action::Debug { .. } => sent(libc::SIGUSR1),
        Action::Signal { signal, .. } => sent(*signal),
        Action::Cordon { .. } => "out of rotation".to_owned(),
        Action::Uncordon { .. } => "in rotation again".to_owned(),
        Action::Reopen => "the log was opened anew".to_owned(),
        Action::Flush => "the log was emptied".to_owned(),
        Action::Configure { .. } => "changed".to_owned(),
        _ => "done".to_owned(),
    }
}

/// What is under way, for a sentence.
fn named(action: &Action) -> String {
    match action {
        Action::Start { .. } => "the start".to_owned(),
        Action::Restart { .. } => "the restart".to_owned(),
        Action::Reload => "the reload".to_owned(),
        Action::AbortReload => "the end of the reload".to_owned(),
        Action::Stop { .. } | Action::ForceStop { .. } | Action::Dump { .. } => "the stop".to_owned(),
        Action::Scale { workers: ScaleTo::To(count) } => format!("the change to {count} workers"),
        Action::Scale { workers: ScaleTo::By(_) } => "the change of the number of workers".to_owned(),
        _ => "what was asked for".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        wait: Wait,
    }

    fn ms(words: &[&str]) -> Result<Option<u64>, ()> {
        let line = Line::try_parse_from(["x"].iter().chain(words)).map_err(drop)?;
        Ok(line.wait.ms())
    }

    #[test]
    fn what_was_done_has_words() {
        let target = Target::Cluster;
        let told = |action| done(&action);
        assert_eq!(told(Action::Signal { target: target.clone(), signal: libc::SIGUSR2 }), "SIGUSR2 sent");
        assert_eq!(told(Action::Signal { target: target.clone(), signal: 40 }), "signal 40 sent");
        assert_eq!(told(Action::Cordon { target }), "out of rotation");
    }

    #[test]
    fn to_wait_is_the_default_and_has_no_limit() {
        for (words, expected) in [
            (&[][..], Ok(Some(NO_LIMIT))),
            (&["--wait"], Ok(Some(NO_LIMIT))),
            (&["--no-wait"], Ok(None)),
            (&["--wait-timeout", "5s"], Ok(Some(5_000))),
            (&["--wait", "--wait-timeout", "5s"], Ok(Some(5_000))),
            (&["--wait", "--no-wait"], Err(())),
            (&["--no-wait", "--wait-timeout", "5s"], Err(())),
        ] {
            assert_eq!(ms(words), expected, "{words:?}");
        }
    }
}
