//! Clients of the servers under test, over TCP, unix sockets and UDP. They know no cluster.

pub(crate) mod flow;
pub(crate) mod http;
pub(crate) mod load;
