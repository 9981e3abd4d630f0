//! What every test uses: it starts real programs, under the built clustermon or alone, talks to them and cleans up.
//! It knows no internals of the supervisor: only its command line, its log and the system.
#![allow(clippy::disallowed_methods, reason = "a test reads the clock for its deadlines and starts programs")]
#![allow(clippy::print_stderr, reason = "a failing test shows the log; a skipped one says why")]

mod clients;
mod clusters;
/// Clients that account for every request, and what is done to a cluster meanwhile.
pub mod loss;
/// What people run, each as a worker: one row a program.
pub mod matrix;
mod programs;
mod started;
mod system;
/// Random sequences of socket calls, alone and in a worker.
pub mod torture;

pub use clients::flow::{Answer, Flow};
pub use clients::http::{Conn, Response, Target, Who, get, who};
pub use clients::load::{Load, Sample};
pub use clusters::cli::{RawControl, Said, cli, cli_command};
pub use clusters::cluster::Cluster;
pub use clusters::deployment::Deployment;
pub use programs::apps::{App, TABLE, app, apps, each};
pub use programs::contract::{check_contract, command, open, refused};
pub use programs::options::{Listen, Options, Via};
pub use programs::places::{
    app_dir, c_library, c_program, clustermon, interpreter, require, rust_program, setuid_program, thunk,
};
pub use programs::spread::{ask_in_turn, conn_to, shares, wait_for_ids};
pub use started::log::Log;
pub use started::native::Native;
pub use system::ports::{Port, has_mptcp};
pub use system::process::{
    Pid, ends_within, fd_count, is_alive, marked, pause, pidfd, resume, signal, state, wait_or_kill,
};
pub use system::temp::TempDir;
pub use system::wait::{PATIENCE, wait_for, wait_for_ok, wait_until};
