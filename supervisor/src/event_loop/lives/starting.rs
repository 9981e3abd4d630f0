//! The start of a worker's process: what it is given, and its record. When one is started is the core's to say.

use super::super::Shell;
use super::super::os::{self, Os};
use super::life::Life;
use super::living::watch;
use super::notices::Ear;
use crate::ids::WorkerId;
use crate::io::kernel::{descriptors, pidfd};
use crate::io::launch::interception::How;
use crate::io::launch::spawn::Start;
use crate::io::launch::variables::placeholders::Placeholders;
use crate::io::launch::worker_processes::Process;
use crate::io::process::leftovers::digits;
use crate::io::readiness::s6_ready::Told;
use crate::io::seccomp::notifier::Notifier;
use crate::pool::Input;
use clustermon_protocol::env;
use nix::sys::signal::Signal;
use std::ffi::OsString;
use std::io;
use std::time::Duration;

/// How long a process may take to end after it was killed.
const SWEEP: Duration = Duration::from_secs(2);

/// What a start came to.
struct Begun {
    process: Process,
    /// The file name of the library that it has.
    library: OsString,
    /// Where its calls are answered, if it has the seccomp filter instead.
    calls: Option<Notifier>,
}

impl<O: Os> Shell<O> {
    pub(in crate::event_loop) fn spawn(&mut self, worker: WorkerId, version: u32) {
        let input = match self.try_spawn(worker, version) {
            Ok(pid) => Input::Spawned { worker, pid },
            Err(error) => Input::SpawnFailed { worker, error: descriptors::explain(&error) },
        };
        self.pool.handle(self.now, input);
    }

    fn try_spawn(&mut self, worker: WorkerId, version: u32) -> io::Result<u32> {
        let (readiness, told) = self.newline_for(worker)?;
        let ear = self.ear_for(worker)?;
        match self.start(worker, version, ear.as_ref(), told) {
            Ok(Begun { process, library, calls }) => {
                let pid = process.pid;
                let life = Life::new(process, library, ear, readiness, self.now);
                let life = match calls {
                    Some(calls) => life.with_filter(calls),
                    None => life,
                };
                self.lives.begin(worker, life);
                self.health.oom_kills.watch(pid, self.now);
                Ok(pid)
            }
            Err(error) => {
                if let Some(ear) = &ear {
                    self.lives.ears.close(ear, self.poll.registry());
                }
                Err(error)
            }
        }
    }

    /// What stands in the command for what this worker has of its own, where that is wanted.
    fn placeholders(&self, worker: WorkerId) -> io::Result<Option<Placeholders>> {
        let program = &self.config.settings.program;
        if !program.placeholders {
            return Ok(None);
        }
        let found = Placeholders::of(self.logical_id(worker), worker.slot, program.base_port);
        let none = || {
            io::Error::other("there is no port left for {port}: --base-port is too high for so many workers")
        };
        found.map(Some).ok_or_else(none)
    }

    fn start(
        &mut self,
        worker: WorkerId,
        version: u32,
        ear: Option<&Ear>,
        told: Option<Told>,
    ) -> io::Result<Begun> {
        let token = self.os.token()?;
        let mut own = self.notify_variables(ear);
        own.extend([(env::LOGICAL_ID, self.logical_id(worker).to_owned()), (env::TOKEN, digits(&token))]);
        let wanted = self.hooks.environment.as_ref().map(|make| make(self.logical_id(worker)));
        let id = self.logical_id(worker).to_owned();
        let placeholders = self.placeholders(worker)?;
        let on_trial = self.is_on_trial(version);
        let output = self.outputs.attach(worker, &id, on_trial, self.poll.registry())?;
        // A worker without it would listen outside of the cluster.
        let template = self.launching.templates.get(&version).ok_or(io::ErrorKind::NotFound)?;
        let thunk = match template.launch_spec.interception.how {
            How::Preload => Some(self.os.library(&mut self.launching.thunk)?),
            How::Seccomp => None,
        };
        let library = thunk.map(os::name_of).unwrap_or_default();
        let slot = worker.slot;
        let start = Start { template, slot, own: &own, wanted, output, told, placeholders };
        let mut spawned = self.os.spawn(thunk, start)?;
        self.outputs.started(worker, spawned.pid);
        let calls = spawned.filter.take().map(|filter| {
            log::debug!("worker {id}: the seccomp filter is on: {:?}", filter.terms);
            Notifier::new(filter.notifier)
        });
        let heard = calls.as_ref().map_or(Ok(()), |calls| self.hear_calls(worker, calls));
        heard.and_then(|()| watch(self.poll.registry(), worker, &spawned.pidfd)).inspect_err(|_| {
            self.os.send(spawned.pid, &spawned.pidfd, Signal::SIGKILL);
            pidfd::wait(&spawned.pidfd, SWEEP);
            let _ = self.os.end_of(spawned.pid, &spawned.pidfd, true);
        })?;
        Ok(Begun { process: Process::new(spawned, token), library, calls })
    }
}
