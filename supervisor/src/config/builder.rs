//! Makes a [`Config`] from options. One method per option of `clustermon run`, under the flag's name; each group of options checks
//! itself, and what concerns several is checked in [`Builder::build_for`].

mod lives;
mod privileges;
mod program;
mod traffic;

use super::workers::{Workers, logical_ids};
use super::{Config, ConfigError, Control, Program, Settings, name};
use crate::api::{Environment, Health};
use crate::hooks::Hooks;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// Options on the way to a [`Config`]. What is not set has the default that `clustermon run --help` shows.
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until `build`"]
pub struct Builder {
    command: Vec<OsString>,
    name: Option<String>,
    control: Control,
    workers: Option<Workers>,
    logical_ids: Option<Vec<String>>,
    settings: Settings,
    handle_signals: bool,
    patience: Option<Duration>,
    verbose: u8,
    hooks: Hooks,
    options: BTreeMap<String, String>,
}

impl Builder {
    /// A cluster of this command: the program, as given on a command line, then its arguments.
    pub fn new(command: impl IntoIterator<Item = impl Into<OsString>>) -> Self {
        Self {
            command: command.into_iter().map(Into::into).collect(),
            name: None,
            control: Control::Off,
            workers: None,
            logical_ids: None,
            settings: Settings::default(),
            handle_signals: false,
            patience: None,
            verbose: 0,
            hooks: Hooks::default(),
            options: BTreeMap::new(),
        }
    }

    /// All options that have a group at once, as the command line has read them.
    pub fn settings(mut self, settings: Settings) -> Self {
        self.settings = settings;
        self
    }

    /// The cluster's name; by default the stem of the script or program.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Where the cluster can be controlled from outside: nowhere, unless this is called. (`clustermon run` opens
    /// [`Control::ByName`].)
    pub fn control(mut self, control: impl Into<Control>) -> Self {
        self.control = control.into();
        self
    }

    /// How many workers: a number, or [`Workers::Auto`], the default.
    pub fn workers(mut self, workers: impl Into<Workers>) -> Self {
        self.workers = Some(workers.into());
        self
    }

    /// What each worker finds in `PROCESS_LOGICAL_ID`, instead of a number of workers; by default `0`, `1` and so on.
    pub fn logical_ids(mut self, ids: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.logical_ids = Some(ids.into_iter().map(Into::into).collect());
        self
    }

    /// Whether the process is the cluster's own: SIGINT, SIGTERM and SIGQUIT stop it, the limit on descriptors is
    /// raised, and orphans of workers are reaped and ended. Off by default: a library installs nothing unasked. The
    /// signals are blocked in the thread that starts the cluster and in those that it starts later: call it before others
    /// are there. No handler is installed. Workers get the mask from before. Without this they get the mask of the thread that
    /// starts the cluster; what the host ignores they ignore too, but for SIGPIPE, which is at its default in them, as
    /// `std::process::Command` has it: Rust's runtime ignores it in the host, and what was before is not known.
    pub fn handle_signals(mut self, yes: bool) -> Self {
        self.handle_signals = yes;
        self
    }

    /// Called with each pulse of each worker, by logical id: the original's `isHealthy`. False has the worker restarted.
    /// It runs on the cluster's thread and holds up everything else.
    pub fn on_health(mut self, judge: impl Fn(&str, &Health) -> bool + Send + Sync + 'static) -> Self {
        self.hooks.on_health = Some(Arc::new(judge));
        self
    }

    /// The environment of each worker, asked for by logical id before each spawn: the original's `createEnvironment`.
    /// It runs on the cluster's thread and holds up everything else.
    pub fn environment(mut self, make: impl Fn(&str) -> Environment + Send + Sync + 'static) -> Self {
        self.hooks.environment = Some(Arc::new(make));
        self
    }

    /// What was asked for that is not the default, as people wrote it, for who looks at the cluster.
    pub(crate) fn options(mut self, options: BTreeMap<String, String>) -> Self {
        self.options = options;
        self
    }

