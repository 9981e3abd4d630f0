//! The programs under measurement: builds, starts and, whatever happens, ends them. It sends them no request but to
//! see that they are up.

use super::probe;
use super::processor::children;
use crate::Result;
use crate::project::{self, target};
use std::collections::HashSet;
use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// What every case needs.
#[derive(Debug)]
pub(super) struct Bench {
    clustermon: PathBuf,
    /// Another build of it, to compare with.
    older: Option<PathBuf>,
    /// Built servers and the logs of what was started.
    folder: PathBuf,
    /// The test programs; those of the bench are in `bench`.
    sources: PathBuf,
    pub seconds: Duration,
    pub runs: usize,
}

/// A command that serves HTTP on PORT.
#[derive(Clone, Debug)]
pub(super) struct Program {
    words: Vec<PathBuf>,
}

impl Program {
    /// The same with one more argument.
    pub(super) fn with(mut self, argument: &str) -> Self {
        self.words.push(argument.into());
        self
    }

    /// The same with `NAME=VALUE` in its environment.
    pub(super) fn with_env(mut self, setting: &str) -> Self {
        self.words.splice(0..0, ["env".into(), setting.into()]);
        self
    }
}

impl Bench {
    pub(super) fn new(clustermon: PathBuf, seconds: Duration, runs: usize) -> Result<Self> {
        let folder = target()?.join("bench");
        std::fs::create_dir_all(&folder)?;
        let sources = project::root().join("tests/apps");
        Ok(Self { clustermon, older: None, folder, sources, seconds, runs })
    }

    /// The same with another build of the supervisor to compare with; its library lies beside it.
    pub(super) fn against(mut self, older: Option<PathBuf>) -> Self {
        self.older = older;
        self
    }

    /// A C server of `tests/apps/bench`, built anew.
    pub(super) fn c(&self, name: &str) -> Result<Program> {
        self.app(&format!("bench/{name}"))
    }

    /// A C program of `tests/apps` by its path without the ending, built anew.
    pub(super) fn app(&self, path: &str) -> Result<Program> {
        let built = self.folder.join(path.replace('/', "-"));
        let mut cc = Command::new(std::env::var_os("CC").unwrap_or_else(|| "cc".into()));
        cc.args(["-O2", "-pthread", "-Wall", "-Wextra", "-o"])
            .arg(&built)
            .arg(self.sources.join(path).with_extension("c"));
        project::check(&mut cc)?;
        Ok(Program { words: vec![built] })
    }

    /// A Node program of `tests/apps/bench`; `None` without Node.
    pub(super) fn node(&self, name: &str) -> Option<Program> {
        self.script("node", &format!("bench/{name}"))
    }

    /// A program of `tests/apps` by its path; `None` without what runs it.
    pub(super) fn script(&self, interpreter: &str, path: &str) -> Option<Program> {
        has(interpreter).then(|| Program { words: vec![interpreter.into(), self.sources.join(path)] })
    }

    /// The Go program of `tests/apps/go`, built anew without C; `None` without Go.
    pub(super) fn go(&self) -> Result<Option<Program>> {
        if !has("go") {
            return Ok(None);
        }
        let built = self.folder.join("go-server");
        let mut build = Command::new("go");
        build.env("CGO_ENABLED", "0").env("GO111MODULE", "off").env("GOCACHE", self.folder.join("go-cache"));
        build.args(["build", "-o"]).arg(&built).arg(self.sources.join("go/server.go"));
        project::check(&mut build)?;
        Ok(Some(Program { words: vec![built] }))
    }

    /// The nginx of `tests/apps/nginx`, each of whose two workers has a listening socket of its own; `None` without nginx.
    pub(super) fn nginx(&self) -> Result<Option<Program>> {
        if !has("nginx") {
            return Ok(None);
        }
        let own = self.folder.join("nginx");
        std::fs::create_dir_all(&own)?;
        let given = std::fs::read_to_string(self.sources.join("nginx/nginx.conf"))?;
        let listen = "listen 127.0.0.1:@PORT@";
        if !given.contains(listen) {
            return Err(format!("the configuration of nginx has no '{listen}'").into());
        }
        let text = given
            .replace(listen, &format!("{listen} reuseport"))
            .replace("@TEMP@", &own.display().to_string());
        std::fs::write(own.join("template"), text)?;
        // It cannot read the environment.
        let start = "sed \"s|@PORT@|$PORT|\" \"$0/template\" > \"$0/nginx.conf\" && exec nginx -p \"$0\" -c \"$0/nginx.conf\" -g \"pid $0/nginx.pid;\"";
        Ok(Some(Program { words: vec!["sh".into(), "-c".into(), start.into(), own] }))
    }

    /// A Python server of `tests/apps/bench`; `None` where that package is not installed.
    pub(super) fn python(&self, package: &str) -> Option<Program> {
        let mut import = Command::new("python3");
        import.args(["-c", &format!("import {package}")]).stderr(Stdio::null());
        let is_there = import.status().is_ok_and(|status| status.success());
        let script = self.sources.join("bench/python_server.py");
        is_there.then(|| Program { words: vec!["python3".into(), script] }.with(package))
    }

    /// Starts it under the supervisor and waits until every worker answers.
    pub(super) fn cluster(&self, workers: usize, options: &[&str], program: &Program) -> Result<Server> {
        self.cluster_by(&self.clustermon, workers, options, program)
    }

