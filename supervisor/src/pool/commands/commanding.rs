//! The part of the pool that does what people want of one worker.
//! What a command does to a process stands in the table of states; here stands to whom it may be said, and when.

use crate::ids::WorkerId;
use crate::pool::workers::event::Event;
use crate::pool::workers::process::Process;
use crate::pool::{Change, Command, Output, Phase, Pool, Reason, State};
use std::time::Instant;

impl Pool {
    pub(in crate::pool) fn command(&mut self, now: Instant, slot: u32, command: Command) {
        if command == Command::ForceStop {
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
            && matches!(command, Command::Start | Command::Restart | Command::HangUp)
            && let Some(slot) = self.slots.get_mut(slot as usize)
        {
            // Somebody has looked at it: it may fail as often as before.
            slot.backoff.refill(&self.settings);
        }
        if matches!(command, Command::Stop | Command::ForceStop | Command::Dump | Command::Debug) {
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
    fn command_to_one_that_ends(&mut self, now: Instant, slot: u32, command: Command) {
        match command {
            Command::ForceStop | Command::Dump | Command::Debug | Command::Signal(_) => {}
            Command::Start | Command::Stop | Command::Restart | Command::HangUp => return,
            Command::Cordon | Command::Uncordon => return,
        }
        if let Some(event) = event(command).filter(|_| (slot as usize) < self.slots.len()) {
            self.act(now, slot, event);
        }
    }

    fn cordon_by(&mut self, now: Instant, slot: u32, command: Command) {
        let cordoned = match command {
            Command::Cordon => true,
            Command::Uncordon => false,
            Command::Start | Command::Stop | Command::Restart | Command::HangUp => return,
            Command::ForceStop | Command::Dump | Command::Debug | Command::Signal(_) => return,
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
fn event(command: Command) -> Option<Event> {
    match command {
        Command::Start => Some(Event::Start),
        Command::Stop => Some(Event::Stop),
        Command::Restart => Some(Event::Restart),
        Command::HangUp => Some(Event::HangUp),
        Command::ForceStop => Some(Event::ForceStop),
        Command::Dump => Some(Event::Dump),
        Command::Debug => Some(Event::Debug),
        Command::Signal(number) => Some(Event::Signal(number)),
        Command::Cordon | Command::Uncordon => None,
    }
}