    pub(crate) fn hooks(&mut self) -> &mut Hooks {
        &mut self.hooks
    }

    /// How much is logged: 0 what happens, 1 also why, 2 everything.
    pub fn verbose(mut self, level: u8) -> Self {
        self.verbose = level;
        self
    }

    /// Whoever stops this process kills it after so long: what nobody has chosen is made to fit.
    pub(crate) fn patience(mut self, patience: Option<Duration>) -> Self {
        self.patience = patience;
        self
    }

    /// Checks everything, for a machine with so many CPUs to use. The first thing that is wrong is the error.
    pub fn build_for(self, cpus: u32) -> Result<Config, ConfigError> {
        check_command(&self.command)?;
        let logical_ids = logical_ids(self.workers, self.logical_ids, cpus)?;
        self.settings.check()?;
        check_ports(&self.settings.program, &self.command, logical_ids.len())?;
        let mut settings = self.settings;
        settings.listeners = settings.listeners.without_repetitions();
        let patience = self.patience.filter(|_| self.handle_signals && !settings.stop.is_chosen());
        settings.stop.shutdown_timeout = settings.stop.shutdown_timeout.or(patience.map(within));
        if self.control == Control::At(PathBuf::new()) {
            return Err(ConfigError::EmptyControl);
        }
        let name_is_given = self.name.is_some();
        let name = match self.name {
            Some(name) if name::is_valid(&name) => name,
            Some(name) => return Err(ConfigError::Name(name)),
            None => name::default_for(&self.command),
        };
        Ok(Config {
            name,
            name_is_given,
            patience,
            control: self.control,
            command: self.command,
            logical_ids,
            max_starting: settings.readiness.max_starting.unwrap_or(cpus),
            handle_signals: self.handle_signals,
            verbose: self.verbose,
            settings,
            options: self.options,
        })
    }
}

/// The time for a stop where everything is killed after `patience`: enough is left to see that all have ended.
fn within(patience: Duration) -> Duration {
    patience / 5 * 4
}

/// Each worker has a port where one is spoken of.
fn check_ports(program: &Program, command: &[OsString], workers: usize) -> Result<(), ConfigError> {
    let is_in = |word: &OsString| word.as_bytes().windows(6).any(|part| part == b"{port}");
    match program.base_port {
        Some(base) if usize::from(base) + workers - 1 > usize::from(u16::MAX) => {
            Err(ConfigError::BasePortTooHigh(base))
        }
        None if program.placeholders && command.iter().skip(1).any(is_in) => Err(ConfigError::NoBasePort),
        _ => Ok(()),
    }
}

