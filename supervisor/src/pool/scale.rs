//! The part of the pool that changes how many workers there are. Slots stay contiguous: they come and go at the end.

use super::pool::{Phase, Pool};
use super::state::Event;
use super::worker::Worker;
use super::{Change, Note, Output};
use std::time::Instant;

impl Pool {
    /// The cluster is to have so many workers.
    pub(super) fn scale(&mut self, now: Instant, to: u32) {
        let (from, to) = (self.settings.workers, to.max(1));
        let serving = match self.phase {
            Phase::Idle => false,
            Phase::Serving => true,
            Phase::Stopping | Phase::Done(_) => return,
        };
        if from == to {
            return;
        }
        self.settings.workers = to;
        self.note(Note::Scaled { from, to });
        for slot in from.min(to)..self.workers.len() as u32 {
            self.keep_or_remove(now, slot, serving);
        }
        for slot in self.workers.len() as u32..to {
            let past = self.past.get(slot as usize).copied().unwrap_or(0);
            let version = self.version;
            let mut worker = Worker::new(slot, past, &self.settings);
            worker.version = version;
            self.workers.push(worker);
            if serving {
                self.act(now, slot, Event::Due(now));
                self.include(slot);
            }
        }
        self.remove_gone();
        self.pump_all(now);
        self.launch(now);
        self.close_unserved();
    }

    /// A slot that exists and is on the other side of the limit now.
    fn keep_or_remove(&mut self, now: Instant, slot: u32, serving: bool) {
        let wanted = slot < self.settings.workers;
        let Some(worker) = self.workers.get_mut(slot as usize) else { return };
        if worker.removed != wanted {
            return;
        }
        worker.removed = !wanted;
        if worker.removed && std::mem::take(&mut worker.cordoned) {
            // Whoever gets the slot later was never cordoned.
            let worker = worker.id();
            self.outbox.push_back(Output::Changed(Change::Cordon { worker, cordoned: false }));
        }
        if !wanted {
            self.drop_step(now, slot);
        }
        if wanted {
            self.include(slot);
        }
        if serving {
            self.act(now, slot, if wanted { Event::Start } else { Event::Stop });
        }
    }

    /// Workers whose slot was scaled away disappear when nothing of them runs, the highest first.
    pub(super) fn remove_gone(&mut self) {
        while let Some(last) = self.workers.last()
            && !self.is_left(last.id().slot)
            && let Some(worker) = self.workers.pop_if(|worker| worker.removed && !worker.is_live())
        {
            let id = worker.id();
            let slot = id.slot as usize;
            if self.past.len() <= slot {
                self.past.resize(slot + 1, 0);
            }
            self.past[slot] = worker.next - 1;
            self.outbox.push_back(Output::Changed(Change::WorkerRemoved { worker: id }));
        }
    }
}
