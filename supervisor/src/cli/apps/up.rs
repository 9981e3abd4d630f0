//! `clustermon up`: has the apps of a file run as it says, each once those are ready that it starts after. What runs already is changed where
//! the file says something else by now.

use super::chosen::{Chosen, with_those_before};
use super::plan::{Gone, Plan, Wanted, arguments};
use super::running::{self, Planned, before};
use super::turns::{self, Turn};
use super::{Depth, foreground};
use crate::api::{Action, Command, NO_LIMIT, Target};
use crate::cli::connection::waiting::carry_out;
use crate::cli::output::complaint::complain;
use crate::cli::output::failed::{Failed, USAGE};
use crate::cli::output::out;
use crate::cli::starting::detach;
use crate::config::Control;
use crate::io::sockets::activation;
use std::path::Path;
use std::process::ExitCode;

/// It is there where systemd is the service manager (sd_booted).
const SYSTEMD_RUNS: &str = "/run/systemd/system";

/// Start the apps of a file, each once those are ready that it starts after
#[derive(Debug, clap::Args)]
#[command(override_usage = "clustermon up [OPTIONS] [FILE] [APP]...", after_help = crate::cli::EXIT_CODES)]
pub(in crate::cli) struct Args {
    #[command(flatten)]
    chosen: Chosen,
    /// Run them in the background; return once each is ready, or with the log of those that are not
    #[arg(short, long)]
    detach: bool,
    /// Say what would be started, changed and stopped, and do nothing
    #[arg(long)]
    dry_run: bool,
}

impl Args {
    pub(in crate::cli) fn run(&self) -> Result<ExitCode, Failed> {
        if activation::count() > 0 {
            let told = "a service manager has passed sockets (LISTEN_FDS), and nobody says which app they are for: \
                        take `clustermon run` for the app, as `clustermon unit run` does";
            return Err(Failed::new(USAGE, told));
        }
        let (file, mut names) = self.chosen.read(Depth::Run)?;
        let path = file.source.absolute()?;
        let all: Vec<_> = file.apps.iter().map(|(app, _)| app.clone()).collect();
        let known: Vec<_> = all.iter().map(|app| app.name.clone()).collect();
        let is_all = names.is_empty();
        names = with_those_before(&names, &all);
        let apps: Vec<Planned> =
            file.apps.into_iter().filter(|(app, _)| names.is_empty() || names.contains(&app.name)).collect();
        if let Some((app, _)) = apps.iter().find(|(_, config)| self.detach && config.control == Control::Off)
        {
            let told = format!(
                "{}: with control = \"none\" nobody could find it in the background, nor stop it",
                app.name
            );
            return Err(Failed::new(USAGE, told));
        }
        let plan = Plan::make(&path, &apps, is_all.then_some(&known))?;
        if self.dry_run || !plan.is_plain_start() {
            plan.tell(&apps)?;
        }
        if self.dry_run {
            return out::print("clustermon: nothing was started or changed\n").map(|()| ExitCode::SUCCESS);
        }
        let Plan { steps, gone } = plan;
        let ended = gone.into_iter().map(end).fold(true, |all, is_ended| all & is_ended);
        let apps = Wanted { apps: &apps, steps: &steps, file: &path };
        if !self.detach {
            return foreground::run(apps);
        }
        let count = apps.apps.len();
        let turns =
            turns::take(count, |number| before(apps.apps, number), |number, turn| start(apps, number, turn));
        let done = turns.iter().filter(|turn| **turn == Turn::Done).count();
        if done == count && ended {
            // What to do elsewhere is another matter.
            if !Path::new(SYSTEMD_RUNS).is_dir() {
                return Ok(ExitCode::SUCCESS);
            }
            let told = format!(
                "clustermon: they do not come back by themselves after a reboot; with `clustermon unit --install{}` systemd starts them\n",
                self.chosen.file_again()
            );
            return out::print(&told).map(|()| ExitCode::SUCCESS);
        }
        Err(Failed::new(1, format!("{done} of {count} apps run as the file says")))
    }
}

/// Stops what is no app any more; false if it goes on.
fn end(mut gone: Gone) -> bool {
    let stop = Command { action: Action::Stop { target: Target::Cluster }, wait_ms: Some(NO_LIMIT) };
    carry_out(&mut gone.client, &gone.name, &stop)
        .inspect_err(|failed| {
            complain(format_args!(
                "{}: {}",
                gone.name,
                failed.message.as_deref().unwrap_or("cannot be stopped")
            ));
        })
        .is_ok()
}

fn start(wanted: Wanted<'_>, number: usize, turn: Turn) -> Turn {
    let (app, _) = &wanted.apps[number];
    if turn == Turn::Skipped {
        let before: Vec<_> = app.after.iter().map(|(name, _)| name.as_str()).collect();
        let why = match before[..] {
            [one] => format!("{one} is not ready"),
            _ => format!("not all of {} are ready", before.join(", ")),
        };
        complain(format_args!("{}: not started, because {why}", app.name));
        running::leave_word(&wanted.apps[number], &why);
        return Turn::Failed;
    }
    if let Some(is_good) = wanted.settle(number) {
        return if is_good { Turn::Done } else { Turn::Failed };
    }
    let mut words = arguments(app, wanted.file, &[]);
    words.insert(0, "--detach".into());
    let log = app.log();
    let background = detach::Background {
        name: &app.name,
        words,
        env: Some(&app.env),
        log: log.as_deref().map(Path::new),
    };
    match detach::start(background) {
        Ok(()) => Turn::Done,
        Err(failed) => {
            let why = failed
                .message
                .unwrap_or_default()
                .replace("give --log FILE", "write log = \"FILE\" in the file");
            complain(format_args!("{}: {why}", app.name));
            Turn::Failed
        }
    }
}
