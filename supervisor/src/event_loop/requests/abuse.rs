//! Whom to name for what no program does: the process that the kernel tells of, and the worker that it belongs to. It
//! counts what each may have of what is everybody's; it ends nobody.

use super::super::Shell;
use super::super::os::Os;
use crate::ids::WorkerId;
use crate::io::kernel::descriptors;
use std::fmt::Display;

impl<O: Os> Shell<O> {
    /// Says what a process has done that no thunk does; of each worker only so often.
    pub(in crate::event_loop) fn accuse(&mut self, pid: u32, uid: u32, what: impl Display) {
        let worker = match self.requests.last_accused {
            // One that floods is not looked for each time.
            Some((known, worker)) if known == pid => worker,
            _ => self.whose(pid),
        };
        self.requests.last_accused = Some((pid, worker));
        let process = worker.and_then(|worker| self.lives.process_mut(worker));
        let complaints = process.map_or(&mut self.requests.complaints, |process| &mut process.complaints);
        let Some(hushed) = complaints.ask(self.now) else { return };
        match worker {
            Some(worker) => {
                let id = self.logical_id(worker);
                log::warn!("process {pid} (uid {uid}, of worker {id}) {what}{hushed}");
            }
            None => log::warn!("process {pid} (uid {uid}) {what}{hushed}"),
        }
    }

    /// The same of a worker that is known by its lane.
    pub(in crate::event_loop) fn accuse_worker(&mut self, worker: WorkerId, pid: u32, what: impl Display) {
        let process = self.lives.process_mut(worker);
        let complaints = process.map_or(&mut self.requests.complaints, |process| &mut process.complaints);
        if let Some(hushed) = complaints.ask(self.now) {
            log::warn!("worker {} (process {pid}) {what}{hushed}", self.logical_id(worker));
        }
    }

    /// Tells of those who have connected and asked nothing.
    pub(super) fn accuse_silent(&mut self) {
        while let Some((pid, uid)) = self.requests.socket.next_silent() {
            self.accuse(pid, uid, "connected and asked nothing");
        }
    }

    /// Of the descriptors that the supervisor may have, how many one worker may take up.
    pub(in crate::event_loop) fn share_of_one(&self) -> usize {
        let workers = self.lives.len().max(self.launching.ids.len()).max(1) as u64;
        usize::try_from(descriptors::limit() / 4 * 3 / workers).unwrap_or(usize::MAX)
    }
}
