//! Tells the core what has happened, and carries out what it orders: one match, and for each order that needs more than a line one method, which stands with its subject.
//! It decides nothing.

use super::Shell;
use super::os::Os;
use crate::pool::{Input, Output};

impl<O: Os> Shell<O> {
    /// Reports a fact to the core and carries out what follows from it.
    pub(super) fn input(&mut self, input: Input) {
        self.pool.handle(self.now, input);
        self.carry_out();
    }

    /// Drains the core's orders.
    pub(super) fn carry_out(&mut self) {
        while let Some(output) = self.pool.poll_output() {
            if !self.is_of_connection_path(&output) {
                self.timers.changed();
            }
            match output {
                Output::Spawn { worker, version } => self.spawn(worker, version),
                Output::Prepare { ticket, version } => self.prepare(ticket, version),
                Output::Reloaded { ticket, reloaded } => self.reloaded(ticket, &reloaded),
                Output::AskGate { gate } => self.ask_gate(gate),
                Output::DropGate { gate } => self.drop_gate(gate),
                Output::Drain { worker } => self.drain(worker),
                Output::StopIntake { balancer } => self.stop_intake(balancer),
                Output::Dispatch { conn, lane } => self.dispatch(conn, lane),
                Output::Grant { lane } => self.grant(lane),
                Output::Open { lane } => self.open_credit(lane),
                Output::Wake { lane } => self.wake(lane),
                Output::Pace { lane, one_each } => self.pace(lane, one_each),
                Output::TakeFor { lane } => self.take_for(lane),
                Output::LookAtQueue { balancer } => self.make_ready(balancer),
                Output::Steer { balancer } => self.steer(balancer),
                Output::Refuse { conn } => self.connections.pending.refuse(conn),
                Output::Measure { lane } => self.measure(lane),
                Output::Watch { lane } => self.watch(lane),
                Output::Look { lane } => self.look(lane),
                Output::Count { .. } => self.count_soon(),
                Output::LookAtBoot { worker } => self.look_at_boot(worker),
                Output::MeasureMemory { worker } => self.measure_memory(worker),
                Output::Examine { worker } => self.examine(worker),
                Output::ExamineHolder { lane } => self.examine_holder(lane),
                Output::EndHolder { lane } => self.end_holder(lane),
                Output::TakeBack { lane } => self.take_back(lane),
                Output::Vacate { lane } => self.vacate(lane),
                Output::Retire { lane } => self.retire(lane),
                Output::Resume { balancer } => self.resume(balancer),
                Output::Reopen { balancer } => self.reopen(balancer),
                Output::CloseBalancer { balancer } => self.close_balancer(balancer),
                Output::Signal { worker, signal } => self.signal(worker, signal),
                Output::Changed(change) => self.announce(change),
                Output::Note(note) => self.on_note(&note),
                Output::Done(outcome) => self.outcome = Some(outcome),
            }
        }
    }

    /// Carrying it out gives nobody but the core anything to do at a later time.
    fn is_of_connection_path(&self, output: &Output) -> bool {
        match output {
            Output::Grant { .. }
            | Output::Open { .. }
            | Output::Wake { .. }
            | Output::Pace { .. }
            | Output::LookAtQueue { .. }
            | Output::Resume { .. } => true,
            Output::Measure { .. } | Output::Watch { .. } => true,
            // It may be counted later.
            Output::Dispatch { .. } | Output::TakeFor { .. } => self.connections.open.is_none(),
            _ => false,
        }
    }
}
