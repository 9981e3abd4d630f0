//! A running program: started, asked for its log and its children and, whatever happens, ended with all that it started. It is sent no
//! request but to see that it is up.

use crate::Result;
use crate::bench::figures::processor::children;
use crate::bench::load::probe;
use crate::project;
use std::collections::HashSet;
use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Supervised,
    Alone,
}

/// A running program. Dropping it ends it and all that it started.
#[derive(Debug)]
pub(in crate::bench) struct Server {
    child: Child,
    pub addr: SocketAddr,
    kind: Kind,
    log: PathBuf,
}

impl Server {
    /// Starts it at a free port and waits until so many processes answer; what it writes goes to a file in `folder`.
    pub(super) fn start(folder: &Path, mut command: Command, kind: Kind, workers: usize) -> Result<Self> {
        static STARTED: AtomicUsize = AtomicUsize::new(0);
        let log = folder.join(format!("log-{}", STARTED.fetch_add(1, Ordering::Relaxed)));
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
        let mut server = Self { child, addr, kind, log };
        match probe::ready(addr, workers, Duration::from_secs(20)) {
            Ok(_) => Ok(server),
            Err(error) => Err(server.explain(&error.to_string()).into()),
        }
    }

    pub(in crate::bench) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Its direct children, of all its threads.
    pub(in crate::bench) fn children(&self) -> HashSet<u32> {
        children(self.pid())
    }

    /// All that it and its children have written so far.
    pub(in crate::bench) fn log(&self) -> String {
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
pub(in crate::bench) fn kill(pid: i32, signal: i32) {
    // SAFETY: kill takes plain numbers and touches no memory of ours.
    unsafe { libc::kill(pid, signal) };
}

/// A port that was free a moment ago.
fn free_address() -> Result<SocketAddr> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?)
}
