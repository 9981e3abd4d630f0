//! A started command with all it starts in turn: marked by a variable, collected, and killed to the last at the end.

use crate::programs::options::{Plan, Unread};
use crate::started::log::Log;
use crate::system::process::{Pid, marked, signal};
use crate::system::temp::TempDir;
use crate::system::wait::{PATIENCE, wait_for, wait_until};
use std::ffi::OsString;
use std::io::{PipeReader, Read, pipe};
use std::os::fd::AsRawFd;
use std::process::{self, Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::{self, JoinHandle};

const MARK: &str = "CLUSTERMON_TEST_ID";

/// The command is killed on drop, and every process that carries the mark with it.
#[derive(Debug)]
pub(crate) struct Running {
    child: Child,
    mark: String,
    pub(crate) log: Log,
    pub(crate) stdout: Log,
    readers: Vec<JoinHandle<()>>,
    /// Held open and not read.
    unread: Option<PipeReader>,
    pub(crate) temp: TempDir,
    _port: Option<crate::system::ports::Port>,
}

impl Running {
    /// Starts `before` followed by the plan's command.
    pub(crate) fn start(before: &[OsString], plan: Plan, unread: Unread) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let mark = format!("{}-{}", process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let words: Vec<_> = before.iter().chain(&plan.command).collect();
        let runtime_dir = plan.temp.path().join("run");
        std::fs::create_dir(&runtime_dir).expect("the temporary directory is new");

        let mut command = Command::new(words[0]);
        for name in ["LD_PRELOAD", "PORT", "HOST", "UNIX_PATH", "PROCESS_LOGICAL_ID", "ET"] {
            command.env_remove(name);
        }
        command
            .args(&words[1..])
            .current_dir(&plan.cwd)
            .env(MARK, &mark)
            .env("XDG_RUNTIME_DIR", &runtime_dir);
        // Root has another place, but not for tests.
        command.env("RUNTIME_DIRECTORY", runtime_dir);
        // Compiled modules would stay in the source tree.
        command.env("PYTHONDONTWRITEBYTECODE", "1");
        // An open pipe: a program that is given it by mistake would wait on it.
        command.envs(plan.env).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let held = (unread != Unread::Neither).then(|| {
            let (reader, writer) = pipe().expect("descriptors are left");
            // SAFETY: fcntl with an integer argument on a descriptor that `reader` holds open.
            unsafe { libc::fcntl(reader.as_raw_fd(), libc::F_SETPIPE_SZ, 4096) };
            if unread == Unread::Stdout {
                command.stdout(writer);
            } else {
                command.stderr(writer);
            }
            reader
        });
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{words:?}: {error}"));
        // It holds our copy of the pipe's writing end.
        drop(command);
        let mut readers = Vec::new();
        let mut collect = |pipe: Option<Box<dyn Read + Send>>| {
            pipe.map_or_else(Log::default, |pipe| {
                let (log, reader) = Log::collect(pipe);
                readers.push(reader);
                log
            })
        };
        let stdout = collect(child.stdout.take().map(|pipe| Box::new(pipe) as _));
        let log = collect(child.stderr.take().map(|pipe| Box::new(pipe) as _));
        Self { child, mark, log, stdout, readers, unread: held, temp: plan.temp, _port: plan.port }
    }

    /// Reads from now on what was left unread, as stdout.
    pub(crate) fn read_held(&mut self) {
        let (log, reader) = Log::collect(self.unread.take().expect("something was left unread"));
        self.readers.push(reader);
        self.stdout = log;
    }

    pub(crate) fn pid(&self) -> Pid {
        self.child.id()
    }

    /// The command itself and everything it has started, as far as it lives.
    pub(crate) fn processes(&self) -> Vec<Pid> {
        marked(MARK, &self.mark)
    }

    pub(crate) fn exited(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("nobody else waits for our child")
    }

    #[track_caller]
    pub(crate) fn wait_exit(&mut self) -> ExitStatus {
        wait_for("the command ends", PATIENCE, || self.exited())
    }

    /// After its end: waits until all that it wrote has been collected. What it left running may hold the pipes.
    pub(crate) fn finish_reading(&self) {
        let read = || self.readers.iter().all(JoinHandle::is_finished) || !self.processes().is_empty();
        wait_until("all output is collected", PATIENCE, read);
    }

    fn kill_all(&mut self) {
        // First the one that would start others anew.
        signal_if_unreaped(&mut self.child);
        let _ = self.child.wait();
        wait_until("every process is killed", PATIENCE, || {
            let left = self.processes();
            left.iter().for_each(|pid| signal(*pid, libc::SIGKILL));
            left.is_empty()
        });
        self.readers.drain(..).for_each(|reader| reader.join().expect("a reader never panics"));
    }
}

fn signal_if_unreaped(child: &mut Child) {
    if let Ok(None) = child.try_wait() {
        let _ = child.kill();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let failed = thread::panicking();
        if failed {
            eprintln!("---- stdout\n{}---- stderr\n{}----", self.stdout.text(), self.log.text());
        }
        // What waits for its reader must not do so for ever.
        self.unread = None;
        self.kill_all();
    }
}
