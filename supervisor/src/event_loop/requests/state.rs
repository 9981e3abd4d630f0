//! What the shell holds for processes that ask: the socket at which they do, what they were told, and whom to name if they ask too much.

use crate::ids::WorkerId;
use crate::io::lanes::thunk_socket::ThunkSocket;
use crate::io::output::throttle::Throttle;
use clustermon_protocol::address::Address;
use std::collections::HashMap;

/// What concerns no single worker.
#[derive(Debug)]
pub(in crate::event_loop) struct ThunkRequests {
    pub(in crate::event_loop) socket: ThunkSocket,
    /// The ports given out for port 0, by address, V6ONLY and index of the call.
    pub(in crate::event_loop) any_ports: HashMap<(Address, bool, u32), u16>,
    /// The last address of which a worker was told that it is somebody else's.
    pub(in crate::event_loop) last_taken: Option<(WorkerId, Address)>,
    /// What anybody can make the supervisor say.
    pub(in crate::event_loop) complaints: Throttle,
    /// Who was named last for what no program does.
    pub(in crate::event_loop) last_accused: Option<(u32, Option<WorkerId>)>,
}

impl ThunkRequests {
    pub(in crate::event_loop) fn new(socket: ThunkSocket) -> Self {
        Self {
            socket,
            any_ports: HashMap::new(),
            last_taken: None,
            complaints: Throttle::default(),
            last_accused: None,
        }
    }
}
