//! What every test uses: it starts real programs, under the built clustermon or alone, talks to them and cleans up.
//! It knows no internals of the supervisor: only its command line, its log and the system.
#![allow(clippy::disallowed_methods, reason = "a test reads the clock for its deadlines and starts programs")]
#![allow(clippy::print_stderr, reason = "a failing test shows the log; a skipped one says why")]

mod apps;
mod cli;
mod cluster;
mod contract;
mod deployment;
mod dispositions;
mod flow;
mod http;
mod load;
mod log;
/// Clients that account for every request, and what is done to a cluster meanwhile.
pub mod loss;
/// What people run, each as a worker: one row a program.
pub mod matrix;
mod native;
mod options;
mod ports;
mod process;
mod programs;
mod rotation;
mod running;
mod spread;
mod temp;
/// Random sequences of socket calls, alone and in a worker.
pub mod torture;
mod wait;

pub use apps::{App, TABLE, app, apps, each};
pub use cli::{RawControl, Said, cli, cli_command};
pub use cluster::Cluster;
pub use contract::{check_contract, command, open, refused};
pub use deployment::Deployment;
pub use flow::{Answer, Flow};
pub use http::{Conn, Response, Target, Who, get, who};
pub use load::{Load, Sample};
pub use log::Log;
pub use native::Native;
pub use options::{Listen, Options, Via};
pub use ports::{Port, has_mptcp};
pub use process::{
    Pid, ends_within, fd_count, is_alive, marked, pause, pidfd, resume, signal, state, wait_or_kill,
};
pub use programs::{
    app_dir, c_library, c_program, clustermon, interpreter, require, rust_program, setuid_program, thunk,
};
pub use spread::{ask_in_turn, conn_to, shares, wait_for_ids};
pub use temp::TempDir;
pub use wait::{PATIENCE, wait_for, wait_for_ok, wait_until};
