//! The part of the pool that does what people want of one worker.
//! What a command does to a process stands in the table of states; here stands to whom it may be said, and when.

use crate::ids::WorkerId;
use crate::pool::workers::event::Event;
use crate::pool::workers::process::Process;
use crate::pool::{Change, Output, Phase, Pool, Reason, State, WorkerCommand};
use std::time::Instant;

impl Pool {
    pub(in crate::pool) fn command(&mut self, now: Instant, slot: u32, command: WorkerCommand) {
        if command == WorkerCommand::ForceStop {
            self.act_on_retiring(now, Some(slot), Event::ForceStop);
        }
        if self.slots.get(slot as usize).is_none_or(|slot| slot.removed) {
            return self.command_to_one_that_ends(now, slot, command);
        }
        match self.phase {
            Phase::Serving => {}
            Phase::Idle => return self.cordon_by(now, slot, command),
            Phase::Stopping => return self.command_to_one_that_ends(now, slot, command),
            Phase::Done(_) => return,
        }
        let spent = self.processes.current(slot).is_some_and(|process| {
            matches!(process.state(), State::Standby { reason: Reason::BudgetSpent, .. })
        });
        if spent
            && matches!(command, WorkerCommand::Start | WorkerCommand::Restart | WorkerCommand::HangUp)
            && let Some(slot) = self.slots.get_mut(slot as usize)
        {
            // Somebody has looked at it: it may fail as often as before.
            slot.backoff.refill(&self.settings);
        }
        if matches!(
            command,
            WorkerCommand::Stop | WorkerCommand::ForceStop | WorkerCommand::Dump | WorkerCommand::Debug
        ) {
            // It is to be down, or as it is: nobody is to take its place.
            self.drop_step(now, slot);
        }
        match event(command) {
            Some(event) => self.act(now, slot, event),
            None => self.cordon_by(now, slot, command),
        }
        self.pump_all(now);
        self.launch(now);
        self.close_unserved();
    }

    /// A worker that is not to run again can still be ended, in more than one way.
    fn command_to_one_that_ends(&mut self, now: Instant, slot: u32, command: WorkerCommand) {
        match command {
            WorkerCommand::ForceStop
            | WorkerCommand::Dump
            | WorkerCommand::Debug
            | WorkerCommand::Signal(_) => {}
            WorkerCommand::Start | WorkerCommand::Stop | WorkerCommand::Restart | WorkerCommand::HangUp => {
                return;
            }
            WorkerCommand::Cordon | WorkerCommand::Uncordon => return,
        }
        if let Some(event) = event(command).filter(|_| (slot as usize) < self.slots.len()) {
            self.act(now, slot, event);
        }
    }

    fn cordon_by(&mut self, now: Instant, slot: u32, command: WorkerCommand) {
        let cordoned = match command {
            WorkerCommand::Cordon => true,
            WorkerCommand::Uncordon => false,
            WorkerCommand::Start | WorkerCommand::Stop | WorkerCommand::Restart | WorkerCommand::HangUp => {
                return;
            }
            WorkerCommand::ForceStop
            | WorkerCommand::Dump
            | WorkerCommand::Debug
            | WorkerCommand::Signal(_) => return,
        };
        let Some(found) = self.slots.get_mut(slot as usize).filter(|slot| slot.cordoned != cordoned) else {
            return;
        };
        found.cordoned = cordoned;
        let own = self.processes.current(slot).map(Process::id);
        let successor = self.processes.successor(slot).map(Process::id);
        for id in own.into_iter().chain(successor) {
            self.cordon(now, id, cordoned);
        }
    }

    fn cordon(&mut self, now: Instant, id: WorkerId, cordoned: bool) {
        let Some(process) = self.processes.active_mut(id) else { return };
        // Nobody waits for it any more; whether it keeps up is seen again once it serves.
        process.health.reset();
        // Told only when nobody can come to it any more.
        self.update_eligibility(now, id);
        self.outbox.push_back(Output::Changed(Change::Cordon { worker: id, cordoned }));
        self.tell_suspicion(id);
    }
}

/// The event in the table of states; a cordon is none.
fn event(command: WorkerCommand) -> Option<Event> {
    match command {
        WorkerCommand::Start => Some(Event::Start),
        WorkerCommand::Stop => Some(Event::Stop),
        WorkerCommand::Restart => Some(Event::Restart),
        WorkerCommand::HangUp => Some(Event::HangUp),
        WorkerCommand::ForceStop => Some(Event::ForceStop),
        WorkerCommand::Dump => Some(Event::Dump),
        WorkerCommand::Debug => Some(Event::Debug),
        WorkerCommand::Signal(number) => Some(Event::Signal(number)),
        WorkerCommand::Cordon | WorkerCommand::Uncordon => None,
    }
}
