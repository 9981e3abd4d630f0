//! `clustermon unit`: the systemd unit by which a file of apps, or one cluster, is started at each boot. It starts nothing and speaks to no
//! service manager: whoever installs it is told the commands for that.

mod install;
mod machine;

use crate::cli::apps::place::absolute;
use crate::cli::apps::{Apps, Depth, running};
use crate::cli::output::complaint::complain;
use crate::cli::output::failed::{Failed, USAGE};
use crate::cli::output::out;
use crate::cli::output::shell::quoted;
use crate::cli::starting::run;
use crate::config::{Config, Control};
use crate::unit_file::{Account, Hardening, Link, Reload, Surroundings, Unit, Whose, budget, name};
use nix::unistd::Uid;
use std::ffi::OsString;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The first version of systemd that has Type=notify-reload.
const NOTIFY_RELOAD: u32 = 253;

/// Print a systemd unit for a file of apps or for one `run`, by which they come back after a reboot
#[derive(Debug, clap::Args)]
#[command(
    override_usage = "clustermon unit [OPTIONS] [FILE]\n       clustermon unit [OPTIONS] run [OPTIONS OF RUN] [--] COMMAND [ARGS]...",
    subcommand_value_name = "run",
    disable_help_subcommand = true,
    after_help = crate::cli::EXIT_CODES
)]
pub(in crate::cli) struct Args {
    /// For your own service manager (systemctl --user), not the system's
    #[arg(long, global = true)]
    user: bool,
    /// Write it where systemd looks for it, and print the commands that enable it; a file that `clustermon unit` has not written is left as it is
    #[arg(long, global = true)]
    install: bool,
    /// Profile of the file: what [profile.NAME] says beats the rest
    #[arg(long, value_name = "NAME")]
    env: Option<String>,
    /// The file of the apps, or the folder where it is clustermon.toml [default: clustermon.toml]
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
    #[command(subcommand)]
    run: Option<Instead>,
}

/// What there can be instead of a file.
#[derive(Debug, clap::Subcommand)]
enum Instead {
    /// One cluster, by the words that follow `clustermon run`; it runs in the current folder
    Run {
        /// Options of `run`, the server program and its arguments
        #[arg(value_name = "WORDS", trailing_var_arg = true, allow_hyphen_values = true)]
        words: Vec<OsString>,
    },
}

/// A unit, and what it starts.
#[derive(Debug)]
struct Planned {
    unit: Unit,
    clusters: Vec<Config>,
    /// How what runs by hand is stopped.
    stop: String,
}

impl Args {
    pub(in crate::cli) fn run(self) -> Result<(), Failed> {
        let planned = match self.run {
            Some(Instead::Run { .. }) if self.file.is_some() || self.env.is_some() => {
                return Err(Failed::new(USAGE, "give a file of apps, or `run` and its words, not both"));
            }
            Some(Instead::Run { words }) => of_run(words, self.user)?,
            None => of_file(self.file.as_deref(), self.env.as_deref(), self.user)?,
        };
        let text = planned.unit.text().map_err(|why| Failed::new(USAGE, why))?;
        if let Whose::System { user: Some(user), .. } = &planned.unit.whose
            && planned.unit.program.starts_with("/root/")
        {
            let program = &planned.unit.program;
            complain(format_args!(
                "warning: {} cannot run {program}: put it where all may read it",
                user.name
            ));
        }
        if !self.install {
            return out::print(&text);
        }
        let name = &planned.unit.name;
        let folder = install::folder(self.user)?;
        let written = install::write(&folder, name, &text)?;
        let elsewhere = planned.clusters.iter().filter(|config| runs_elsewhere(config, name));
        let elsewhere: Vec<_> = elsewhere.map(|config| config.name.clone()).collect();
        let first = (!elsewhere.is_empty()).then(|| (elsewhere.join(", "), planned.stop));
        out::print(&install::next_steps(&folder, name, written, self.user, first))
    }
}

