//! Has the memory of a worker measured off the loop when the core wants to know, and tells it what was found.

use super::super::Shell;
use super::super::os::Os;
use crate::ids::WorkerId;
use crate::pool::Input;

impl<O: Os> Shell<O> {
    pub(in crate::event_loop) fn measure_memory(&mut self, worker: WorkerId) {
        let Some(process) = self.lives.process(worker) else { return };
        if let Err(error) = self.health.memory_gauge.ask(worker, process.counted()) {
            log::warn!("memory cannot be measured: cannot start a thread: {error}");
            self.pool.handle(self.now, Input::MemoryMeasured { worker, bytes: None });
        }
    }

    /// Takes in what was measured.
    pub(in crate::event_loop) fn on_measured(&mut self) {
        while let Some((worker, bytes)) = self.health.memory_gauge.next() {
            self.input(Input::MemoryMeasured { worker, bytes });
        }
    }
}
