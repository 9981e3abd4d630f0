//! What /proc tells of processes: their threads, memory, descriptors, epoll sets and relations. It only reads, and takes nothing
//! that it cannot read for absent.

pub(crate) mod activity;
pub(crate) mod descriptor_table;
pub(crate) mod epoll_sets;
pub(in crate::io) mod file_user;
pub(crate) mod leftovers;
pub(crate) mod limits;
pub(crate) mod memory_gauge;
pub(crate) mod process_tree;
pub(crate) mod procfs;
pub(crate) mod pss;
pub(in crate::io) mod startup;
pub(crate) mod suspended;