/// The unit that runs `clustermon up` for a file.
fn of_file(file: Option<&Path>, profile: Option<&str>, user: bool) -> Result<Planned, Failed> {
    let path = absolute(file.unwrap_or(Path::new("")))?;
    let depth = if user { Depth::File } else { Depth::OfAnyOwner };
    let read = Apps::read(Some(&path), profile, depth)?;
    let path = read.source.path();
    let source = machine::text(path)?;
    let folder = machine::text(path.parent().unwrap_or(Path::new("/")))?;
    let (owner, home) = machine::account(read.source.owner());
    let mut words = vec!["up".to_owned()];
    words.extend(profile.map(|profile| format!("--env={profile}")));
    words.push(source.clone());
    let mut surroundings = Surroundings { folders: vec![folder.clone()], home, words: Vec::new() };
    for (app, config) in &read.apps {
        surroundings.add(config, app.arguments(&[]));
        surroundings.words.extend(app.env.0.values().cloned());
    }
    let links: Vec<_> = (0..read.apps.len())
        .map(|number| Link {
            limit: stop_limit(&read.apps[number].1),
            after: running::before(&read.apps, number),
        })
        .collect();
    let unit = Unit {
        description: format!("clustermon apps of {source}"),
        name: name(&subject(path)),
        whose: whose(user, owner, &surroundings),
        folder,
        program: machine::text(&machine::program()?)?,
        words,
        reload: reload(read.apps.iter().map(|(_, config)| config))?,
        stop: budget(&links),
        path: machine::search_path(),
        source,
    };
    let stop = format!("clustermon down {}", quoted(path.as_os_str()));
    Ok(Planned { unit, clusters: read.apps.into_iter().map(|(_, config)| config).collect(), stop })
}

/// The unit that runs `clustermon run` with these words, where they were given.
fn of_run(given: Vec<OsString>, user: bool) -> Result<Planned, Failed> {
    let args = run::Args::read(given.clone()).map_err(|why| Failed::new(USAGE, why))?;
    if args.is_in_background() {
        return Err(Failed::new(USAGE, "--detach: a service stays in the foreground; leave it out"));
    }
    let config = args.config().map_err(|fault| Failed::new(USAGE, fault.to_string()))?;
    let here = absolute(Path::new(""))?;
    let folder = machine::text(&here)?;
    let owner = here.metadata().map_err(|error| Failed::new(1, format!("{folder}: {error}")))?.uid();
    let (owner, home) = machine::account(Uid::from_raw(owner));
    let mut words = vec!["run".to_owned()];
    // By no other name would the reload find it.
    words.extend((!config.name_is_given).then(|| format!("--name={}", config.name)));
    for word in &given {
        words.push(machine::text(Path::new(word))?);
    }
    let mut surroundings = Surroundings { folders: vec![folder.clone()], home, words: Vec::new() };
    surroundings.add(&config, given);
    let unit = Unit {
        source: format!("{} in {folder}", config.name),
        description: format!("clustermon {} in {folder}", config.name),
        name: name(&config.name),
        whose: whose(user, owner, &surroundings),
        folder,
        program: machine::text(&machine::program()?)?,
        words,
        reload: by_notification(reload(std::iter::once(&config))?, machine::systemd_version()),
        stop: budget(&[Link { limit: stop_limit(&config), after: Vec::new() }]),
        path: machine::search_path(),
    };
    let stop = format!("clustermon stop {}", config.name);
    Ok(Planned { unit, clusters: vec![config], stop })
}

impl Surroundings {
    fn add(&mut self, config: &Config, words: Vec<OsString>) {
        let folder = config.settings.program.cwd.as_ref().map(|folder| folder.to_string_lossy().into_owned());
        self.folders.extend(folder);
        self.words.extend(words.iter().map(|word| word.to_string_lossy().into_owned()));
    }
}

fn whose(user: bool, owner: Account, surroundings: &Surroundings) -> Whose {
    if user {
        return Whose::User;
    }
    let owner = Some(owner).filter(|owner| owner.uid != 0);
    Whose::System { user: owner, hardening: Hardening::of(surroundings) }
}

/// The folder says more than the name that all such files have.
fn subject(path: &Path) -> String {
    let stem = path.file_stem().unwrap_or_default();
    let folder = path.parent().and_then(Path::file_name).unwrap_or_default();
    let subject = if stem == "clustermon" { folder } else { stem };
    subject.to_string_lossy().into_owned()
}

/// From the order to stop it until all of it is killed, as a service: where this command runs, a stop may be shorter.
fn stop_limit(config: &Config) -> Option<Duration> {
    let mut stop = config.settings.stop.clone();
    if config.patience.is_some() {
        stop.shutdown_timeout = None;
    }
    stop.shutdown_within()
}

