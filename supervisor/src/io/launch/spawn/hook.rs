//! Starts the process of a hook: in the directory and with the variables of the app, but without the library, with no descriptor beside 0, 1
//! and 2, with every signal at its default, and in a process group of its own. It waits for nothing.

use super::{Limits, Template, c_path, foreign, surround};
use crate::config::{CommandLine, Config};
use crate::io::kernel::dispositions;
use crate::io::kernel::pidfd;
use crate::io::launch::launch_spec::{LaunchSpec, PrivilegesError, RecipeError, placed};
use crate::io::launch::program::{self, ProgramError};
use crate::io::privileges::entering::Entrance;
use crate::io::privileges::step::Step;
use clustermon_protocol::env;
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::stat::{Mode, fchmod};
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, PipeReader, Seek, Write};
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::os::unix::process::CommandExt;
use std::process::Command;

/// By this variable the processes of one run of a hook are known, wherever they have gone.
pub(in crate::io) const MARK: &str = "CLUSTERMON_HOOK_TOKEN";

/// What the library and workers are told, and a hook is not.
const OF_WORKERS: [&str; 7] = [
    env::SOCKET,
    env::SUPERVISOR,
    env::TOKEN,
    env::RULES,
    env::BACKLOG,
    env::ON_SUPERVISOR_DEATH,
    env::LOGICAL_ID,
];

/// What every hook gets while workers are of one version.
#[derive(Clone, Debug)]
pub(crate) struct HookTemplate {
    launch_spec: LaunchSpec,
    /// Variables of the app beyond those of this process.
    variables: Vec<(OsString, OsString)>,
    limits: Limits,
}

/// A hook that runs.
#[derive(Debug)]
pub(in crate::io) struct StartedHook {
    pub(in crate::io) pid: u32,
    pub(in crate::io) pidfd: OwnedFd,
    /// What it writes to stdout and stderr.
    pub(in crate::io) output: PipeReader,
}

