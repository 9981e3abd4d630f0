//! The commands that change something: what each is called on the command line, and the request it becomes. Each may be for several
//! clusters and workers.

use crate::api::{Action, Command, ScaleTo, Target};
use crate::cli::connection::target::{self, At, Found, Named, Whom};
use crate::cli::connection::waiting::Wait;
use crate::cli::connection::{at_once, left};
use crate::cli::output::failed::{ABSENT, Failed, USAGE};
use crate::cli::output::out;
use crate::io::control::last_end;
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
    /// Workers, or all of a cluster: [NAME][/ID], or all; NAME may be left out when exactly one cluster of this user runs
    #[arg(value_name = "[NAME][/ID]|all", required = true)]
    targets: Vec<Named>,
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
    /// Clusters, or all; may be left out when exactly one of this user runs
    #[arg(value_name = "NAME|all")]
    names: Vec<String>,
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
    /// Number of workers, or a change of it: 4, web=4, +1, web=-2, all=+1; or clusters, and last the number of each: web api 4
    #[arg(value_name = "[NAME=]N", allow_negative_numbers = true, required = true)]
    words: Vec<Word>,
    #[command(flatten)]
    at: At,
    #[command(flatten)]
    wait: Wait,
}

/// A word of `scale`.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Word {
    /// Of this cluster, or of whom other words name.
    Number {
        name: Option<String>,
        workers: ScaleTo,
    },
    Name(String),
}

impl Args {
    pub(in crate::cli) fn run(&self, action: impl Fn(Target) -> Action + Sync) -> Result<(), Failed> {
        let wait_ms = self.wait.ms();
        at_once::order(self.whom.find()?, |target| Command { action: action(target.clone()), wait_ms })
    }
}

impl Args {
    /// Stops them. Of one that has failed and is gone what is known of its end is removed: nobody is to be shown it any more.
    pub(in crate::cli) fn stop(&self) -> Result<(), Failed> {
        let wait_ms = self.wait.ms();
        let (mut others, mut forgotten) = (Vec::new(), 0);
        for found in self.whom.find()? {
            let is_gone = matches!(&found.client, Err(failed) if failed.code == ABSENT);
            let end = (is_gone && found.target == Target::Cluster)
                .then(|| target::end_of(found.name.as_deref(), &self.whom.at));
            match end.flatten() {
                Some((path, _)) if last_end::remove(&path) => {
                    forgotten += 1;
                    out::print(&format!(
                        "clustermon {}: had failed already, and is forgotten\n",
                        found.label
                    ))?;
                }
                _ if is_gone
                    && found.target == Target::Cluster
                    && found.name.as_deref().is_some_and(left::forget) =>
                {
                    forgotten += 1;
                    out::print(&format!(
                        "clustermon {}: its supervisor was killed before, and it is forgotten\n",
                        found.label
                    ))?;
                }
                _ => others.push(found),
            }
        }
        if others.is_empty() && forgotten > 0 {
            return Ok(());
        }
        at_once::order(others, |target| Command { action: Action::Stop { target: target.clone() }, wait_ms })
    }
}

impl CordonArgs {
    pub(in crate::cli) fn run(&self, action: impl Fn(Target) -> Action + Sync) -> Result<(), Failed> {
        let found = self.at.find(&self.targets)?;
        at_once::order(found, |target| Command { action: action(target.clone()), wait_ms: None })
    }
}

impl SignalArgs {
    pub(in crate::cli) fn run(&self) -> Result<(), Failed> {
        let action = |target: &Target| Action::Signal { target: target.clone(), signal: self.signal };
        at_once::order(self.whom.find()?, |target| Command { action: action(target), wait_ms: None })
    }
}

impl ReloadArgs {
    pub(in crate::cli) fn run(&self) -> Result<(), Failed> {
        let action = || if self.abort { Action::AbortReload } else { Action::Reload };
        let found = self.at.find(&clusters(&self.names))?;
        at_once::order(found, |_| Command { action: action(), wait_ms: self.wait.ms() })
    }
}

