//! What the shell holds of connections: those that it has accepted and not given, and which are open where a policy or a limit asks.

use crate::io::lanes::open_connections::OpenConnections;
use crate::io::lanes::release::Releases;
use crate::io::sockets::close_events::CloseEvents;
use crate::io::sockets::pending::Pending;
use std::io;

/// The connections, as far as they are the supervisor's.
#[derive(Debug)]
pub(in crate::event_loop) struct Connections {
    pub(in crate::event_loop) pending: Pending,
    pub(in crate::event_loop) releases: Releases,
    /// Which connections are open, where the policy or a limit asks.
    pub(in crate::event_loop) open: Option<OpenConnections>,
    /// While some worker may have no more of them.
    pub(in crate::event_loop) closings: Option<CloseEvents>,
}

impl Connections {
    /// `counts`: which are open is to be known.
    pub(in crate::event_loop) fn new(counts: bool) -> io::Result<Self> {
        let open = counts.then(OpenConnections::default);
        Ok(Self { pending: Pending::default(), releases: Releases::new()?, open, closings: None })
    }
}
