//! The preloaded library in a process: what a program may do with its sockets, what has broken other libraries, and its file.

/// Programs that never listen do not notice the thunk.
mod bystanders;
/// A connection that a worker closes is closed.
mod ghosts;
/// The version before this one.
mod older_thunk;
/// Other libraries that stand in for the C library's functions.
mod preloads;
/// Epoll registrations of listeners that lanes replace.
mod registrations;
/// The calls on a listening socket, one by one.
mod sockets;
/// The thunk's file.
mod thunk_elf;
/// The file of the thunk is gone, or cannot be where it should.
mod thunk_file;
/// What the thunk tells of its decisions.
mod thunk_log;
/// Random sequences of socket calls.
mod torture;
/// What has broken other interposers.
mod traps;
