//! How a test program is to be started: where it listens, through which wrapper, with which variables.

use crate::clients::http::Target;
use crate::programs::apps::App;
use crate::programs::places::app_dir;
use crate::system::ports::Port;
use crate::system::temp::TempDir;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

/// What stands between the supervisor and the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Via {
    Direct,
    /// `sh -c 'PROGRAM; exit $?'`: the shell stays.
    ShellC,
    /// apps/run.sh.
    Script,
    /// `npm start` in apps/npm; only for node-http.
    Npm,
}

/// Where the program listens.
#[derive(Clone, Copy, Debug)]
pub enum Listen {
    /// A free port on this host, in the words of `HOST`.
    Host(&'static str),
    /// Port 0 on this host.
    Zero(&'static str),
    /// An absolute path with this file name.
    Path(&'static str),
    /// The same, but told to the program relative to its working directory.
    RelativePath(&'static str),
    Abstract,
}

/// Which of the supervisor's streams is a pipe of one page that nobody reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unread {
    Neither,
    Stdout,
    Stderr,
}

/// Everything a test may choose. The default is four workers on a free port of 127.0.0.1, started directly.
#[derive(Clone, Debug)]
pub struct Options {
    pub(crate) workers: Option<usize>,
    pub(crate) flags: Vec<OsString>,
    pub(crate) env: Vec<(OsString, OsString)>,
    pub(crate) via: Via,
    pub(crate) listen: Listen,
    pub(crate) wait_ready: bool,
    pub(crate) supervisor: Option<PathBuf>,
    pub(crate) root: PathBuf,
    pub(crate) unread: Unread,
    pub(crate) below: Vec<OsString>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            workers: Some(4),
            flags: dispatch(),
            env: Vec::new(),
            via: Via::Direct,
            listen: Listen::Host("127.0.0.1"),
            wait_ready: true,
            supervisor: None,
            root: app_dir(),
            unread: Unread::Neither,
            below: Vec::new(),
        }
    }
}

impl Options {
    pub fn workers(count: usize) -> Self {
        Self { workers: Some(count), ..Self::default() }
    }

    /// Leaves `-n` away.
    pub fn without_count() -> Self {
        Self { workers: None, ..Self::default() }
    }

    /// Adds words to the supervisor's command line, split at spaces.
    pub fn flags(mut self, words: &str) -> Self {
        self.flags.extend(words.split(' ').map(OsString::from));
        self
    }

    /// Adds a word to it, whatever is in it.
    pub fn word(mut self, word: impl Into<OsString>) -> Self {
        self.flags.push(word.into());
        self
    }

    pub fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.env.push((name.into(), value.as_ref().to_owned()));
        self
    }

    pub fn via(self, via: Via) -> Self {
        Self { via, ..self }
    }

    pub fn listen(self, listen: Listen) -> Self {
        Self { listen, ..self }
    }

    /// Returns from the start without waiting for the workers.
    pub fn at_once(self) -> Self {
        Self { wait_ready: false, ..self }
    }

    /// Uses this executable of the supervisor.
    pub fn supervisor(self, path: &Path) -> Self {
        Self { supervisor: Some(path.to_owned()), ..self }
    }

    /// Takes the scripts from this copy of apps/.
    pub fn root(self, root: &Path) -> Self {
        Self { root: root.to_owned(), ..self }
    }

    /// Nobody reads the supervisor's stderr, a pipe of one page.
    pub fn unread(self) -> Self {
        Self { unread: Unread::Stderr, wait_ready: false, ..self }
    }

    /// The same of its stdout, until the test says otherwise.
    pub fn unread_stdout(self) -> Self {
        Self { unread: Unread::Stdout, ..self }
    }

    /// Starts the supervisor through this command, such as `["prlimit", "--nofile=64", "--"]`.
    pub fn below(mut self, words: &[&str]) -> Self {
        self.below = words.iter().map(OsString::from).collect();
        self
    }
}

/// The options, made concrete.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) command: Vec<OsString>,
    pub(crate) env: Vec<(OsString, OsString)>,
    pub(crate) cwd: PathBuf,
    /// Unknown until the program says so, where the system chooses.
    pub(crate) target: Option<Target>,
    pub(crate) temp: TempDir,
    pub(crate) port: Option<Port>,
}

impl Plan {
    /// For any command; the address, if it wants one, is in its environment.
    pub(crate) fn for_command(command: Vec<OsString>, options: &Options) -> Self {
        let temp = TempDir::new();
        let mut env = options.env.clone();
        let mut set = |name: &str, value: &OsStr| env.push((name.into(), value.to_owned()));
        let (mut target, mut port) = (None, None);
        match options.listen {
            Listen::Host(host) => {
                let free = Port::free();
                set("HOST", host.as_ref());
                set("PORT", free.number().to_string().as_ref());
                let shown = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
                let shown = if host.is_empty() { "127.0.0.1" } else { &shown };
                target = Target::parse(&format!("{shown}:{}", free.number()));
                port = Some(free);
            }
            Listen::Zero(host) => {
                set("HOST", host.as_ref());
                set("PORT", "0".as_ref());
            }
            Listen::Path(name) => {
                let path = temp.path().join(name);
                set("UNIX_PATH", path.as_os_str());
                target = Some(Target::Path(path));
            }
            Listen::RelativePath(name) => {
                set("UNIX_PATH", name.as_ref());
                target = Some(Target::Path(temp.path().join(name)));
            }
            Listen::Abstract => {
                let name = temp.path().display().to_string().replace('/', "-");
                set("UNIX_PATH", format!("@{name}").as_ref());
                target = Some(Target::Abstract(name));
            }
        }
        let cwd = temp.path().to_owned();
        Self { command, env, cwd, target, temp, port }
    }

    pub(crate) fn new(app: &App, options: &Options) -> Self {
        let mut plan = Self::for_command(app.command(&options.root), options);
        plan.env.extend(app.env.iter().map(|(name, value)| (name.into(), value.into())));
        plan.command = match options.via {
            Via::Direct => plan.command,
            Via::ShellC => {
                let words =
                    plan.command.iter().map(|word| format!("'{}'", word.display())).collect::<Vec<_>>();
                vec!["sh".into(), "-c".into(), format!("{}; exit $?", words.join(" ")).into()]
            }
            Via::Script => {
                let mut command = vec![options.root.join("run.sh").into_os_string()];
                command.append(&mut plan.command);
                command
            }
            Via::Npm => {
                assert_eq!(app.name, "node-http", "npm start starts nothing else");
                plan.cwd = options.root.join("npm");
                let cache = plan.temp.path().join("npm").into_os_string();
                plan.env.push(("npm_config_cache".into(), cache));
                plan.env.push(("npm_config_update_notifier".into(), "false".into()));
                vec!["npm".into(), "start".into()]
            }
        };
        plan
    }
}

/// `CLUSTERMON_TEST_DISPATCH=handoff` hands connections over in every cluster of the tests.
fn dispatch() -> Vec<OsString> {
    let chosen = std::env::var_os("CLUSTERMON_TEST_DISPATCH");
    chosen.map_or_else(Vec::new, |how| vec!["--dispatch".into(), how])
}
