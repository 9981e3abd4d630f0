//! The program's own sockets: of which kind they are, where they lie, and which ones bind() has left in another state than the program
//! believes. A lane is none of them.

pub(crate) mod any_port;
pub(crate) mod kind;
pub(crate) mod owned;
pub(crate) mod place;
