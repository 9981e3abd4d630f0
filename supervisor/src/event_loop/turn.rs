//! One turn of the loop: waits, reads the clock once, and has everybody do what follows from what has come by then. Who does what stands
//! here; nothing is done here.

use super::Shell;
use super::os::Os;
use crate::error::Error;
use crate::io::events::source::Source;
use crate::pool::Outcome;
use mio::Events;
use std::io;
use std::time::Duration;

impl<O: Os> Shell<O> {
    pub(super) fn turn_until_done(&mut self) -> Result<Outcome, Error> {
        let mut events = Events::with_capacity(256);
        loop {
            if let Some(outcome) = self.outcome {
                return Ok(outcome);
            }
            self.turn(&mut events)?;
        }
    }

    /// Waits once, and does all that follows from what has come by then.
    pub(super) fn turn(&mut self, events: &mut Events) -> Result<(), Error> {
        let timeout = self.timeout();
        match self.os.wait(&mut self.poll, events, timeout) {
            Err(error) if error.kind() != io::ErrorKind::Interrupted => {
                return Err(Error::os("cannot wait for events", error));
            }
            _ => self.now = self.os.now(),
        }
        for event in &*events {
            let source = Source::of(event.token());
            if !matches!(source, Some(Source::Listener(_) | Source::Lane(_))) {
                self.timers.changed();
            }
            match source {
                // A unix socket that was shut down does not say so to who accepts without waiting.
                Some(Source::Listener(balancer)) if event.is_read_closed() => self.on_shut(balancer),
                Some(source) => self.on_event(source, event.is_readable(), event.is_writable()),
                None => {}
            }
        }
        if self.pool.next_deadline().is_some_and(|deadline| deadline <= self.now) {
            self.pool.handle_timeout(self.now);
            self.carry_out();
        }
        if self.timers.is_due(self.now) {
            self.do_what_is_due();
        }
        self.lanes.deliveries.retain(|(_, delivery)| delivery.is_under_way());
        self.serve();
        self.answer_waiting();
        self.tell_news();
        self.tell_lines();
        Ok(())
    }

    fn timeout(&mut self) -> Option<Duration> {
        if !self.listeners.ready.is_empty() && self.listeners.exhausted_until.is_none() {
            return Some(Duration::ZERO);
        }
        let others = match self.timers.known() {
            Some(at) => at,
            None => {
                let at = self.next_deadline_of_others();
                self.timers.know(at);
                at
            }
        };
        let deadlines = [self.pool.next_deadline(), self.listeners.exhausted_until, others];
        let next = deadlines.into_iter().flatten().min()?;
        Some(next.saturating_duration_since(self.now))
    }

    fn on_event(&mut self, source: Source, readable: bool, writable: bool) {
        match source {
            Source::Signals => self.on_signals(),
            Source::Requests => {
                self.on_requests(|thunk_socket, now, poll, asked| {
                    thunk_socket.accept(now, poll.registry(), asked)
                });
            }
            Source::Request(key) => self.on_requests(|thunk_socket, _, poll, asked| {
                thunk_socket.readable(key, poll.registry(), asked)
            }),
            Source::Listener(balancer) => self.on_pending(balancer),
            Source::Lane(lane) => self.on_lane(lane, readable, writable),
            Source::Child(worker) => self.on_child(worker),
            Source::Member(place) => self.on_member(place),
            Source::Calls(worker) => self.on_calls(worker),
            Source::Control | Source::Client(_) => self.on_control(source, readable, writable),
            Source::Notified(place) => self.on_notified(place),
            Source::Closings => self.on_closings(),
            Source::Probe(worker) => self.on_probe(worker),
            Source::Newline(worker) => self.on_newline(worker),
            Source::Output(key) => self.outputs.readable(key, self.now, self.poll.registry()),
            Source::Waker => {
                self.on_lane_owners();
                self.on_uncovered();
                self.on_measured();
                self.on_changed_files();
                self.on_hooks();
                self.on_addresses();
                self.on_drained();
                self.on_moved();
                self.on_orders();
            }
        }
    }
}
