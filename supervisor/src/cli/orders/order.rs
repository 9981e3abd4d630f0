//! The commands that change something: what each is called on the command line, and the request it becomes.

use crate::api::{Action, Command, ScaleTo, Target};
use crate::cli::connection::target::{At, Whom};
use crate::cli::connection::waiting::{Wait, carry_out};
use crate::cli::output::failed::Failed;
use std::str::FromStr;

/// Whom, and whether to wait.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    #[command(flatten)]
    whom: Whom,
    #[command(flatten)]
    wait: Wait,
}

/// `cordon` and `uncordon` want to be told whom.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct CordonArgs {
    /// Worker, or all of a cluster: [NAME][/ID]; NAME may be left out when exactly one cluster of this user runs
    #[arg(value_name = "[NAME][/ID]")]
    target: crate::cli::connection::target::Named,
    #[command(flatten)]
    at: At,
}

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct SignalArgs {
    /// Signal, by name or number: HUP, SIGUSR2, 10
    #[arg(value_name = "SIGNAL", value_parser = crate::settings::signal::number)]
    signal: i32,
    #[command(flatten)]
    whom: Whom,
}

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct ReloadArgs {
    /// Cluster; may be left out when exactly one of this user runs
    #[arg(value_name = "NAME")]
    name: Option<String>,
    #[command(flatten)]
    at: At,
    /// End the reload that is under way: the new processes that have yet to take a place go, the old ones go on
    #[arg(long)]
    abort: bool,
    #[command(flatten)]
    wait: Wait,
}

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct ScaleArgs {
    /// Number of workers, or a change of it: 4, web=4, +1, web=-2
    #[arg(value_name = "[NAME=]N", allow_hyphen_values = true)]
    to: Scale,
    #[command(flatten)]
    at: At,
    #[command(flatten)]
    wait: Wait,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Scale {
    name: Option<String>,
    workers: ScaleTo,
}

impl Args {
    pub(in crate::cli) fn run(&self, action: impl FnOnce(Target) -> Action) -> Result<(), Failed> {
        let command = Command { action: action(self.whom.target()), wait_ms: self.wait.ms() };
        carry_out(&mut self.whom.connect()?, &command)
    }
}

impl CordonArgs {
    pub(in crate::cli) fn run(self, action: impl FnOnce(Target) -> Action) -> Result<(), Failed> {
        let whom = Whom { target: self.target, at: self.at };
        let command = Command { action: action(whom.target()), wait_ms: None };
        carry_out(&mut whom.connect()?, &command)
    }
}

impl SignalArgs {
    pub(in crate::cli) fn run(&self) -> Result<(), Failed> {
        let action = Action::Signal { target: self.whom.target(), signal: self.signal };
        carry_out(&mut self.whom.connect()?, &Command { action, wait_ms: None })
    }
}

impl ReloadArgs {
    pub(in crate::cli) fn run(&self) -> Result<(), Failed> {
        let mut client = self.at.connect(self.name.as_deref())?;
        let action = if self.abort { Action::AbortReload } else { Action::Reload };
        carry_out(&mut client, &Command { action, wait_ms: self.wait.ms() })
    }
}

impl ScaleArgs {
    pub(in crate::cli) fn run(&self) -> Result<(), Failed> {
        let action = Action::Scale { workers: self.to.workers };
        let mut client = self.at.connect(self.to.name.as_deref())?;
        carry_out(&mut client, &Command { action, wait_ms: self.wait.ms() })
    }
}

impl FromStr for Scale {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (name, number) = match text.rsplit_once('=') {
            Some(("", _)) => return Err("no cluster is named before the `=`"),
            Some((name, number)) => (Some(name.to_owned()), number),
            None => (None, text),
        };
        let odd = "write a number of workers, or +N or -N for a change";
        if matches!(number, "0" | "+0" | "-0") {
            return Err("a cluster has at least 1 worker; to end it: clustermon stop");
        }
        let workers = if number.starts_with(['+', '-']) {
            ScaleTo::By(number.parse().map_err(|_| odd)?)
        } else {
            ScaleTo::To(number.parse().map_err(|_| odd)?)
        };
        Ok(Self { name, workers })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_workers() {
        let scale = |name: Option<&str>, workers| Ok(Scale { name: name.map(str::to_owned), workers });
        for (text, expected) in [
            ("4", scale(None, ScaleTo::To(4))),
            ("+1", scale(None, ScaleTo::By(1))),
            ("-2", scale(None, ScaleTo::By(-2))),
            ("web=3", scale(Some("web"), ScaleTo::To(3))),
            ("web=-2", scale(Some("web"), ScaleTo::By(-2))),
        ] {
            assert_eq!(text.parse(), expected, "{text}");
        }
        for text in ["0", "+0", "web=-0", "", "=4", "web", "web=", "4.5", "+-1", "99999999999"] {
            assert!(text.parse::<Scale>().is_err(), "{text}");
        }
    }
}
