//! Open connections, where their number matters: has them counted when the core wants to know, and as soon as one ends while
//! some worker may have no more.

use super::super::Shell;
use super::super::os::Os;
use crate::io::events::source::Source;
use crate::io::sockets::close_events::CloseEvents;
use crate::pool::Input;
use mio::Interest;
use mio::unix::SourceFd;
use std::os::fd::AsRawFd;

impl<O: Os> Shell<O> {
    /// A worker has as many connections as it may, or is believed to.
    pub(in crate::event_loop) fn count_soon(&mut self) {
        if let Some(open) = &mut self.connections.open {
            open.ask(self.now);
        }
        self.listen_for_closings();
    }

    /// The kernel is to tell when a connection ends. Where it does not they are counted now and then all the same.
    fn listen_for_closings(&mut self) {
        let addresses = self.listeners.all.values().map(|listener| listener.address);
        let mut ports: Vec<u16> = addresses.filter_map(|address| address.port()).collect();
        ports.sort_unstable();
        ports.dedup();
        if let Some(closings) = &mut self.connections.closings {
            return closings.watch(ports);
        }
        let registry = self.poll.registry();
        let made = CloseEvents::new(ports).and_then(|made| {
            registry.register(
                &mut SourceFd(&made.as_raw_fd()),
                Source::Closings.into(),
                Interest::READABLE,
            )?;
            Ok(made)
        });
        self.connections.closings =
            made.inspect_err(|error| log::debug!("connections end unheard: {error}")).ok();
    }

    /// Some connection has ended.
    pub(in crate::event_loop) fn on_closings(&mut self) {
        let Some(closings) = &mut self.connections.closings else { return };
        let ended = closings.take();
        if let Some(open) = &mut self.connections.open {
            open.closed(&ended);
        }
        let settings = self.pool.settings();
        let is_any_full =
            self.pool.workers().chain(self.pool.successors()).any(|worker| worker.is_full(settings));
        if !is_any_full {
            // Nobody minds until somebody is full again.
            self.connections.closings = None;
        } else if let Some(open) = &mut self.connections.open {
            open.ask(self.now);
        }
    }

    /// Tells the core how many connections each worker has.
    pub(in crate::event_loop) fn count_open(&mut self) {
        let Some(open) = &mut self.connections.open else { return };
        let lives = &self.lives;
        open.forget_ended(|worker| lives.contains(worker));
        let lanes = self.lanes.all.values().map(|lane| (lane.worker, lane.credits.as_ref()));
        match open.count(self.now, lanes) {
            Ok(counts) => {
                for (worker, open) in counts {
                    self.pool.handle(self.now, Input::OpenConnections { worker, open });
                }
                // What is given in between is not in the other counts.
                self.carry_out();
            }
            Err(error) => log::warn!("open connections cannot be counted: {error}"),
        }
    }
}
