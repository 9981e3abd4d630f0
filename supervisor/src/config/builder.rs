//! Makes a [`Config`] from options. One method per option of `clustermon run`, under the flag's name; every
//! check is in [`Builder::build_for`].

mod health;
mod rolling;
mod spreading;
mod streams;

use super::workers::{Workers, logical_ids};
use super::{Config, ConfigError, Control, MAX_WINDOW, Ready, Rolling, duration, name};
use crate::api::{Environment, Health};
use crate::cluster::Cluster;
use crate::hooks::Hooks;
use clustermon_protocol::rules::Rule;
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
    respawn: i64,
    restart_delay: Duration,
    max_restart_delay: Duration,
    min_uptime: Duration,
    stop_timeout: Option<Duration>,
    window: u32,
    backlog: u32,
    max_starting: Option<u32>,
    lag_limit: Option<Duration>,
    pulse: Option<Duration>,
    share: Vec<String>,
    private: Vec<String>,
    thunk: Option<PathBuf>,
    streams: streams::Streams,
    spreading: spreading::Spreading,
    health: health::Health,
    rolling: Rolling,
    handle_signals: bool,
    patience: Option<Duration>,
    chose_times: bool,
    verbose: u8,
    hooks: Hooks,
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
            respawn: -1,
            restart_delay: super::RESTART_DELAY,
            max_restart_delay: super::MAX_RESTART_DELAY,
            min_uptime: super::MIN_UPTIME,
            stop_timeout: Some(super::STOP_TIMEOUT),
            window: super::WINDOW,
            backlog: super::BACKLOG,
            max_starting: None,
            lag_limit: Some(super::LAG_LIMIT),
            pulse: Some(super::PULSE),
            share: Vec::new(),
            private: Vec::new(),
            thunk: None,
            streams: streams::Streams::default(),
            spreading: spreading::Spreading::default(),
            health: health::Health::default(),
            rolling: Rolling::default(),
            handle_signals: false,
            patience: None,
            chose_times: false,
            verbose: 0,
            hooks: Hooks::default(),
        }
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

    /// Restarts per worker before it stays down, refilled after `min_uptime`; -1 is no limit.
    pub fn respawn(mut self, restarts: i64) -> Self {
        self.respawn = restarts;
        self
    }

    /// The delay after an early death, doubling with each further one.
    pub fn restart_delay(mut self, delay: Duration) -> Self {
        self.restart_delay = delay;
        self
    }

    /// The longest such delay.
    pub fn max_restart_delay(mut self, delay: Duration) -> Self {
        self.max_restart_delay = delay;
        self
    }

    /// A worker that lived this long is replaced at once.
    pub fn min_uptime(mut self, uptime: Duration) -> Self {
        self.min_uptime = uptime;
        self
    }

    /// From the stop signal to the kill signal; `None` waits for ever, zero kills at once.
    pub fn stop_timeout(mut self, timeout: impl Into<Option<Duration>>) -> Self {
        self.stop_timeout = timeout.into();
        self.chose_times = true;
        self
    }

    /// How many workers may be starting at a time; by default the number of CPUs.
    pub fn max_starting(mut self, workers: u32) -> Self {
        self.max_starting = Some(workers);
        self
    }

    /// Connections that may wait at one worker where they are handed over. It has no effect where workers accept by credit.
    pub fn window(mut self, connections: u32) -> Self {
        self.window = connections;
        self
    }

    /// The least length of a listening queue.
    pub fn backlog(mut self, connections: u32) -> Self {
        self.backlog = connections;
        self
    }

    /// A worker that takes nothing for this long while something waits for it leaves the rotation; `None` or zero is never.
    pub fn lag_limit(mut self, limit: impl Into<Option<Duration>>) -> Self {
        self.lag_limit = limit.into().filter(|limit| !limit.is_zero());
        self
    }

    /// Shares one more address between the workers, against the built-in rules: `host:port`, `*:port`, `[v6]:port`,
    /// `/path` or `@abstract`; for `port` also a range such as `40000-40100`.
    pub fn share(mut self, address: impl Into<String>) -> Self {
        self.share.push(address.into());
        self
    }

    /// Leaves one more address to each worker alone.
    pub fn private(mut self, address: impl Into<String>) -> Self {
        self.private.push(address.into());
        self
    }

    /// The thunk to preload.
    pub fn thunk(mut self, path: impl Into<PathBuf>) -> Self {
        self.thunk = Some(path.into());
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

    /// Called once for each start with the cluster, on a thread of its own, after the first workers were spawned: the
    /// original's `initMaster`.
    pub fn on_start(mut self, hook: impl Fn(&Cluster) + Send + Sync + 'static) -> Self {
        self.hooks.on_start = Some(Arc::new(hook));
        self
    }

    /// Called with each pulse of each worker, by logical id: the original's `isHealthy`. False has the worker restarted.
    /// It runs on the cluster's thread and holds up everything else.
    pub fn on_health(mut self, judge: impl Fn(&str, &Health) -> bool + Send + Sync + 'static) -> Self {
        self.hooks.on_health = Some(Arc::new(judge));
        self
    }

    /// How often each worker's health is sampled; `None` or zero is never.
    pub fn pulse(mut self, interval: impl Into<Option<Duration>>) -> Self {
        self.pulse = interval.into().filter(|interval| !interval.is_zero());
        self
    }

    /// The environment of each worker, asked for by logical id before each spawn: the original's `createEnvironment`.
    /// It runs on the cluster's thread and holds up everything else.
    pub fn environment(mut self, make: impl Fn(&str) -> Environment + Send + Sync + 'static) -> Self {
        self.hooks.environment = Some(Arc::new(make));
        self
    }

    pub(crate) fn hooks(&self) -> Hooks {
        self.hooks.clone()
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
        let respawn = match self.respawn {
            -1 => None,
            count => Some(u32::try_from(count).map_err(|_| ConfigError::Respawn(count))?),
        };
        for (option, duration) in [
            ("restart-delay", Some(self.restart_delay)),
            ("max-restart-delay", Some(self.max_restart_delay)),
            ("min-uptime", Some(self.min_uptime)),
            ("stop-timeout", self.stop_timeout),
            ("lag-limit", self.lag_limit),
            ("pulse", self.pulse),
            ("hang-limit", self.health.hang_limit),
            ("start-timeout", Some(self.health.start_timeout)),
            ("watchdog", self.health.watchdog),
            ("ready", self.health.ready.as_ref().and_then(Ready::delay)),
            ("server-restart-delay", Some(self.spreading.server_restart_delay)),
            ("drain-timeout", Some(self.rolling.drain_timeout)),
            ("idle-grace", Some(self.rolling.idle_grace)),
            ("drain-delay", Some(self.rolling.drain_delay)),
            ("shutdown-timeout", self.rolling.shutdown_timeout),
            ("min-healthy-time", Some(self.rolling.min_healthy_time)),
            ("listen-settle", Some(self.rolling.listen_settle)),
            ("max-lifetime", self.rolling.max_lifetime),
        ] {
            if duration.is_some_and(|duration| duration > duration::LONGEST) {
                return Err(ConfigError::TooLong { option });
            }
        }
        if self.restart_delay > self.max_restart_delay {
            return Err(ConfigError::RestartDelay { delay: self.restart_delay, max: self.max_restart_delay });
        }
        if !(1..=MAX_WINDOW).contains(&self.window) {
            return Err(ConfigError::Window(self.window));
        }
        if i32::try_from(self.backlog).is_err() {
            return Err(ConfigError::Backlog(self.backlog));
        }
        let max_starting = self.max_starting.unwrap_or(cpus);
        if max_starting == 0 {
            return Err(ConfigError::MaxStarting);
        }
        let patience = self.patience.filter(|_| self.handle_signals && !self.chose_times);
        let mut rolling = self.rolling;
        rolling.shutdown_timeout = rolling.shutdown_timeout.or(patience.map(rolling::within));
        let share = addresses("share", self.share)?;
        let private = addresses("private", self.private)?;
        if let Some(both) = share.iter().find(|address| private.contains(address)) {
            return Err(ConfigError::SharedAndPrivate(both.clone()));
        }
        if self.control == Control::At(PathBuf::new()) {
            return Err(ConfigError::EmptyControl);
        }
        let name_is_given = self.name.is_some();
        let name = match self.name {
            Some(name) if name::is_valid(&name) => name,
            Some(name) => return Err(ConfigError::Name(name)),
            None => name::default_for(&self.command),
        };
        if self.thunk.as_ref().is_some_and(|path| path.as_os_str().is_empty()) {
            return Err(ConfigError::EmptyThunk);
        }
        let streams = self.streams.check()?;
        self.spreading.check()?;
        self.health.check()?;
        rolling::check(&rolling, self.pulse)?;
        Ok(Config {
            name,
            name_is_given,
            control: self.control,
            command: self.command,
            interpreter: streams.interpreter,
            capture: streams.capture,
            encoding: streams.encoding,
            log_format: streams.log_format,
            log_time: streams.log_time,
            hang_limit: self.health.hang_limit,
            hang_explicit: self.health.hang_explicit,
            health_max_unavailable: self.health.max_unavailable,
            dump_signal: self.health.dump_signal,
            start_timeout: self.health.start_timeout,
            ready: self.health.ready,
            watchdog: self.health.watchdog,
            dispatch: self.spreading.dispatch,
            policy: self.spreading.policy,
            max_connections: self.spreading.max_connections,
            when_no_worker: self.spreading.when_no_worker,
            server_restart_delay: self.spreading.server_restart_delay,
            exit_codes_ok: self.spreading.exit_codes_ok,
            keep_trying: self.spreading.keep_trying,
            logical_ids,
            respawn,
            restart_delay: self.restart_delay,
            max_restart_delay: self.max_restart_delay,
            min_uptime: self.min_uptime,
            stop_timeout: self.stop_timeout,
            patience,
            rolling,
            window: self.window,
            backlog: self.backlog,
            max_starting,
            lag_limit: self.lag_limit,
            pulse: self.pulse,
            share,
            private,
            thunk: self.thunk,
            handle_signals: self.handle_signals,
            verbose: self.verbose,
        })
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

fn addresses(option: &'static str, texts: Vec<String>) -> Result<Vec<String>, ConfigError> {
    let mut addresses = Vec::with_capacity(texts.len());
    for text in texts {
        if Rule::parse(&text).is_none() {
            return Err(ConfigError::Address { option, text });
        }
        if !addresses.contains(&text) {
            addresses.push(text);
        }
    }
    Ok(addresses)
}

#[cfg(test)]
mod tests {
    use super::Builder;
    use crate::config::{ConfigError, MAX_WORKERS, Ready, Workers};
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
        assert_eq!((config.share.len(), config.private.len()), (1, 1));
        let settings = config.pool_settings(42);
        assert_eq!((settings.workers, settings.max_starting, settings.window, settings.seed), (3, 2, 3, 42));
        assert_eq!((settings.respawn, settings.stop_timeout, settings.lag_limit), (Some(0), None, None));
        assert_eq!(settings.restart_delay, Duration::from_millis(7));
        assert_eq!(settings.max_restart_delay, Duration::from_secs(8));
        assert_eq!(settings.min_uptime, Duration::from_secs(9));
    }

    #[test]
    fn who_is_killed_soon_stops_sooner_unless_somebody_has_chosen() {
        let ten = Some(Duration::from_secs(10));
        let told = |change: fn(Builder) -> Builder| {
            let builder = change(Builder::new(["x"]).handle_signals(true).patience(ten));
            let config = builder.build_for(3).unwrap();
            (config.patience, config.pool_settings(1).shutdown_timeout.unwrap().as_secs())
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
        assert_eq!((config.respawn, config.stop_timeout), (None, Some(Duration::from_secs(10))));
        assert_eq!(
            (config.window, config.backlog, config.lag_limit),
            (2, 4096, Some(Duration::from_secs(1)))
        );
    }
}