/// Why there is none.
#[derive(Debug, thiserror::Error)]
pub(in crate::io) enum NoHook {
    #[error(transparent)]
    Program(#[from] ProgramError),
    #[error(transparent)]
    Os(#[from] io::Error),
}

impl Template {
    /// What hooks get while this is the version of workers.
    pub(crate) fn for_hooks(&self) -> HookTemplate {
        HookTemplate {
            launch_spec: self.launch_spec.clone(),
            variables: self.variables.clone(),
            limits: self.limits,
        }
    }
}

/// The program of a command that is run as workers are, below their root if they have one.
fn locate(command: &CommandLine, launch_spec: &LaunchSpec) -> Result<OsString, NoHook> {
    let name = command.words().first().map(OsString::as_os_str).unwrap_or_default();
    let place = placed(name, launch_spec.cwd.as_deref());
    Ok(launch_spec.confinement.below_root().run(|| program::locate(&place))??.into())
}

/// An error for the first command of a hook that could not be run now: at the start somebody is there to mend it.
pub(crate) fn check(config: &Config, launch_spec: &LaunchSpec) -> Result<(), RecipeError> {
    let hooks = &config.settings.hook_commands;
    let on = hooks.on.iter().map(|on| (format!("on {}", on.event), &on.command));
    let start = hooks.before_start.iter().map(|command| ("before-start".to_owned(), command));
    let reload = hooks.before_reload.iter().map(|command| ("before-reload".to_owned(), command));
    for (option, command) in start.chain(reload).chain(on) {
        locate(command, launch_spec).map_err(|fault| match fault {
            NoHook::Program(source) => RecipeError::Hook { option, source },
            NoHook::Os(error) => PrivilegesError::Refused(format!("--chroot: {error}")).into(),
        })?;
    }
    Ok(())
}

impl HookTemplate {
    /// Starts one. It reads `input` from stdin to its end, however long that is: it is a file in memory, so that nobody has to write to a
    /// pipe that is not read.
    #[expect(clippy::disallowed_methods, reason = "the one place where hooks are started")]
    pub(in crate::io) fn start(
        &self,
        command: &CommandLine,
        own: &[(&str, &str)],
        input: &str,
    ) -> Result<StartedHook, NoHook> {
        let Some((name, arguments)) = command.words().split_first() else {
            return Err(NoHook::Os(io::ErrorKind::InvalidInput.into()));
        };
        let mut process = Command::new(locate(command, &self.launch_spec)?);
        let (output, writer) = io::pipe()?;
        // For one of another user that opens /dev/stderr anew, as with pipes of workers.
        let _ = fchmod(&writer, Mode::from_bits_truncate(0o622));
        process.arg0(name).args(arguments).process_group(0);
        process.stdin(in_memory(input)?).stdout(writer.try_clone()?).stderr(writer);
        let confinement = &self.launch_spec.confinement;
        let cwd = self.launch_spec.cwd.as_deref().map(c_path).transpose()?;
        let entrance = (!confinement.is_empty()).then(|| confinement.entrance_of_hook(cwd));
        surround(&mut process, &self.launch_spec, entrance.is_some(), OsString::clone);
        process.envs(self.variables.iter().map(|(name, value)| (name, value)));
        for name in OF_WORKERS {
            process.env_remove(name);
        }
        self.preload_what_is_foreign(&mut process);
        process.envs(own.iter().copied());
        let (limits, umask) = (self.limits, self.launch_spec.umask);
        let highest = highest_descriptor();
        // SAFETY: runs between fork and exec, where only system calls are made and nothing is allocated.
        unsafe {
            process.pre_exec(move || {
                limits.give_back()?;
                if let Some(mode) = umask {
                    libc::umask(mode);
                }
                close_at_exec(highest);
                entrance.as_ref().map_or(Ok(()), Entrance::begin)?;
                entrance.as_ref().map_or(Ok(()), Entrance::finish)?;
                // A change of the user would take it back. Fires when the thread that started it ends, which waits for it as long as this
                // process lives.
                libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
                dispositions::set_defaults()
            });
        }
        let mut child = process.spawn().map_err(|error| match Step::of(&error) {
            Some((step, error)) => io::Error::new(error.kind(), self.launch_spec.explain(step, &error, None)),
            None => error,
        })?;
        // It holds our copies of the ends that are the hook's.
        drop(process);
        let pid = child.id();
        match pidfd::open(pid) {
            Ok(pidfd) => Ok(StartedHook { pid, pidfd, output }),
            Err(error) => {
                let _ = child.kill();
                let _ = child.wait();
                Err(error.into())
            }
        }
    }

    /// One of no cluster.
    #[cfg(test)]
    pub(in crate::io) fn bare() -> Self {
        use crate::io::launch::interception::{How, Interception};
        let interception = Interception { how: How::Preload, because: "a test" };
        let (program, cwd, umask, variables, confinement) = Default::default();
        let launch_spec = LaunchSpec { program, cwd, umask, variables, interception, confinement };
        Self { launch_spec, variables: Vec::new(), limits: Limits::take(false).expect("a limit") }
    }

    /// The library is for workers; what the user preloads anyway stays.
    fn preload_what_is_foreign(&self, process: &mut Command) {
        let own = self.variables.iter().chain(&self.launch_spec.variables);
        let own = own.filter(|(name, _)| name == env::PRELOAD).map(|(_, value)| value.clone()).next();
        let list = own.or_else(|| std::env::var_os(env::PRELOAD)).unwrap_or_default();
        let left: Vec<OsString> = foreign(&list).map(Into::into).collect();
        match left.is_empty() {
            true => process.env_remove(env::PRELOAD),
            false => process.env(env::PRELOAD, left.join(":".as_ref())),
        };
    }
}

/// A file that holds the text and is read from its beginning.
fn in_memory(text: &str) -> io::Result<File> {
    let mut file = File::from(memfd_create(c"clustermon-hook", MFdFlags::MFD_CLOEXEC)?);
    file.write_all(text.as_bytes())?;
    file.rewind()?;
    Ok(file)
}

/// The highest descriptor of this process that anybody may have left open for programs that are started. All that are opened here are closed
/// then, so that it does not matter what is opened meanwhile.
fn highest_descriptor() -> RawFd {
    let entries = std::fs::read_dir("/proc/self/fd").into_iter().flatten().flatten();
    let numbers = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    numbers.max().unwrap_or_else(|| io::stderr().as_raw_fd())
}

/// No descriptor but the first three is left to the program. Only makes system calls.
fn close_at_exec(highest: RawFd) {
    // SAFETY: no memory is involved. What is needed until then, as the pipe by which an error is told, is only marked.
    let marked =
        unsafe { libc::syscall(libc::SYS_close_range, 3, libc::c_uint::MAX, libc::CLOSE_RANGE_CLOEXEC) };
    if marked == 0 {
        return;
    }
    // Before Linux 5.11.
    for fd in 3..=highest {
        // SAFETY: it marks a number, which need not be open, and touches no memory.
        unsafe { libc::fcntl(fd, libc::F_SETFD, libc::FD_CLOEXEC) };
    }
}