fn reload<'a>(clusters: impl Iterator<Item = &'a Config>) -> Result<Reload, Failed> {
    let mut commands = Vec::new();
    for config in clusters {
        let whom = match &config.control {
            Control::Off => return Ok(Reload::Signal),
            Control::At(path) => vec!["--control".to_owned(), machine::text(path)?],
            Control::ByName => vec![config.name.clone()],
        };
        commands.push([vec!["reload".to_owned()], whom].concat());
    }
    Ok(Reload::Commands(commands))
}

/// One cluster that a signal reloads tells systemd when that is over, where systemd of this version waits for it. (A command is better: it
/// says whether the reload was done.)
fn by_notification(reload: Reload, systemd: Option<u32>) -> Reload {
    match reload {
        Reload::Signal if systemd.is_some_and(|version| version >= NOTIFY_RELOAD) => Reload::Notify,
        other => other,
    }
}

/// Whether it runs already, and not by this unit.
fn runs_elsewhere(config: &Config, unit: &str) -> bool {
    running::pid(config).is_some_and(|pid| !machine::is_of_unit(pid, unit))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{Cli, CliCommand};
    use clap::Parser;

    #[test]
    fn units_are_called_after_what_they_start() {
        for (path, expected) in
            [("/srv/shop/clustermon.toml", "shop"), ("/srv/shop/prod.toml", "prod"), ("/clustermon.toml", "")]
        {
            assert_eq!(subject(Path::new(path)), expected);
        }
    }

    #[test]
    fn the_words_of_run_are_left_to_it() {
        let told = |words: &[&str]| {
            let words = ["clustermon", "unit"].iter().chain(words);
            match Cli::try_parse_from(words).unwrap().command {
                CliCommand::Unit(Args { install, file, run, .. }) => {
                    (install, file, run.map(|Instead::Run { words }| words))
                }
                other => panic!("{other:?}"),
            }
        };
        let run = |words: &[&str]| Some(words.iter().map(OsString::from).collect::<Vec<_>>());
        assert_eq!(told(&[]), (false, None, None));
        assert_eq!(told(&["a.toml", "--install"]), (true, Some("a.toml".into()), None));
        assert_eq!(told(&["--install", "run", "-n", "2", "x"]), (true, None, run(&["-n", "2", "x"])));
        assert_eq!(told(&["run", "--", "x", "--install"]), (false, None, run(&["x", "--install"])));
        assert_eq!(
            told(&["run", "--name=a", "--", "x", "-v", "--", "--help"]),
            (false, None, run(&["--name=a", "--", "x", "-v", "--", "--help"]))
        );
    }

    #[test]
    fn without_a_control_socket_a_signal_reloads() {
        let config = |words: &[&str]| {
            let words = words.iter().map(Into::into).collect();
            run::Args::read(words).unwrap().config().unwrap()
        };
        let told = |all: &[Config]| reload(all.iter()).unwrap();
        let (named, placed) = (config(&["--name=a", "x"]), config(&["--control=/run/b.sock", "x"]));
        let expected = [vec!["reload", "a"], vec!["reload", "--control", "/run/b.sock"]];
        let expected = expected.map(|words| words.into_iter().map(str::to_owned).collect()).to_vec();
        assert_eq!(told(&[named.clone(), placed]), Reload::Commands(expected));
        assert_eq!(told(&[named, config(&["--control=none", "x"])]), Reload::Signal);
        assert_eq!(by_notification(Reload::Signal, Some(253)), Reload::Notify);
        assert_eq!(by_notification(Reload::Signal, Some(252)), Reload::Signal);
        assert_eq!(by_notification(Reload::Signal, None), Reload::Signal);
        assert_eq!(by_notification(Reload::Commands(Vec::new()), Some(257)), Reload::Commands(Vec::new()));
    }

    #[test]
    fn where_this_command_runs_does_not_shorten_the_stop() {
        let words = ["--stop-timeout=40s", "x"].map(Into::into).to_vec();
        let config = run::Args::read(words).unwrap().config().unwrap();
        assert_eq!(stop_limit(&config), Some(Duration::from_secs(40)));
        let mut config = run::Args::read(vec!["x".into()]).unwrap().config().unwrap();
        config.patience = Some(Duration::from_secs(10));
        config.settings.stop.shutdown_timeout = Some(Duration::from_secs(8));
        assert_eq!(stop_limit(&config), Some(Duration::from_secs(25)));
    }
}
