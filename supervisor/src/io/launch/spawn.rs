//! Starts a worker's first process: group, environment, limits, signals and scheduling as the user's shell would have
//! given them. With the part for hooks (`hook`) it is the only place where processes are started.

pub(crate) mod hook;

use super::app_variables;
use super::env_file::Variable;
use super::interception::How;
use super::launch_spec::LaunchSpec;
use crate::api::Environment;
use crate::config::OnSupervisorDeath;
use crate::io::kernel::dispositions::Dispositions;
use crate::io::kernel::{pidfd, scheduling};
use crate::io::output::detach_pipe;
use crate::io::output::streams::Ends;
use crate::io::readiness::s6_ready::Told;
use crate::io::readiness::service_manager;
use crate::io::seccomp::filter::{Installed, TheirEnd, Way};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

/// The kernel says EBUSY.
const TWO_FILTERS: &str = "a seccomp filter that asks another process is in force here already (of a cluster around this one, or of the container), and \
     there can be only one";

/// What every worker of one version gets.
#[derive(Clone, Debug)]
pub(crate) struct Template {
    pub(crate) launch_spec: LaunchSpec,
    /// The arguments, with the name the user gave.
    pub(crate) command: Vec<OsString>,
    /// Variables beyond the supervisor's own.
    pub(crate) environment: Vec<(&'static str, OsString)>,
    pub(crate) orphans: OnSupervisorDeath,
    pub(crate) dispositions: Dispositions,
    pub(crate) limits: Limits,
}

/// What the supervisor changes for itself and gives back to workers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    descriptors: (u64, u64),
    batch: bool,
}

/// What was started.
#[derive(Debug)]
pub(crate) struct Spawned {
    pub(crate) pid: u32,
    pub(crate) pidfd: OwnedFd,
    /// Of one whose listeners come by a seccomp filter.
    pub(crate) filter: Option<Installed>,
}

impl Limits {
    /// Makes the calling thread one that does not preempt whom it wakes: a wake-up costs more than handing a connection
    /// over, and this way several are handed over in one. In a process of our own the number of descriptors is raised to
    /// what is allowed.
    pub(crate) fn take(owns_process: bool) -> io::Result<Self> {
        let descriptors = getrlimit(Resource::RLIMIT_NOFILE)?;
        if owns_process && descriptors.0 < descriptors.1 {
            setrlimit(Resource::RLIMIT_NOFILE, descriptors.1, descriptors.1)?;
        }
        let ordinary = scheduling::policy() == libc::SCHED_OTHER;
        Ok(Self { descriptors, batch: ordinary && scheduling::set_policy(libc::SCHED_BATCH) })
    }

    /// Where whoever is woken works for long, handing over several connections at once is not to be had, and to wait for
    /// one that works only makes others wait: the calling thread preempts like any other for as long as this is so.
    pub(crate) fn be_prompt(&self, prompt: bool) {
        if self.batch {
            scheduling::set_policy(if prompt { libc::SCHED_OTHER } else { libc::SCHED_BATCH });
        }
    }

    /// Puts both back, in the calling thread. Only makes system calls.
    fn give_back(&self) -> io::Result<()> {
        setrlimit(Resource::RLIMIT_NOFILE, self.descriptors.0, self.descriptors.1)?;
        if self.batch {
            scheduling::set_policy(libc::SCHED_OTHER);
        }
        Ok(())
    }
}

impl Template {
    /// The same, made of something else.
    pub(crate) fn with(&self, launch_spec: LaunchSpec) -> Self {
        Self { launch_spec, ..self.clone() }
    }

    /// What is preloaded anyway.
    fn preloads(&self) -> Option<OsString> {
        let in_file = || self.launch_spec.variables.iter().rfind(|(name, _)| name == "LD_PRELOAD");
        std::env::var_os("LD_PRELOAD").or_else(|| in_file().map(|(_, value)| value.clone()))
    }

