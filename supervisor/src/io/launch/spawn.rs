//! Starts a worker's first process: group, environment, limits, signals and scheduling as the user's shell would have
//! given them. With the part for hooks (`hook`) it is the only place where processes are started.

pub(crate) mod hook;

use super::env_file::Variable;
use super::interception::How;
use super::launch_spec::LaunchSpec;
use super::variables::app_variables;
use super::variables::placeholders::Placeholders;
use crate::api::Environment;
use crate::config::{Config, OnSupervisorDeath};
use crate::io::kernel::dispositions::Dispositions;
use crate::io::kernel::{pidfd, scheduling};
use crate::io::output::detach_pipe;
use crate::io::output::streams::Ends;
use crate::io::privileges::entering::Entrance;
use crate::io::privileges::step::Step;
use crate::io::readiness::s6_ready::Told;
use crate::io::readiness::service_manager;
use crate::io::seccomp::filter::{Installed, TheirEnd, Way};
use clustermon_protocol::env;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use std::ffi::{CString, OsStr, OsString};
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
    /// Where the thunk finds the supervisor.
    pub(crate) supervisor: [(&'static str, OsString); 2],
    /// What the thunk is told of the options.
    pub(crate) environment: [(&'static str, OsString); 3],
    /// What the user gives workers beyond the supervisor's own environment.
    pub(crate) variables: Vec<(OsString, OsString)>,
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

/// What is started: which program, and what only this process gets.
pub(crate) struct Start<'a> {
    pub(crate) template: &'a Template,
    /// The slot of the worker.
    pub(crate) slot: u32,
    /// Its own variables.
    pub(crate) own: &'a [(&'static str, String)],
    /// The environment that the user makes for it.
    pub(crate) wanted: Option<Environment>,
    /// Its standard output and error, where they are read.
    pub(crate) output: Option<Ends>,
    /// By what it says that it is ready.
    pub(crate) told: Option<Told>,
    /// What is filled in for it.
    pub(crate) placeholders: Option<Placeholders>,
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
    /// What the thunk is told of the options.
    pub(crate) fn environment_of(config: &Config) -> [(&'static str, OsString); 3] {
        [
            (env::RULES, config.settings.listeners.rules().into()),
            (env::BACKLOG, config.settings.listeners.backlog.to_string().into()),
            (env::ON_SUPERVISOR_DEATH, config.settings.stop.on_supervisor_death.to_string().into()),
        ]
    }

    /// What is preloaded anyway.
    fn preloads(&self) -> Option<OsString> {
        let in_file = || self.launch_spec.variables.iter().rfind(|(name, _)| name == "LD_PRELOAD");
        std::env::var_os("LD_PRELOAD").or_else(|| in_file().map(|(_, value)| value.clone()))
    }

    /// Starts one, with this thunk in it if there is one, else with the seccomp filter.
    #[expect(clippy::disallowed_methods, reason = "the one place where processes are started")]
    pub(crate) fn spawn(thunk: Option<&Path>, start: Start<'_>) -> io::Result<Spawned> {
        let Start { template, slot, own, wanted, output, told, placeholders } = start;
        let filled = |text: &OsString| {
            placeholders.as_ref().map_or_else(|| text.clone(), |placeholders| placeholders.fill(text))
        };
        let (name, arguments) = template.command.split_first().ok_or(io::ErrorKind::InvalidInput)?;
        let arguments = arguments.iter().map(filled);
        let mut command = Command::new(&template.launch_spec.program);
        command.arg0(name).args(arguments).stdin(Stdio::null()).process_group(0);
        let confinement = &template.launch_spec.confinement;
        let entrance = match confinement.is_empty() {
            true => None,
            false => Some(
                confinement.entrance(slot, template.launch_spec.cwd.as_deref().map(c_path).transpose()?)?,
            ),
        };
        surround(&mut command, &template.launch_spec, entrance.is_some(), filled);
        if let Some(Ends { stdout, stderr }) = output {
            command.stderr(stderr);
            if let Some(stdout) = stdout {
                command.stdout(stdout);
            }
        }
        let (inherited, variables) = match wanted {
            None => (template.preloads(), template.variables.clone()),
            Some(Environment::Inherited(variables)) => (template.preloads(), variables),
            Some(Environment::Exhaustive(variables)) => {
                command.env_clear();
                command
                    .envs(template.launch_spec.variables.iter().map(|(name, value)| (name, filled(value))));
                (None, variables)
            }
        };
        let given = variables.iter().rfind(|(name, _)| name == "LD_PRELOAD").map(|(_, value)| value.clone());
        command.envs(variables.iter().map(|(name, value)| (name, filled(value))));
        if let Some(thunk) = thunk {
            command.env("LD_PRELOAD", preload(thunk, given.or(inherited).as_deref()));
        }
        command.envs(
            template.supervisor.iter().chain(&template.environment).map(|(name, value)| (*name, value)),
        );
        command.envs(own.iter().map(|(name, value)| (*name, value)));
        let (dispositions, limits) = (template.dispositions, template.limits);
        let stop = template.orphans == OnSupervisorDeath::Stop;
        let umask = template.launch_spec.umask;
        let way = (template.launch_spec.interception.how == How::Seccomp).then(Way::open).transpose()?;
        let (ours, theirs) = way.map(Way::split).unzip();
        // Put on by one who may do more, it leaves workers the rights of what they execute, such as sudo.
        let (early, late) = if confinement.changes_user() { (theirs, None) } else { (None, theirs) };
        let library = thunk.filter(|_| entrance.is_some()).map(c_path).transpose()?;
        // SAFETY: runs between fork and exec, where only system calls are made and nothing is allocated.
        unsafe {
            command.pre_exec(move || {
                told.as_ref().map_or(Ok(()), Told::put)?;
                limits.give_back()?;
                if let Some(mode) = umask {
                    libc::umask(mode);
                }
                entrance.as_ref().map_or(Ok(()), Entrance::begin)?;
                early.as_ref().map_or(Ok(()), TheirEnd::install)?;
                entrance.as_ref().map_or(Ok(()), Entrance::finish)?;
                // A change of the user would take it back. Reaches the first process only, and fires when the thread that spawned it ends.
                if stop {
                    libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGTERM);
                }
                dispositions.give()?;
                if let (Some(entrance), Some(library)) = (&entrance, &library) {
                    entrance.look_for_library(library)?;
                }
                // Last: from here on bind and listen wait for an answer.
                late.as_ref().map_or(Ok(()), TheirEnd::install)
            });
        }
        let mut child = command.spawn().map_err(|error| match (Step::of(&error), error.raw_os_error()) {
            (Some((step, error)), _) => {
                io::Error::new(error.kind(), template.launch_spec.explain(step, &error, thunk))
            }
            (None, Some(libc::EBUSY)) if ours.is_some() => io::Error::new(error.kind(), TWO_FILTERS),
            (None, _) => error,
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

/// A path as the kernel takes it.
pub(super) fn c_path(path: &Path) -> io::Result<CString> {
    CString::new(path.as_os_str().as_bytes()).map_err(|_| io::ErrorKind::InvalidInput.into())
}

/// Directory and variables of every process of the app, without what whoever started the supervisor has told it alone. Who `enters` goes to the
/// directory by itself. `filled` is what a value is for this process.
fn surround(
    command: &mut Command,
    launch_spec: &LaunchSpec,
    enters: bool,
    filled: impl Fn(&OsString) -> OsString,
) {
    if let Some(cwd) = &launch_spec.cwd {
        command.env("PWD", cwd);
        // Below a root it is another one.
        if !enters {
            command.current_dir(cwd);
        }
    }
    let confinement = &launch_spec.confinement;
    command.envs(confinement.variables.iter().map(|(name, value)| (name, value)));
    let of_user = |name: &OsStr| confinement.variables.iter().any(|(known, _)| known == name);
    // What is set already stays, as with other readers of such files.
    let unset = |(name, _): &&Variable| std::env::var_os(name).is_none() || of_user(name);
    command.envs(launch_spec.variables.iter().filter(unset).map(|(name, value)| (name, filled(value))));
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
