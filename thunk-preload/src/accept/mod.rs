//! accept() on a lane, from the call to the connection. It decides nothing about who may accept: that is for [`crate::credit`] and the
//! supervisor.

pub(crate) mod adopt;
pub(crate) mod ended;
pub(crate) mod stand_in;
pub(crate) mod take;