    /// The same by the other build; `None` if none was named.
    pub(super) fn older_cluster(&self, workers: usize, program: &Program) -> Result<Option<Server>> {
        self.older.as_deref().map(|older| self.cluster_by(older, workers, &[], program)).transpose()
    }

    fn cluster_by(
        &self,
        clustermon: &Path,
        workers: usize,
        options: &[&str],
        program: &Program,
    ) -> Result<Server> {
        let mut command = Command::new(clustermon);
        command.args(["run", "-n", &workers.to_string()]).args(options).arg("--").args(&program.words);
        self.start(command, Kind::Supervised, workers)
    }

    /// A place for a control socket.
    pub(super) fn control(&self, name: &str) -> PathBuf {
        std::env::temp_dir().join(format!("clustermon-bench-{}-{name}.sock", std::process::id()))
    }

    /// Tells the cluster with that control socket something; how long it took.
    pub(super) fn order(&self, control: &Path, words: &[&str]) -> Result<Duration> {
        let begun = Instant::now();
        self.ask(control, words)?;
        Ok(begun.elapsed())
    }

    /// The same; what it answers.
    pub(super) fn ask(&self, control: &Path, words: &[&str]) -> Result<String> {
        let output = Command::new(&self.clustermon).args(words).arg("--control").arg(control).output()?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        Err(format!("{words:?}: {}: {}", output.status, String::from_utf8_lossy(&output.stderr)).into())
    }

    /// Starts it by itself and waits for an answer. With `forks` it is asked to serve by so many processes.
    pub(super) fn alone(&self, forks: usize, program: &Program) -> Result<Server> {
        let mut command = Command::new(&program.words[0]);
        command.args(&program.words[1..]).env("FORK", forks.to_string());
        // Which of several processes that share a socket answers is up to the kernel: one is enough.
        self.start(command, Kind::Alone, 1)
    }

    fn start(&self, mut command: Command, kind: Kind, workers: usize) -> Result<Server> {
        static STARTED: AtomicUsize = AtomicUsize::new(0);
        let log = self.folder.join(format!("log-{}", STARTED.fetch_add(1, Ordering::Relaxed)));
        let output = File::create(&log)?;
        let addr = free_address()?;
        command.env("PORT", addr.port().to_string());
        command.stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output);
        project::forget_cargo(&mut command)?;
        // A group of its own, so that a terminal's interrupt reaches only us, and all of it can be ended.
        command.process_group(0);
        // SAFETY: between fork and exec the closure makes one system call and touches no memory of the parent.
        unsafe {
            command.pre_exec(|| match libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGTERM) {
                0 => Ok(()),
                _ => Err(std::io::Error::last_os_error()),
            });
        }
        let child = command.spawn().map_err(|error| format!("cannot start {command:?}: {error}"))?;
        // From here on it is ended on every way out.
        let mut server = Server { child, addr, kind, log };
        match probe::ready(addr, workers, Duration::from_secs(20)) {
            Ok(_) => Ok(server),
            Err(error) => Err(server.explain(&error.to_string()).into()),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Supervised,
    Alone,
}

/// A running program. Dropping it ends it and all that it started.
#[derive(Debug)]
pub(super) struct Server {
    child: Child,
    pub addr: SocketAddr,
    kind: Kind,
    log: PathBuf,
}

impl Server {
    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Its direct children, of all its threads.
    pub(super) fn children(&self) -> HashSet<u32> {
        children(self.pid())
    }

    /// All that it and its children have written so far.
    pub(super) fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    fn explain(&mut self, error: &str) -> String {
        let ended = self.child.try_wait().ok().flatten().map(|status| format!("; it ended: {status}"));
        let log = self.log();
        let tail: Vec<&str> = log.lines().rev().take(10).collect();
        let tail: String = tail.iter().rev().map(|line| format!("\n  {line}")).collect();
        format!("{error}{}; its last lines:{tail}", ended.unwrap_or_default())
    }

    fn end(&mut self) {
        if self.kind == Kind::Supervised {
            // It ends its workers, which are in groups of their own.
            kill(self.pid() as i32, libc::SIGTERM);
            if self.has_ended(Duration::from_secs(15)) {
                return;
            }
        }
        let mut family = vec![self.pid()];
        let mut at = 0;
        while at < family.len() {
            family.extend(children(family[at]));
            at += 1;
        }
        kill(-(self.pid() as i32), libc::SIGKILL);
        for pid in family {
            kill(pid as i32, libc::SIGKILL);
        }
        self.has_ended(Duration::from_secs(5));
    }

    fn has_ended(&mut self, within: Duration) -> bool {
        probe::until(within, || !matches!(self.child.try_wait(), Ok(None)))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            self.end();
        }
    }
}

/// Sends a signal; that nobody is left to get it is fine here.
pub(super) fn kill(pid: i32, signal: i32) {
    // SAFETY: kill takes plain numbers and touches no memory of ours.
    unsafe { libc::kill(pid, signal) };
}

/// Whether a program of this name is on the search path.
pub(super) fn has(name: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| is_program(&folder.join(name)))
}

fn is_program(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    path.metadata().is_ok_and(|data| data.is_file() && data.permissions().mode() & 0o111 != 0)
}

/// A port that was free a moment ago.
fn free_address() -> Result<SocketAddr> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?)
}
