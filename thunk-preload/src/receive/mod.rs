//! What comes by a lane: a record, room for the descriptor beside it, and the moment from which the connection is this process's alone.

pub(crate) mod record;
pub(crate) mod release;
pub(crate) mod room;
