//! The commands for the file of several apps, `clustermon.toml`: what they have in common is reading it and telling what is wrong with it.

pub(super) mod check;
mod child;
mod chosen;
pub(super) mod down;
mod foreground;
pub(super) mod init;
pub(super) mod place;
mod plan;
pub(super) mod running;
pub(super) mod schema;
mod source;
mod turns;
pub(super) mod up;

use crate::app_file::{self, App, AppFile, Fault, Options, Report, Wanted};
use crate::cli::output::failed::{Failed, USAGE};
use crate::cli::output::out;
use crate::cli::starting::run;
use crate::config::Config;
use crate::io::output::log_file;
use source::Source;
use std::ffi::OsString;
use std::path::Path;

/// What the file is called where nothing else is said.
const NAME: &str = "clustermon.toml";

/// A file without fault.
#[derive(Debug)]
pub(super) struct Apps {
    pub(super) source: Source,
    options: Options,
    /// In the order in which they start.
    pub(super) apps: Vec<(App, Config)>,
}

/// How much of what the file names is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Depth {
    /// Programs, folders and files of variables too: whatever `run` would refuse to start is a fault.
    All,
    /// The same, and paths are said from the root: for who may be somewhere else the next time.
    Run,
    /// The file alone, for who stops apps: their programs may be gone.
    File,
    /// The same of a file that may belong to anybody, for who runs nothing of what it says.
    OfAnyOwner,
}

impl Apps {
    /// Reads the file, or the one that is there, with that profile. All that is wrong is told at once.
    pub(super) fn read(file: Option<&Path>, profile: Option<&str>, depth: Depth) -> Result<Self, Failed> {
        let source = Source::read(file, depth == Depth::OfAnyOwner)?;
        let options = Options::of(run::command());
        let folder = if depth == Depth::Run { source.absolute_folder()? } else { source.folder().to_owned() };
        let wanted = Wanted { options: &options, folder: &folder, profile };
        let (file, mut faults) = app_file::read(&source.text, wanted);
        let AppFile { apps, secrets } = file;
        let mut ready = Vec::new();
        for app in apps {
            let build = |mut words: Vec<OsString>| {
                // Beside which alone there can be a --log.
                words.insert(0, "--detach".into());
                run::Args::read(words)?.config().map_err(|fault| fault.to_string())
            };
            let (config, more) = app.settle(&options, build);
            faults.extend(more);
            let Some(config) = config else { continue };
            let prepared = match depth {
                Depth::All | Depth::Run => {
                    faults.extend(fault_of_log(&app, &options));
                    crate::prepare(&config).and_then(|_| match depth {
                        // `up` says the folder from the root, and has to be let in.
                        Depth::All => crate::prepare(&in_folder(&config, &source)).map(drop),
                        _ => Ok(()),
                    })
                }
                Depth::File | Depth::OfAnyOwner => Ok(()),
            };
            match prepared {
                Ok(()) => ready.push((app, config)),
                Err(error) if error.exit_code() == USAGE => {
                    faults.extend(app.fault(&options, &error.to_string()));
                }
                Err(error) => return Err(Failed::new(error.exit_code(), error.to_string())),
            }
        }
        if faults.is_empty() {
            return Ok(Self { source, options, apps: ready });
        }
        faults.sort_by(|one, other| (one.span.start, &one.what).cmp(&(other.span.start, &other.what)));
        // What is said of all apps is at fault for each of them.
        faults.dedup();
        let report = Report::new(&source.name(), &source.text, &secrets, &faults);
        crate::cli::output::complaint::show(&report.render(out::colours_of_stderr()));
        let count = if faults.len() == 1 { "1 fault".to_owned() } else { format!("{} faults", faults.len()) };
        Err(Failed::new(USAGE, format!("{}: {count}; nothing was started or changed", source.name())))
    }
}

/// The file of its log cannot be there. It is made only when the app starts.
fn fault_of_log(app: &App, options: &Options) -> Option<Fault> {
    let log = app.log()?;
    let why = log_file::place::fault_of_folder(Path::new(&log))?;
    app.fault(options, &format!("--log {log:?}: {why}"))
}

/// The same cluster in the folder of the file, if nothing says where it runs.
fn in_folder(config: &Config, source: &Source) -> Config {
    let mut config = config.clone();
    if config.settings.program.cwd.is_none() {
        config.settings.program.cwd = source.absolute_folder().ok();
    }
    config
}
