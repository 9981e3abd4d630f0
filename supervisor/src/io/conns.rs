//! The connections that the supervisor holds between accept and hand-over: usually one at a time, more only when a lane
//! was taken back. It closes what is dropped and never reads a byte.

use super::lane::Connection;
use crate::ids::ConnId;
use slab::Slab;

/// Connections by id. A place is used again, its id is not.
#[derive(Debug, Default)]
pub(crate) struct Conns {
    slab: Slab<(u32, Connection)>,
    uses: u32,
}

impl Conns {
    /// Keeps a connection.
    pub(crate) fn insert(&mut self, connection: Connection) -> ConnId {
        self.uses = self.uses.wrapping_add(1);
        let place = self.slab.insert((self.uses, connection));
        ConnId(u64::from(self.uses) << 32 | place as u64)
    }

    /// The connection, if it is still here.
    pub(crate) fn get(&self, id: ConnId) -> Option<&Connection> {
        let (uses, connection) = self.slab.get(id.0 as u32 as usize)?;
        (u64::from(*uses) == id.0 >> 32).then_some(connection)
    }

    /// Closes the supervisor's copy.
    pub(crate) fn close(&mut self, id: ConnId) {
        if self.get(id).is_some() {
            self.slab.remove(id.0 as u32 as usize);
        }
    }
}
