//! The cluster is told to stop, by a signal or by a command: what the request means is asked of the core and carried out.

use super::super::Shell;
use super::super::os::Os;
use crate::pool::{Input, Meaning, Request};
use crate::settings::duration::Human;
use nix::sys::signal::Signal;

impl<O: Os> Shell<O> {
    /// Says at the start what the time for a stop means for workers, where it is shorter than they would take.
    pub(in crate::event_loop) fn say_how_it_stops(&self) {
        let stop = &self.config.settings.stop;
        let (Some(limit), Some(told)) = (stop.shutdown_within(), stop.told_within()) else { return };
        let full = stop.drain_delay.saturating_add(stop.drains_for().unwrap_or_default());
        if let Some(patience) = self.config.patience {
            log::info!(
                "in a container, which may be killed {} after it is told to stop: workers are told within {}, and what is left is killed after {}; --shutdown-timeout sets another time",
                Human(patience),
                Human(told),
                Human(limit)
            );
        } else if told < full && stop.shutdown_timeout.is_some() {
            log::info!(
                "a stop may take {} (--shutdown-timeout): workers are told within {}, and drain no longer than that",
                Human(limit),
                Human(told)
            );
        }
    }

    /// Somebody sends a signal that asks for the end.
    pub(in crate::event_loop) fn on_stop_signal(&mut self, signal: Signal) {
        // Whoever presses a key waits for it.
        let request = if signal == Signal::SIGINT { Request::Halt } else { Request::Stop };
        match self.stop_requests.take(self.now, request) {
            Meaning::Begin if request == Request::Halt => {
                log::info!("{signal}: stopping at once");
                self.begin_to_stop(Input::Halt);
            }
            Meaning::Begin => {
                log::info!("{signal}: stopping");
                self.begin_to_stop(Input::Stop);
            }
            Meaning::Same => log::info!("{signal} within a second of the first: taken for the same request"),
            Meaning::Kill => {
                log::warn!("{signal} again: killing what is left");
                self.input(Input::Kill);
            }
        }
    }

    /// A command asks for the end; of several the first counts.
    pub(in crate::event_loop) fn stop_by_command(&mut self) {
        self.stop_requests.take(self.now, Request::Stop);
        self.begin_to_stop(Input::Stop);
    }

    /// A command asks for the end at once.
    pub(in crate::event_loop) fn kill_by_command(&mut self) {
        self.stop_requests.take(self.now, Request::Halt);
        self.input(Input::Kill);
    }

    fn begin_to_stop(&mut self, how: Input) {
        self.reports.notifier.stopping(self.now);
        self.input(how);
    }
}
