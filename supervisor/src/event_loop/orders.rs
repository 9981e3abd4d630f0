//! Carries out what the core orders: one match, one method for each order that needs more than a line.

use super::{Shell, arm};
use crate::ids::{BalancerId, ConnId, LaneId, WorkerId};
use crate::io::credit::Credits;
use crate::io::lane::Lane;
use crate::io::scout::{Question, Wanted};
use crate::io::source::Source;
use crate::pool::{Input, Output, Signal};
use clustermon_protocol::address::Address;
use mio::Interest;
use mio::unix::SourceFd;
use nix::sys::signal::Signal as Posix;
use std::hash::{DefaultHasher, Hasher};
use std::io;
use std::os::fd::{AsFd, AsRawFd};

impl Shell {
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
                Output::Drain { worker } => self.drain(worker),
                Output::CloseDoor { balancer } => self.close_door(balancer),
                Output::Dispatch { conn, lane } => self.dispatch(conn, lane),
                Output::Grant { lane } => self.grant(lane),
                Output::Open { lane } => self.open_credit(lane),
                Output::Wake { lane } => self.wake(lane),
                Output::Pace { lane, one_each } => self.pace(lane, one_each),
                Output::TakeFor { lane } => self.take_for(lane),
                Output::LookAtQueue { balancer } => self.make_ready(balancer),
                Output::Refuse { conn } => self.conns.refuse(conn),
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
                Output::Resume { balancer } => self.make_ready(balancer),
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
            Output::Dispatch { .. } | Output::TakeFor { .. } => self.open.is_none(),
            _ => false,
        }
    }

    /// What asks a worker to stop.
    pub(super) fn stop_signal(&self) -> Posix {
        Posix::try_from(self.config.settings.stop.stop_signal).unwrap_or(Posix::SIGTERM)
    }

    /// The connection path: one sendmsg, one close, and word that the copy is closed.
    pub(super) fn dispatch(&mut self, conn: ConnId, id: LaneId) {
        self.mark_given(id);
        let Some(connection) = self.conns.get(conn) else { return };
        let balancer = connection.balancer;
        let given = match self.lanes.get_mut(&id) {
            Some(lane) => lane.give(connection),
            None => Err(io::ErrorKind::NotConnected.into()),
        };
        let error = match given {
            Ok(ticket) => {
                if let (Some(open), Some(lane)) = (&mut self.open, self.lanes.get(&id)) {
                    open.given(connection.fd.as_fd(), connection.peer.family(), lane.worker, self.now);
                }
                self.conns.close(conn);
                self.releases.release(ticket);
                return;
            }
            Err(error) => error,
        };
        let source = source_of(&connection.peer);
        let full = error.kind() == io::ErrorKind::WouldBlock
            || error.raw_os_error() == Some(libc::ETOOMANYREFS)
            || error.raw_os_error() == Some(libc::ENOBUFS);
        let input = match self.lanes.get(&id) {
            Some(lane) if full => {
                let waiting = lane.waiting().max(self.config.settings.balancing.window());
                Input::Measured { lane: id, waiting }
            }
            _ => {
                log::warn!("a lane broke: {error}");
                Input::LaneClosed { lane: id }
            }
        };
        self.pool.handle(self.now, input);
        self.pool.handle(self.now, Input::Returned { conn, balancer, source });
    }

    pub(super) fn measure(&mut self, id: LaneId) {
        let waiting = self.lanes.get(&id).map_or(0, |lane| self.waiting(lane));
        self.pool.handle(self.now, Input::Measured { lane: id, waiting });
    }

    /// Arming tells at once if there is room; once armed, each receive of the worker's is an event.
    fn watch(&mut self, id: LaneId) {
        let Some(lane) = self.lanes.get_mut(&id) else { return };
        lane.watched = true;
        if self.watch_thread(id) || self.watch_credits(id) {
            return;
        }
        if let Some(lane) = self.lanes.get_mut(&id).filter(|lane| !lane.armed) {
            match arm(&self.poll, id, lane, true) {
                Ok(()) => lane.armed = true,
                Err(error) => log::error!("cannot watch a lane: {error}"),
            }
        }
    }

    fn look(&mut self, id: LaneId) {
        self.look_for_missed(id);
        if let Some(lane) = self.lanes.get_mut(&id) {
            lane.write_off_lost();
        }
        let Some(lane) = self.lanes.get(&id) else { return };
        let waiting = lane.waiting();
        if waiting == 0 || self.is_coming(id) || lane.is_where_it_was() {
            self.pool.handle(self.now, Input::Looked { lane: id, waiting, held: true });
            return;
        }
        let (worker, wanted) = (lane.worker, Wanted { lane: id, inode: lane.inode, seen_at: lane.seen_at });
        let pids = self.possible_holders(worker);
        self.scout.ask(Question { lanes: vec![wanted], pids, idle: false });
    }

    fn take_back(&mut self, id: LaneId) {
        let Some(lane) = self.lanes.get(&id) else { return };
        let balancer = lane.balancer;
        // Nobody else is to answer for a worker that is being tried.
        let tried = self.is_being_tried(lane.worker);
        // What cannot be taken back stays the worker's.
        let Some(lane) = self.lanes.get_mut(&id) else { return };
        let had_any = lane.waiting() > 0 || lane.open;
        lane.open = false;
        let (taken, _) = lane.take_back();
        // After the credit has ended: who begins to watch later finds that himself.
        let is_direct = lane.credits.as_ref().is_some_and(Credits::is_direct);
        if is_direct {
            // Its thread's wait watches the listening socket for as long as nobody says otherwise.
            lane.wake();
        }
        // A thread that was told of a credit must not block in accept() for it.
        if had_any && !(lane.takes_credit() && lane.is_nonblocking()) {
            lane.leave_void();
        }
        if !taken.is_empty() && tried {
            return self.try_elsewhere(id);
        }
        for connection in taken {
            let source = source_of(&connection.peer);
            let conn = self.conns.insert(connection);
            self.pool.handle(self.now, Input::Returned { conn, balancer, source });
        }
    }

    /// Who still receives from the lane will find what is left in it, and who comes to it is woken by it.
    fn vacate(&mut self, id: LaneId) {
        self.take_back(id);
        if let Some(lane) = self.lanes.get(&id).filter(|lane| lane.waiting() == 0) {
            lane.leave_void();
        }
    }

    fn retire(&mut self, id: LaneId) {
        let Some(lane) = self.lanes.remove(&id) else { return };
        self.releases.close(lane.ticket);
        let _ = self.poll.registry().deregister(&mut SourceFd(&lane.as_fd().as_raw_fd()));
        self.empty(lane);
    }

    /// Takes back what waits in a lane that is no more; what there is no descriptor for is left until there is one.
    fn empty(&mut self, mut lane: Lane) {
        let balancer = lane.balancer;
        // Nobody else is to answer for it.
        let tried = self.is_being_tried(lane.worker);
        let (taken, all) = lane.take_back();
        if let (Some(open), Some(credits)) = (&mut self.open, lane.credits.take()) {
            open.ended(lane.worker, credits);
        }
        for connection in taken.into_iter().filter(|_| !tried) {
            let source = source_of(&connection.peer);
            let conn = self.conns.insert(connection);
            self.pool.handle(self.now, Input::Returned { conn, balancer, source });
        }
        if !all {
            self.leftovers.push(lane);
            self.pause_for_descriptors();
        }
    }

    /// Tries again with lanes that could not be emptied.
    pub(super) fn empty_leftovers(&mut self) {
        for lane in std::mem::take(&mut self.leftovers) {
            self.empty(lane);
            self.carry_out();
        }
    }

    /// Listens anew on the address of a socket that failed.
    fn reopen(&mut self, balancer: BalancerId) {
        let Some(listener) = self.listeners.get_mut(&balancer) else { return };
        let registry = self.poll.registry();
        let _ = registry.deregister(&mut SourceFd(&listener.as_fd().as_raw_fd()));
        let opened = listener.reopen().and_then(|anew| {
            let source = Source::Listener(balancer).into();
            registry.register(&mut SourceFd(&listener.as_fd().as_raw_fd()), source, Interest::READABLE)?;
            Ok(anew)
        });
        let input = match opened {
            Ok(anew) => Input::BalancerReopened { balancer, anew },
            Err(error) => Input::BalancerFailed { balancer, error: error.to_string() },
        };
        self.pool.handle(self.now, input);
    }

    fn close_balancer(&mut self, balancer: BalancerId) {
        let Some(listener) = self.listeners.remove(&balancer) else { return };
        if self.pool.balancer(balancer).is_some() {
            // Its workers go on with what they have of it.
            self.closed.push((balancer, listener.address));
        }
        self.by_key.remove(&listener.key);
        self.ready.retain(|ready| *ready != balancer);
        let _ = self.poll.registry().deregister(&mut SourceFd(&listener.as_fd().as_raw_fd()));
        listener.stop_listening();
        listener.remove_file();
    }

    fn signal(&mut self, worker: WorkerId, signal: Signal) {
        self.no_longer_drains(worker);
        if signal == Signal::Stop && self.is_dumping(worker) {
            return;
        }
        let stop = self.stop_signal();
        if matches!(signal, Signal::Stop | Signal::Kill | Signal::Abort) {
            self.note_descendants(worker);
        }
        if signal == Signal::Kill {
            self.waits_no_more();
        }
        let Some(process) = self.lives.process_mut(worker) else { return };
        match signal {
            Signal::Stop => process.stop(stop),
            Signal::Kill => process.kill(),
            Signal::HangUp => process.send(Posix::SIGHUP),
            Signal::Abort => process.stop(Posix::SIGABRT),
            Signal::Debug => process.send(Posix::SIGUSR1),
            Signal::Number(number) => match Posix::try_from(number) {
                Ok(signal) => process.send(signal),
                Err(_) => log::error!("worker {worker}: there is no signal {number}"),
            },
        }
    }
}

/// Stands for a peer: its address without the port, as a number that is always the same.
pub(super) fn source_of(peer: &Address) -> u64 {
    let mut hasher = DefaultHasher::new();
    match peer.port() {
        Some(_) => hasher.write(peer.with_port(0).as_bytes()),
        None => hasher.write(peer.as_bytes()),
    }
    hasher.finish()
}
