//! One app in the foreground: the process of its cluster, which says that it is ready and ends with this one.

use super::plan::arguments;
use super::running::Planned;
use crate::cli::starting::log_args::ABOUT_THE_FILE;
use crate::io::kernel::dispositions::Dispositions;
use crate::io::launch::variables::app_variables;
use crate::io::output::detach_pipe;
use crate::io::readiness::service_manager;
use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::Signal;
use nix::sys::wait::{Id, WaitPidFlag, waitid};
use nix::unistd::{Pid, getppid};
use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};

/// The process, and the pipe on which it says that it is ready.
#[derive(Debug)]
pub(super) struct Started {
    pub(super) child: Child,
    pub(super) ready: OwnedFd,
}

/// Starts it. The thread that does so must live for as long as the process: with it the process is told to stop.
#[expect(clippy::disallowed_methods, reason = "it is no worker, but this program itself")]
pub(super) fn start((app, _): &Planned, file: &Path, dispositions: Dispositions) -> io::Result<Started> {
    let (waiting, inherited) = detach_pipe::pipes()?;
    let parent = Pid::this();
    let mut command = Command::new("/proc/self/exe");
    command
        .arg0(std::env::args_os().next().unwrap_or_else(|| "clustermon".into()))
        .arg("run")
        // --log is for the background.
        .args(arguments(app, file, &ABOUT_THE_FILE.map(str::to_owned)))
        .env(app_variables::VARIABLE, app_variables::encoded(&app.env))
        .env(detach_pipe::VARIABLE, inherited.value()?)
        .stdin(Stdio::null())
        // Ctrl-C is for this process, which stops the apps in their order.
        .process_group(0);
    // One tells the service manager for all of them.
    for name in service_manager::VARIABLES {
        command.env_remove(name);
    }
    let at_fork = move || {
        set_pdeathsig(Signal::SIGTERM)?;
        if getppid() != parent {
            return Err(io::ErrorKind::NotConnected.into());
        }
        dispositions.give()
    };
    // SAFETY: runs between fork and exec, where only system calls are made and nothing is allocated.
    unsafe { command.pre_exec(at_fork) };
    Ok(Started { child: command.spawn()?, ready: waiting.ready })
}

/// Waits until it says that it is ready. False if it has ended before.
pub(super) fn is_ready(ready: OwnedFd) -> bool {
    let mut name = String::new();
    BufReader::new(File::from(ready)).read_line(&mut name).is_ok() && name.ends_with('\n')
}

/// Waits for its end, and leaves it where its number stays taken: who sends it a signal can mean nobody else.
pub(super) fn wait_for_end(child: &Child) {
    let pid = Pid::from_raw(child.id().cast_signed());
    while let Err(nix::errno::Errno::EINTR) =
        waitid(Id::Pid(pid), WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT)
    {}
}

/// How it ended, as a person says it.
pub(super) fn how(status: ExitStatus) -> String {
    use std::os::unix::process::ExitStatusExt;
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("with exit code {code}"),
        (None, signal) => format!("by signal {}", signal.unwrap_or_default()),
    }
}
