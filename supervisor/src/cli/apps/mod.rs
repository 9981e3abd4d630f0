//! The commands for the file of several apps, `clustermon.toml`: what they have in common is reading it and telling what is wrong with it.

pub(super) mod check;
pub(super) mod init;
pub(super) mod schema;
mod source;

use super::failed::{Failed, USAGE};
use super::{out, run};
use crate::app_file::{self, App, AppFile, Options, Report, Wanted};
use crate::config::Config;
use source::Source;
use std::path::PathBuf;

/// What the file is called where nothing else is said.
const NAME: &str = "clustermon.toml";

/// Which file, and which profile of it.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Which {
    /// The file of the apps, or the folder where it is clustermon.toml [default: clustermon.toml]
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
    /// Profile of the file: what [profile.NAME] says beats the rest
    #[arg(long, value_name = "NAME")]
    env: Option<String>,
}

/// A file without fault.
#[derive(Debug)]
pub(super) struct Apps {
    source: Source,
    options: Options,
    /// In the order in which they start.
    apps: Vec<(App, Config)>,
}

impl Which {
    /// Reads the file, and everything that it names. All that is wrong is told at once.
    pub(super) fn read(&self) -> Result<Apps, Failed> {
        let source = Source::read(self.file.as_deref())?;
        let options = Options::of(run::command());
        let wanted = Wanted { options: &options, folder: source.folder(), profile: self.env.as_deref() };
        let (file, mut faults) = app_file::read(&source.text, wanted);
        let AppFile { apps, secrets } = file;
        let mut ready = Vec::new();
        for app in apps {
            let build = |arguments| run::Args::read(arguments)?.config().map_err(|fault| fault.to_string());
            let (config, more) = app.settle(&options, build);
            faults.extend(more);
            let Some(config) = config else { continue };
            match crate::prepare(&config) {
                Ok(_) => ready.push((app, config)),
                Err(error) if error.exit_code() == USAGE => {
                    faults.extend(app.fault(&options, &error.to_string()));
                }
                Err(error) => return Err(Failed::new(error.exit_code(), error.to_string())),
            }
        }
        if faults.is_empty() {
            return Ok(Apps { source, options, apps: ready });
        }
        faults.sort_by_key(|fault| fault.span.start);
        let report = Report::new(&source.name(), &source.text, &secrets, &faults);
        super::show(&report.render(out::colours_of_stderr()));
        let count = if faults.len() == 1 { "1 fault".to_owned() } else { format!("{} faults", faults.len()) };
        Err(Failed::new(USAGE, format!("{}: {count}; nothing was started or changed", source.name())))
    }
}
