//! What `up` is about to do: what of each app is another way in the file than in the cluster that runs. All of it is asked and told before
//! anything is touched.

use super::running::{Planned, connect, foreign};
use crate::api::{Action, ClusterState, Command, Difference, NO_LIMIT, Reply, Takes};
use crate::app_file::App;
use crate::cli::connection::client::Client;
use crate::cli::connection::waiting::carry_out;
use crate::cli::connection::{target, vacancy};
use crate::cli::output::complaint::complain;
use crate::cli::output::failed::{Failed, USAGE};
use crate::cli::output::out;
use std::ffi::OsString;
use std::path::Path;

/// What is to be done about one app.
#[derive(Debug)]
pub(super) enum Step {
    Start,
    /// It runs as the file says.
    Leave {
        pid: u32,
    },
    /// It runs, and was made by something else than this file.
    Foreign {
        pid: u32,
        by: String,
    },
    /// It runs by what the file said before.
    Change(Vec<Difference>),
}

/// A cluster that was an app of the file, and is none any more.
#[derive(Debug)]
pub(super) struct Gone {
    pub(super) name: String,
    pub(super) client: Client,
}

/// Steps in the order of the apps.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) steps: Vec<Step>,
    pub(super) gone: Vec<Gone>,
}

impl Plan {
    /// Asks every cluster that runs. If one refuses what the file says of it, or cannot be asked, that is told of all, and there is no plan.
    /// `all`: every app of the file, where these are all that are to run; then who is no app any more is gone.
    pub(super) fn make(file: &Path, apps: &[Planned], all: Option<&[String]>) -> Result<Self, Failed> {
        let mut refused = 0;
        let mut steps = Vec::new();
        for planned in apps {
            vacancy::wait(&planned.1, complain);
            match step(file, planned) {
                Ok(step) => steps.push(step),
                Err(failed) => {
                    refused += 1;
                    complain(format_args!(
                        "{}: {}",
                        planned.0.name,
                        failed.message.as_deref().unwrap_or("cannot be asked")
                    ));
                }
            }
        }
        match refused {
            0 => Ok(Self { steps, gone: all.map_or_else(Vec::new, |all| gone(file, all)) }),
            1 => Err(Failed::new(USAGE, "1 app cannot be as the file says; nothing was started or changed")),
            _ => Err(Failed::new(
                USAGE,
                format!("{refused} apps cannot be as the file says; nothing was started or changed"),
            )),
        }
    }

    /// Nothing runs that is another way, and nothing is to stop.
    pub(super) fn is_plain_start(&self) -> bool {
        self.gone.is_empty() && self.steps.iter().all(|step| matches!(step, Step::Start))
    }

    /// Says what is to be done.
    pub(super) fn tell(&self, apps: &[Planned]) -> Result<(), Failed> {
        let told = apps.iter().zip(&self.steps).flat_map(|((app, _), step)| lines(&app.name, step));
        let gone =
            self.gone.iter().map(|gone| format!("{}: stops, for the file has it no longer", gone.name));
        let lines: String = told.chain(gone).map(|line| format!("clustermon {line}\n")).collect();
        out::print(&lines)
    }
}

/// Apps that are to run, and what is to be done about each.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wanted<'a> {
    pub(super) apps: &'a [Planned],
    pub(super) steps: &'a [Step],
    /// Which file says so.
    pub(super) file: &'a Path,
}

impl Wanted<'_> {
    /// What was done about an app that runs already: whether it is as the file says, or is to stay as it is. `None` if it is to be started.
    pub(super) fn settle(&self, number: usize) -> Option<bool> {
        match &self.steps[number] {
            Step::Start => None,
            Step::Leave { .. } | Step::Foreign { .. } => Some(true),
            Step::Change(differences) => Some(change(self.file, &self.apps[number], differences)),
        }
    }
}

/// What `run` is told of the app, from behind `run`.
pub(super) fn arguments(app: &App, file: &Path, without: &[String]) -> Vec<OsString> {
    let mut word = OsString::from("--app-file=");
    word.push(file);
    std::iter::once(word).chain(app.arguments(without)).collect()
}

