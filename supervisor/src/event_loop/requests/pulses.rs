//! Pulse pages: one for each process of a worker that asks, within what one worker may have. They are read elsewhere.

use super::super::Shell;
use super::super::os::Os;
use crate::ids::WorkerId;
use crate::io::lanes::pulse::Pulse;
use std::io;
use std::os::fd::AsFd;

/// Most processes of one worker that have a pulse page.
const MAX_PULSES: usize = 256;
/// So many it may have, however few descriptors there are.
const LEAST_PULSES: usize = 32;

impl<O: Os> Shell<O> {
    /// A pulse page for one more process of the worker.
    pub(super) fn attach(&mut self, worker: WorkerId, pid: u32) -> io::Result<&Pulse> {
        let full = || io::Error::from_raw_os_error(libc::ENOBUFS);
        if self.os.are_descriptors_scarce(self.connections.releases.as_fd()) {
            return Err(full());
        }
        let most = (self.share_of_one() / 3).clamp(LEAST_PULSES, MAX_PULSES);
        let is_steered = self.steering.of(worker).next().is_some();
        let process = self.lives.process_mut(worker).ok_or_else(full)?;
        process.pulses.retain(|pulse| pulse.pid != pid && self.os.is_there(pulse.pid));
        if process.pulses.len() >= most {
            return Err(full());
        }
        // One that the kernel can look at is the same to the process.
        let for_kernel = if is_steered { Pulse::for_kernel(pid).ok() } else { None };
        process.pulses.push(for_kernel.map_or_else(|| Pulse::new(pid), Ok)?);
        process.pulses.last().ok_or_else(full)
    }
}