/// Clusters of these names; the only one if there are none.
pub(super) fn clusters(names: &[String]) -> Vec<Named> {
    let named = |name: &String| Named { name: Some(name.clone()), id: None };
    if names.is_empty() { vec![Named::default()] } else { names.iter().map(named).collect() }
}

impl ScaleArgs {
    pub(in crate::cli) fn run(&self) -> Result<(), Failed> {
        let mut wanted = Vec::new();
        for (names, workers) in meant(&self.words)? {
            for found in self.at.find(&clusters(&names))? {
                // Who is named beside `all` is to have what stands first.
                if !wanted.iter().any(|(earlier, _): &(Found, _)| earlier.label == found.label) {
                    wanted.push((found, workers));
                }
            }
        }
        let workers: Vec<_> = wanted.iter().map(|(found, workers)| (found.label.clone(), *workers)).collect();
        let found = wanted.into_iter().map(|(found, _)| found).collect();
        at_once::each(found, |client, label, _| {
            let Some((_, workers)) = workers.iter().find(|(of, _)| of == label) else { return Ok(()) };
            let command = Command { action: Action::Scale { workers: *workers }, wait_ms: self.wait.ms() };
            crate::cli::connection::waiting::carry_out(client, label, &command)
        })
    }
}

/// How many workers which clusters are to have; no name is the only cluster there is.
fn meant(words: &[Word]) -> Result<Vec<(Vec<String>, ScaleTo)>, Failed> {
    let (mut meant, mut names) = (Vec::new(), Vec::new());
    for word in words {
        match word {
            Word::Name(name) => names.push(name.clone()),
            Word::Number { name: Some(name), workers } if names.is_empty() => {
                meant.push((vec![name.clone()], *workers));
            }
            Word::Number { name: None, workers } => meant.push((std::mem::take(&mut names), *workers)),
            Word::Number { name: Some(name), .. } => {
                let told = format!("say how many workers {} is to have before {name}=", names.join(", "));
                return Err(Failed::new(USAGE, told));
            }
        }
    }
    match names.last() {
        None => Ok(meant),
        Some(name) => Err(Failed::new(USAGE, format!("{name}: say how many workers: {name}=4, or {name} 4"))),
    }
}

impl FromStr for Word {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (name, number) = match text.rsplit_once('=') {
            Some(("", _)) => return Err("no cluster is named before the `=`"),
            Some((name, number)) => (Some(name.to_owned()), number),
            None if text.starts_with(char::is_alphabetic) => return Ok(Self::Name(text.to_owned())),
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
        Ok(Self::Number { name, workers })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_workers() {
        let number =
            |name: Option<&str>, workers| Ok(Word::Number { name: name.map(str::to_owned), workers });
        for (text, expected) in [
            ("4", number(None, ScaleTo::To(4))),
            ("+1", number(None, ScaleTo::By(1))),
            ("-2", number(None, ScaleTo::By(-2))),
            ("web=3", number(Some("web"), ScaleTo::To(3))),
            ("web=-2", number(Some("web"), ScaleTo::By(-2))),
            ("web", Ok(Word::Name("web".to_owned()))),
        ] {
            assert_eq!(text.parse(), expected, "{text}");
        }
        for text in ["0", "+0", "web=-0", "", "=4", "web=", "4.5", "+-1", "99999999999"] {
            assert!(text.parse::<Word>().is_err(), "{text}");
        }
    }

    #[test]
    fn numbers_are_of_the_names_before_them() {
        let meant = |words: &str| {
            let words: Vec<Word> = words.split(' ').map(|word| word.parse().unwrap()).collect();
            super::meant(&words).map_err(|failed| failed.code)
        };
        let of = |names: &[&str], count| {
            (names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>(), ScaleTo::To(count))
        };
        assert_eq!(meant("4"), Ok(vec![of(&[], 4)]));
        assert_eq!(meant("web=2 api=3"), Ok(vec![of(&["web"], 2), of(&["api"], 3)]));
        assert_eq!(meant("web api 4"), Ok(vec![of(&["web", "api"], 4)]));
        for words in ["web", "web=2 api", "web api=2"] {
            assert_eq!(meant(words), Err(2), "{words}");
        }
    }
}
