//! What a worker says by its lane. Nothing of it is believed beyond what concerns that worker.

use super::Lane;
use crate::io::kernel::message;
use clustermon_protocol::record::{UPWARD_LEN, Upward};
use std::os::fd::AsFd;

/// A message that no thunk sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Garbage;

impl Lane {
    /// What the worker has said since, one by one; `Err` for what means nothing.
    pub(crate) fn next_upward(&self) -> Option<Result<Upward, Garbage>> {
        let mut bytes = [0; UPWARD_LEN + 1];
        let incoming = message::receive(self.supervisor_end.as_fd(), &mut bytes).ok()?;
        if incoming.len == 0 {
            return None;
        }
        Some(Upward::decode(&bytes[..incoming.len]).ok_or(Garbage))
    }
}
