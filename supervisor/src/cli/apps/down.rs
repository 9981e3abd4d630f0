//! `clustermon down`: stops the apps of a file, each before those that it started after.

use super::chosen::Chosen;
use super::turns::{self, Turn};
use super::{Depth, running};
use crate::api::{Action, Command, NO_LIMIT, Target};
use crate::cli::connection::waiting::carry_out;
use crate::cli::output::complaint::complain;
use crate::cli::output::failed::Failed;
use crate::cli::output::out;
use crate::config::Control;
use parking_lot::Mutex;

/// Stop the apps of a file, each before those that it starts after
#[derive(Debug, clap::Args)]
#[command(override_usage = "clustermon down [OPTIONS] [FILE] [APP]...", after_help = crate::cli::EXIT_CODES)]
pub(in crate::cli) struct Args {
    #[command(flatten)]
    chosen: Chosen,
}

impl Args {
    pub(in crate::cli) fn run(&self) -> Result<(), Failed> {
        let (file, names) = self.chosen.read(Depth::File)?;
        let apps: Vec<_> =
            file.apps.iter().filter(|(app, _)| names.is_empty() || names.contains(&app.name)).collect();
        let path = file.source.absolute()?;
        let failed = Mutex::new(None);
        let after = |number: usize| {
            let (app, _) = apps[number];
            let others = apps.iter().enumerate();
            others
                .filter(|(_, (other, _))| other.after.iter().any(|(name, _)| *name == app.name))
                .map(|(at, _)| at)
                .collect()
        };
        turns::take(apps.len(), after, |number, _| {
            let (app, config) = apps[number];
            if config.control == Control::Off {
                complain(format_args!("{}: with control = \"none\" it cannot be asked", app.name));
                *failed.lock() = Some(1);
                return Turn::Failed;
            }
            let Some(mut client) = running::connect(config) else {
                running::forget(config);
                let _ = out::print(&format!("clustermon {}: does not run\n", app.name));
                return Turn::Done;
            };
            // One of the same name that somebody else has started is not this file's to stop.
            if let Ok(found) = client.inspect()
                && let Some(by) = running::foreign(&path, &found)
            {
                let _ = out::print(&format!(
                    "clustermon {name}: was started by {by}, and is left as it is; `clustermon stop {name}` stops it\n",
                    name = app.name
                ));
                return Turn::Done;
            }
            let stop = Command { action: Action::Stop { target: Target::Cluster }, wait_ms: Some(NO_LIMIT) };
            match carry_out(&mut client, &app.name, &stop) {
                Ok(()) => Turn::Done,
                Err(why) => {
                    complain(format_args!(
                        "{}: {}",
                        app.name,
                        why.message.as_deref().unwrap_or("cannot be stopped")
                    ));
                    *failed.lock() = Some(why.code);
                    Turn::Failed
                }
            }
        });
        // What was to be told is told already.
        failed.into_inner().map_or(Ok(()), |code| Err(Failed::silent(code)))
    }
}
