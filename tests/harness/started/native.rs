//! A test program alone, without clustermon: what clustermon must not change.

use crate::clients::http::{Conn, Target};
use crate::programs::apps::App;
use crate::programs::options::{Options, Plan, Unread};
use crate::started::command::Running;
use crate::system::process::Pid;
use crate::system::wait::{PATIENCE, wait_for, wait_until};
use std::ffi::OsString;
use std::path::Path;
use std::process::ExitStatus;

/// One running process.
#[derive(Debug)]
pub struct Native {
    running: Running,
    target: Target,
}

impl Native {
    /// Starts it and waits until it can be connected to. Where it chooses its port itself, `Listen::Zero`, that is
    /// read from /proc.
    pub fn start(app: &App, options: &Options) -> Self {
        Self::launch(Plan::new(app, options))
    }

    /// The same for any command.
    pub fn start_command(command: Vec<OsString>, options: &Options) -> Self {
        Self::launch(Plan::for_command(command, options))
    }

    fn launch(plan: Plan) -> Self {
        let target = plan.target.clone();
        let mut running = Running::start(&[], plan, Unread::Neither);
        let target = target.unwrap_or_else(|| {
            wait_for("the program listens", PATIENCE, || own_listener(running.pid())).local()
        });
        wait_until("the program answers", PATIENCE, || {
            assert!(running.exited().is_none(), "the program ended:\n{}", running.log.text());
            Conn::open(&target).is_ok()
        });
        Self { running, target }
    }

    /// Runs any command to its end.
    #[track_caller]
    pub fn run(command: Vec<OsString>, options: &Options) -> (ExitStatus, String) {
        let mut running = Running::start(&[], Plan::for_command(command, options), Unread::Neither);
        let status = running.wait_exit();
        running.finish_reading();
        (status, running.log.text())
    }

    /// The same, for what it printed. A failure shows in the text.
    #[track_caller]
    pub fn run_for_stdout(command: Vec<OsString>, options: &Options) -> String {
        let mut running = Running::start(&[], Plan::for_command(command, options), Unread::Neither);
        running.wait_exit();
        running.finish_reading();
        running.stdout.text()
    }

    /// Runs any command until this file is there, and returns what it holds. The program may have gone into the background.
    #[track_caller]
    pub fn run_for_file(command: Vec<OsString>, options: &Options, path: &Path) -> String {
        let _running = Running::start(&[], Plan::for_command(command, options), Unread::Neither);
        wait_for("the file is written", PATIENCE, || std::fs::read_to_string(path).ok())
    }

    pub fn target(&self) -> &Target {
        &self.target
    }

    pub fn pid(&self) -> Pid {
        self.running.pid()
    }

    #[track_caller]
    pub fn wait_exit(&mut self) -> ExitStatus {
        self.running.wait_exit()
    }
}

/// The first TCP listener (IPv4) of the process.
fn own_listener(pid: Pid) -> Option<Target> {
    let links = std::fs::read_dir(format!("/proc/{pid}/fd")).ok()?.flatten();
    let inodes: Vec<_> = links
        .filter_map(|entry| std::fs::read_link(entry.path()).ok())
        .filter_map(|link| Some(link.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.to_owned()))
        .collect();
    let table = std::fs::read_to_string("/proc/net/tcp").ok()?;
    table.lines().skip(1).find_map(|line| {
        let fields: Vec<_> = line.split_whitespace().collect();
        let (address, port) = fields[1].split_once(':')?;
        let ours = fields[3] == "0A" && inodes.iter().any(|inode| inode == fields[9]);
        let address = u32::from_str_radix(address, 16).ok()?.to_ne_bytes();
        let port = u16::from_str_radix(port, 16).ok()?;
        ours.then_some(Target::Tcp((address, port).into()))
    })
}