/// Has a cluster be as the file says. False if it is as before instead, which has been told.
fn change(file: &Path, (app, config): &Planned, differences: &[Difference]) -> bool {
    let Some(mut client) = connect(config) else {
        complain(format_args!("{}: does not run any more", app.name));
        return false;
    };
    let later: Vec<_> = differences
        .iter()
        .filter(|found| found.takes == Takes::Start)
        .map(|found| found.what.as_str())
        .collect();
    if later.len() < differences.len() {
        let command = configure(app, file, false);
        match command.map(|command| carry_out(&mut client, &app.name, &command)) {
            Ok(Ok(())) => {}
            Ok(Err(failed)) | Err(failed) => {
                let why = failed.message.unwrap_or_default();
                complain(format_args!("{}: runs as before: {why}", app.name));
                return false;
            }
        }
    }
    if !later.is_empty() {
        complain(format_args!(
            "{name}: {} cannot be changed while it runs: `clustermon down {name}` and `up` again",
            later.join(", "),
            name = app.name
        ));
    }
    later.is_empty()
}

fn step(file: &Path, planned: &Planned) -> Result<Step, Failed> {
    let (app, config) = planned;
    let Some(mut client) = connect(config) else { return Ok(Step::Start) };
    let inspection = client.inspect()?;
    let pid = inspection.pid;
    if inspection.state == ClusterState::Stopping {
        return Ok(Step::Start);
    }
    if let Some(by) = foreign(file, &inspection) {
        return Ok(Step::Foreign { pid, by });
    }
    match client.ask(&configure(app, file, true)?)?? {
        Reply::Differences(differences) if differences.is_empty() => Ok(Step::Leave { pid }),
        Reply::Differences(differences) => Ok(Step::Change(differences)),
        _ => Err(Failed::new(1, "the supervisor's answer holds no differences")),
    }
}

fn configure(app: &App, file: &Path, check: bool) -> Result<Command, Failed> {
    let words = arguments(app, file, &[]).into_iter().map(OsString::into_string);
    let arguments = words.collect::<Result<_, _>>();
    let arguments = arguments.map_err(|word| Failed::new(USAGE, format!("{word:?} is not UTF-8")))?;
    let action = Action::Configure { arguments, variables: app.env.clone(), check };
    Ok(Command { action, wait_ms: (!check).then_some(NO_LIMIT) })
}

/// Clusters that this file has started, and that are none of its apps.
fn gone(file: &Path, all: &[String]) -> Vec<Gone> {
    let running = target::running(&target::directories()).into_iter();
    let found = running.filter(|(name, _)| !all.contains(name)).filter_map(|(name, client)| {
        let mut client = client.ok()?;
        let inspection = client.inspect().ok()?;
        let is_own = foreign(file, &inspection).is_none();
        (is_own && inspection.state != ClusterState::Stopping).then_some(Gone { name, client })
    });
    found.collect()
}

/// What is to be done about the app, a line for each thing.
fn lines(name: &str, step: &Step) -> Vec<String> {
    match step {
        Step::Start => vec![format!("{name}: starts")],
        Step::Leave { pid } => vec![format!("{name}: runs already, pid {pid}, and is left as it is")],
        Step::Foreign { pid, by } => {
            vec![format!("{name}: runs already, pid {pid}, started by {by}, and is left as it is")]
        }
        Step::Change(differences) => {
            differences.iter().map(|found| format!("{name}: {}", line(found))).collect()
        }
    }
}

fn line(found: &Difference) -> String {
    let what = &found.what;
    let how = match found.takes {
        Takes::Nothing => "at once",
        Takes::Reload => "by a reload",
        _ => "only by a new start",
    };
    match (&found.from, &found.to) {
        (Some(from), Some(to)) => format!("{what}: {from} -> {to} ({how})"),
        (None, Some(to)) => format!("{what}: now {to} ({how})"),
        (Some(from), None) => format!("{what}: no longer {from} ({how})"),
        (None, None) => format!("{what} ({how})"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_thing_is_a_line() {
        let found = |what: &str, from: Option<&str>, to: Option<&str>, takes| {
            Difference::new(what, from.map(str::to_owned), to.map(str::to_owned), takes)
        };
        let differences = vec![
            found("workers", Some("2"), Some("4"), Takes::Nothing),
            found("env PORT", None, Some("set"), Takes::Reload),
            found("log", Some("a.log"), None, Takes::Start),
        ];
        let told = lines("web", &Step::Change(differences));
        let expected = [
            "web: workers: 2 -> 4 (at once)",
            "web: env PORT: now set (by a reload)",
            "web: log: no longer a.log (only by a new start)",
        ];
        assert_eq!(told, expected);
    }
}
