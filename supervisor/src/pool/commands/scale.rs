//! The part of the pool that changes how many workers there are. Slots stay contiguous: they come and go at the end.

use crate::ids::WorkerId;
use crate::pool::workers::event::Event;
use crate::pool::workers::process::{Process, Role};
use crate::pool::workers::slot::Slot;
use crate::pool::{Change, Note, Output, Phase, Pool};
use std::time::Instant;

impl Pool {
    /// The cluster is to have so many workers.
    pub(in crate::pool) fn scale(&mut self, now: Instant, to: u32) {
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
        for slot in from.min(to)..self.slots.len() as u32 {
            self.keep_or_remove(now, slot, serving);
        }
        for slot in self.slots.len() as u32..to {
            let past = self.past.get(slot as usize).copied().unwrap_or(0);
            let id = WorkerId { slot, incarnation: past };
            self.slots.push(Slot::new(slot, past, &self.settings));
            self.processes.add(Process::new(id, Role::Current, self.version));
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
        let Some(found) = self.slots.get_mut(slot as usize) else { return };
        if found.removed != wanted {
            return;
        }
        found.removed = !wanted;
        if found.removed
            && std::mem::take(&mut found.cordoned)
            && let Some(worker) = self.processes.current(slot).map(Process::id)
        {
            // Whoever gets the slot later was never cordoned.
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
    pub(in crate::pool) fn remove_gone(&mut self) {
        while let Some(slot) = self.slots.last().filter(|slot| slot.removed && !self.is_left(slot.id()))
            && let Some(last) = self.processes.current(slot.id()).filter(|process| !process.is_live())
        {
            let (worker, incarnation) = (last.id(), slot.last_incarnation());
            let place = worker.slot as usize;
            if self.past.len() <= place {
                self.past.resize(place + 1, 0);
            }
            self.past[place] = incarnation;
            self.slots.pop();
            self.processes.remove_current(worker.slot);
            self.outbox.push_back(Output::Changed(Change::WorkerRemoved { worker }));
        }
    }
}
