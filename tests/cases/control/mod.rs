//! What people tell a cluster and what it shows them: commands, the control socket, doctor, and the library for programs.

/// Why workers end and why they get no connections.
mod causes;
/// The commands to a running cluster.
mod commands;
/// The socket that the commands go through.
mod control_socket;
/// What describe tells.
mod described;
/// What is told of a command before it is run.
mod doctor;
/// Ways in which an app does not work, and what status says of each.
mod faults;
/// The library in a program of one's own, and its documentation.
mod outside;
/// The original's options and methods, and where they are.
mod parity;
/// What status and events tell of a cluster.
mod shown;
/// Several clusters and workers in one command.
mod targets;
/// How long commands wait, what they say then, and Ctrl-C.
mod waiting;
