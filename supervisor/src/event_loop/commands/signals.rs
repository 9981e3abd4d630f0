//! Signals that the supervisor gets: some are commands, some are for the workers too, and one says that a child has ended. It sends none itself.

use super::super::Shell;
use super::super::os::Os;
use crate::api::{ScaleTo, Target};
use crate::io::events::signals::{Event, Signals};
use crate::pool;
use nix::sys::signal::Signal;

impl<O: Os> Shell<O> {
    pub(in crate::event_loop) fn on_signals(&mut self) {
        while let Some(event) = self.signals.as_ref().and_then(Signals::next) {
            match event {
                Event::Child => {
                    self.reap_orphans();
                    self.remains_may_have_come();
                    self.look_for_suspended();
                }
                Event::Reload => {
                    log::info!("SIGHUP: reloading");
                    self.reload();
                }
                Event::ScaleUp => self.scale_by(1),
                Event::ScaleDown => self.scale_by(-1),
                Event::Forward(signal) => self.forward(signal),
                Event::Stop(signal) => self.on_stop_signal(signal),
            }
        }
    }

    /// One worker more or less, as a signal asks; at the limits nothing happens.
    fn scale_by(&mut self, change: i32) {
        match self.scale(ScaleTo::By(change)) {
            Ok(count) => log::info!("scaling to {count} workers, as a signal asks"),
            Err(failure) => log::warn!("{failure}"),
        }
    }

    /// A signal that means nothing to the supervisor is for the workers. SIGUSR1 is for both: by it many a server opens its
    /// log anew, as the supervisor does where it has one.
    fn forward(&mut self, signal: Signal) {
        if signal == Signal::SIGUSR1 {
            self.reopen_log_if_any();
        }
        log::info!("{signal} goes to every worker");
        // The target exists: it is all of them.
        let _ = self.command(&Target::Cluster, pool::WorkerCommand::Signal(signal as i32));
    }
}
