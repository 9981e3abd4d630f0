//! Lanes and the pages that the supervisor shares with workers: handing over, credits, pulses, and who holds what. It believes
//! nothing that a worker writes beyond what concerns that worker.

pub(crate) mod credit;
pub(crate) mod lane;
pub(crate) mod lane_owner_probe;
pub(crate) mod open_connections;
pub(crate) mod pulse;
pub(crate) mod release;
pub(crate) mod thunk_socket;
pub(crate) mod trigger;
