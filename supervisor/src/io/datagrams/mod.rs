//! UDP sockets of one address among which the kernel chooses by flow: groups, their members, and the programs by which it chooses. It
//! decides nothing about workers: who may be chosen is told.

mod classic;
pub(crate) mod group;
pub(crate) mod level;
pub(crate) mod member;
mod program;
pub(crate) mod socket;
mod table;
