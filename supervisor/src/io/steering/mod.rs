//! Sockets of one address between which the kernel chooses: groups, their members, and the programs by which it chooses. It decides
//! nothing about workers: who may be chosen is told.

mod classic;
pub(crate) mod group;
mod idle;
pub(crate) mod level;
pub(crate) mod live_list;
pub(crate) mod member;
pub(crate) mod places;
mod program;
mod table;
