//! Processes of a worker that live on when its first one has ended: the core is told where that is no good end, and those
//! whose parent was told to stop, and died of it without a word to them, are told by the supervisor.

use super::super::Shell;
use super::super::os::Os;
use crate::ids::WorkerId;
use crate::io::launch::process_calls::Ended;
use crate::io::launch::worker_processes::Kind;
use crate::pool::{Exit, Input};
use std::time::Duration;

/// A parent may have told its children and not have waited for them: told twice, some give up at once what they finish.
const GRACE: Duration = Duration::from_secs(1);

impl<O: Os> Shell<O> {
    /// The first process of the worker has ended, and it is not gone.
    pub(super) fn first_has_ended(&mut self, worker: WorkerId) {
        let Some(life) = self.lives.get_mut(worker).filter(|life| !life.process.members.is_empty()) else {
            return;
        };
        let process = &life.process;
        if process.stopping {
            life.survivors_at = Some(self.now + GRACE);
            return;
        }
        let exit = match process.ended {
            // It went into the background, or was a wrapper.
            Some(Ended::Code(0)) => {
                let pid = process.shown_pid();
                let id = self.logical_id(worker);
                log::info!("worker {id}: its first process has ended, and {pid} goes on");
                return;
            }
            Some(Ended::Code(code)) => Exit::Code(code),
            Some(Ended::Signal { signal, core_dumped }) => {
                Exit::Signal { signal: signal as i32, core_dumped, oom_killed: false }
            }
            None => return,
        };
        self.input(Input::MainEnded { worker, exit });
    }

    /// Tells those whose time has come.
    pub(in crate::event_loop) fn stop_survivors(&mut self) {
        let (now, signal) = (self.now, self.stop_signal());
        for (_, life) in self.lives.iter_mut() {
            if life.survivors_at.take_if(|due| *due <= now).is_some() {
                life.process.send_to(&self.os, Kind::Forked, signal);
            }
        }
    }
}