    /// Starts one, with this thunk in it if there is one, else with the seccomp filter. `own` are this worker's own variables, `wanted` the environment that the user makes for it, `output`
    /// its standard output and error where they are read, `told` the descriptor on which it says that it is ready.
    #[expect(clippy::disallowed_methods, reason = "the one place where processes are started")]
    pub(crate) fn spawn(
        &self,
        thunk: Option<&Path>,
        own: &[(&'static str, String)],
        wanted: Option<Environment>,
        output: Option<Ends>,
        told: Option<Told>,
    ) -> io::Result<Spawned> {
        let (name, arguments) = self.command.split_first().ok_or(io::ErrorKind::InvalidInput)?;
        let mut command = Command::new(&self.launch_spec.program);
        command.arg0(name).args(arguments).stdin(Stdio::null()).process_group(0);
        surround(&mut command, &self.launch_spec);
        if let Some(Ends { stdout, stderr }) = output {
            command.stderr(stderr);
            if let Some(stdout) = stdout {
                command.stdout(stdout);
            }
        }
        let (inherited, variables) = match wanted {
            None => (self.preloads(), Vec::new()),
            Some(Environment::Inherited(variables)) => (self.preloads(), variables),
            Some(Environment::Exhaustive(variables)) => {
                command.env_clear();
                command.envs(self.launch_spec.variables.iter().map(|(name, value)| (name, value)));
                (None, variables)
            }
        };
        let given = variables.iter().rfind(|(name, _)| name == "LD_PRELOAD").map(|(_, value)| value.clone());
        command.envs(variables);
        if let Some(thunk) = thunk {
            command.env("LD_PRELOAD", preload(thunk, given.or(inherited).as_deref()));
        }
        command.envs(self.environment.iter().map(|(name, value)| (*name, value)));
        command.envs(own.iter().map(|(name, value)| (*name, value)));
        let (dispositions, limits) = (self.dispositions, self.limits);
        let stop = self.orphans == OnSupervisorDeath::Stop;
        let umask = self.launch_spec.umask;
        let way = (self.launch_spec.interception.how == How::Seccomp).then(Way::open).transpose()?;
        let (ours, theirs) = way.map(Way::split).unzip();
        // SAFETY: runs between fork and exec, where only system calls are made and nothing is allocated.
        unsafe {
            command.pre_exec(move || {
                told.as_ref().map_or(Ok(()), Told::put)?;
                limits.give_back()?;
                if let Some(mode) = umask {
                    libc::umask(mode);
                }
                // Reaches the first process only, and fires when the thread that spawned it ends.
                if stop {
                    libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGTERM);
                }
                dispositions.give()?;
                // Last: from here on bind and listen wait for an answer.
                theirs.as_ref().map_or(Ok(()), TheirEnd::install)
            });
        }
        let mut child = command.spawn().map_err(|error| match error.raw_os_error() {
            Some(libc::EBUSY) if ours.is_some() => io::Error::new(error.kind(), TWO_FILTERS),
            _ => error,
        })?;
        let pid = child.id();
        let filter = ours.map(|ours| ours.take()).transpose();
        match filter.and_then(|filter| Ok((pidfd::open(pid)?, filter))) {
            Ok((pidfd, filter)) => Ok(Spawned { pid, pidfd, filter }),
            Err(error) => {
                // Nobody would ever see its end: another would be started beside it.
                let _ = child.kill();
                let _ = child.wait();
                Err(error)
            }
        }
    }
}

/// Directory and variables of every process of the app, without what whoever started the supervisor has told it alone.
fn surround(command: &mut Command, launch_spec: &LaunchSpec) {
    if let Some(cwd) = &launch_spec.cwd {
        command.current_dir(cwd).env("PWD", cwd);
    }
    // What is set already stays, as with other readers of such files.
    let unset = |(name, _): &&Variable| std::env::var_os(name).is_none();
    command.envs(launch_spec.variables.iter().filter(unset).map(|(name, value)| (name, value)));
    let ours = [detach_pipe::VARIABLE, app_variables::VARIABLE];
    for name in service_manager::VARIABLES.into_iter().chain(ours) {
        command.env_remove(name);
    }
}

/// The thunk first, then what the user preloads anyway. The thunk of a cluster that the supervisor is itself a worker of is
/// for the supervisor alone.
fn preload(thunk: &Path, existing: Option<&OsStr>) -> OsString {
    let mut value = thunk.as_os_str().to_owned();
    for entry in foreign(existing.unwrap_or_default()) {
        value.push(":");
        value.push(entry);
    }
    value
}

/// What of a list of libraries to preload is no thunk, split as the dynamic linker does.
fn foreign(list: &OsStr) -> impl Iterator<Item = &Path> {
    let entries = list.as_bytes().split(|byte| matches!(byte, b':' | b' '));
    let entries = entries.map(|entry| Path::new(OsStr::from_bytes(entry)));
    entries.filter(|entry| !entry.as_os_str().is_empty() && !is_thunk(entry))
}

/// By its name, which has a hash in it where the file was written by a supervisor.
fn is_thunk(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.as_bytes().starts_with(b"libclustermon_thunk"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_users_preloads_stay() {
        let thunk = Path::new("/t.so");
        assert_eq!(preload(thunk, None), "/t.so");
        assert_eq!(preload(thunk, Some(OsStr::new(""))), "/t.so");
        assert_eq!(preload(thunk, Some(OsStr::new("/j.so:/k.so"))), "/t.so:/j.so:/k.so");
        let outer = "/r/libclustermon_thunk-0123.so:/j.so /r/libclustermon_thunk.so";
        assert_eq!(preload(thunk, Some(OsStr::new(outer))), "/t.so:/j.so");
    }
}
