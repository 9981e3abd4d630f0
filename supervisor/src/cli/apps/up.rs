//! `clustermon up`: starts the apps of a file, each once those are ready that it starts after. Each app is a process of its own, as `run`
//! makes it, so that it can be commanded, fail and stop by itself.

use super::chosen::{Chosen, with_those_before};
use super::running::{Planned, before, runs_already};
use super::turns::{self, Turn};
use super::{Depth, foreground};
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
}

impl Args {
    pub(in crate::cli) fn run(&self) -> Result<ExitCode, Failed> {
        if activation::count() > 0 {
            let told = "a service manager has passed sockets (LISTEN_FDS), and nobody says which app they are for: \
                        take `clustermon run` for the app, as `clustermon unit run` does";
            return Err(Failed::new(USAGE, told));
        }
        let (file, mut names) = self.chosen.read(Depth::All)?;
        let all: Vec<_> = file.apps.iter().map(|(app, _)| app.clone()).collect();
        names = with_those_before(&names, &all);
        let apps: Vec<Planned> =
            file.apps.into_iter().filter(|(app, _)| names.is_empty() || names.contains(&app.name)).collect();
        if !self.detach {
            return foreground::run(&apps);
        }
        if let Some((app, _)) = apps.iter().find(|(_, config)| config.control == Control::Off) {
            let told = format!(
                "{}: with control = \"none\" nobody could find it in the background, nor stop it",
                app.name
            );
            return Err(Failed::new(USAGE, told));
        }
        let turns = turns::take(
            apps.len(),
            |number| before(&apps, number),
            |number, turn| start(&apps[number], turn),
        );
        let done = turns.iter().filter(|turn| **turn == Turn::Done).count();
        if done == apps.len() {
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
        Err(Failed::new(1, format!("{done} of {} apps run", apps.len())))
    }
}

fn start(planned: &Planned, turn: Turn) -> Turn {
    let (app, _) = planned;
    if turn == Turn::Skipped {
        let before: Vec<_> = app.after.iter().map(|(name, _)| name.as_str()).collect();
        let why = match before[..] {
            [one] => format!("{one} is not ready"),
            _ => format!("not all of {} are ready", before.join(", ")),
        };
        complain(format_args!("{}: not started, because {why}", app.name));
        return Turn::Failed;
    }
    if runs_already(planned) {
        return Turn::Done;
    }
    let mut words = app.arguments(&[]);
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