fn check_command(command: &[OsString]) -> Result<(), ConfigError> {
    if command.first().is_none_or(|program| program.is_empty()) {
        return Err(ConfigError::NoCommand);
    }
    match command.iter().position(|arg| arg.as_bytes().contains(&0)) {
        Some(index) => Err(ConfigError::NulInCommand(index)),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::Builder;
    use crate::config::{ConfigError, MAX_WORKERS, Ready, Settings, Workers};
    use std::time::Duration;

    fn fault(change: impl FnOnce(Builder) -> Builder) -> String {
        change(Builder::new(["x"])).build_for(3).unwrap_err().to_string()
    }

    #[test]
    fn what_only_a_program_can_get_wrong() {
        assert_eq!(Builder::new(Vec::<String>::new()).build_for(3), Err(ConfigError::NoCommand));
        assert_eq!(Builder::new(["x", "a\0b"]).build_for(3), Err(ConfigError::NulInCommand(1)));
        assert_eq!(fault(|b| b.min_uptime(Duration::MAX)), "--min-uptime: this is longer than 365d");
        assert_eq!(
            fault(|b| b.logical_ids(Vec::<String>::new())),
            "--logical-ids: 0 ids given, 1 to 1024 are possible"
        );
        let many = (0..=MAX_WORKERS).map(|id| id.to_string());
        assert_eq!(fault(|b| b.logical_ids(many)), "--logical-ids: 1025 ids given, 1 to 1024 are possible");
        assert!(
            fault(|b| b.ready(Ready::Http("health".into()))).contains("--ready http:health: give a path")
        );
        for number in [2, 1024] {
            let said = fault(|b| b.ready(Ready::Fd(number)));
            assert_eq!(said, format!("--ready fd:{number}: a worker can be given the descriptors 3 to 1023"));
        }
        assert_eq!(fault(|b| b.ready(Ready::Delay(Duration::MAX))), "--ready: this is longer than 365d");
        assert!(fault(|b| b.logical_ids(["a\nb"])).contains(r#""a\nb""#));
        assert!(fault(|b| b.respawn(i64::from(u32::MAX) + 1)).contains("--respawn 4294967296"));
        assert_eq!(fault(|b| b.recycle_jitter(91)), "--recycle-jitter 91: give 0 to 90 percent");
        assert!(fault(|b| b.window(257)).contains("--window 257: give 1 to 256"));
        assert!(fault(|b| b.workers(Workers::Auto).logical_ids(["a"])).contains("give one of them"));
    }

    #[test]
    fn what_is_told_reaches_the_core() {
        let config = Builder::new(["node", "a b.js"])
            .logical_ids(["5", "6", "7"])
            .respawn(0)
            .restart_delay(Duration::from_millis(7))
            .max_restart_delay(Duration::from_secs(8))
            .min_uptime(Duration::from_secs(9))
            .stop_timeout(None)
            .window(3)
            .max_starting(2)
            .lag_limit(Duration::ZERO)
            .share("127.0.0.1:0")
            .share("127.0.0.1:0")
            .private("/run/a.sock")
            .build_for(3)
            .unwrap();
        assert_eq!(config.name, "a-b");
        let listeners = &config.settings.listeners;
        assert_eq!((listeners.share.len(), listeners.private.len()), (1, 1));
        let settings = config.pool_settings(42);
        assert_eq!(
            (settings.workers, settings.max_starting, settings.balancing.window(), settings.seed),
            (3, 2, 3, 42)
        );
        assert_eq!((settings.stop.timeout(), settings.health.lag_limit), (None, None));
        assert_eq!(settings.restart.limit(), Some(0));
        assert_eq!(settings.restart.restart_delay, Duration::from_millis(7));
        assert_eq!(settings.restart.max_restart_delay, Duration::from_secs(8));
        assert_eq!(settings.restart.min_uptime, Duration::from_secs(9));
    }

    #[test]
    fn who_is_killed_soon_stops_sooner_unless_somebody_has_chosen() {
        let ten = Some(Duration::from_secs(10));
        let told = |change: fn(Builder) -> Builder| {
            let builder = change(Builder::new(["x"]).handle_signals(true).patience(ten));
            let config = builder.build_for(3).unwrap();
            (config.patience, config.pool_settings(1).stop.shutdown_within().unwrap().as_secs())
        };
        assert_eq!(told(|b| b), (ten, 8));
        assert_eq!(told(|b| b.handle_signals(false)), (None, 25));
        assert_eq!(told(|b| b.drain_timeout(Duration::from_secs(20))), (None, 25));
        assert_eq!(told(|b| b.stop_timeout(Duration::from_secs(30))), (None, 30));
        assert_eq!(told(|b| b.shutdown_timeout(Duration::from_secs(9))), (None, 9));
    }

    #[test]
    fn defaults_of_design() {
        let huge = Builder::new(["x"]).build_for(2000).unwrap();
        assert_eq!((huge.logical_ids.len(), huge.max_starting), (1024, 2000));
        let config = Builder::new(["x"]).build_for(3).unwrap();
        assert_eq!((config.logical_ids, config.max_starting), (vec!["0".into(), "1".into(), "2".into()], 3));
        let Settings { restart, stop, balancing, listeners, health, .. } = config.settings;
        assert_eq!((restart.limit(), stop.timeout()), (None, Some(Duration::from_secs(10))));
        assert_eq!(
            (balancing.window(), listeners.backlog, health.lag_limit),
            (2, 4096, Some(Duration::from_secs(1)))
        );
    }
}
