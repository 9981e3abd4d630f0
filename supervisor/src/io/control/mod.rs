//! The control socket, for both ends of it, and the directories in which it stands. It carries no command out.

pub(crate) mod address;
mod bucket;
mod command_text;
mod connection;
pub(crate) mod last_end;
pub(crate) mod place;
pub(crate) mod runtime_dir;
pub(crate) mod server;
pub(crate) mod socket;
pub(crate) mod wire;
