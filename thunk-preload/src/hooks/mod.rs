//! The exported functions, one file per family. A hook only converts and guards; the work is done elsewhere.

mod accept;
mod bind;
mod connect;
mod data;
mod datagrams;
mod epoll;
mod listen;
mod options;
mod socket_names;
mod unlink;
mod wait;
