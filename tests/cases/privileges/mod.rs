//! What workers may do: as whom they run, below which root, and within which limits. Most of it can be tried by root alone.

/// Hooks are run as workers are.
mod hooks;
/// What hooks and workers leave behind.
mod left_behind;
/// Ports that the workers' user may not bind.
mod low_ports;
/// Users, groups, limits, priority, CPUs and capabilities as the system tells them of workers.
mod options;
/// What cannot be had is told before anything is started.
mod refusals;
/// Workers below another root.
mod roots;
/// Sockets of workers of another user: requests, files, and the end.
mod served;

use harness::{Cluster, Options, TempDir, c_program, clustermon, require, thunk};
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

/// Whom nobody is, by a number that needs no entry.
const NOBODY: &str = "--user 65534 --group 65534";

/// False, and said, where this is not root.
fn is_root() -> bool {
    // SAFETY: asks for a number only.
    let root = unsafe { libc::geteuid() } == 0;
    if !root {
        eprintln!("skipped: only root may start workers of another user");
    }
    root
}

/// Copies of the supervisor, its library and a program in a folder that everybody may enter: nothing says that of the build folder.
struct Place {
    folder: TempDir,
    program: PathBuf,
}

impl Place {
    /// With the program `epoll` of apps/c, compiled with these flags; `None`, and said, without root or a compiler.
    fn new(flags: &[&str]) -> Option<Self> {
        if !is_root() || !require("cc") {
            return None;
        }
        let folder = TempDir::new();
        copy_into(&clustermon(), folder.path());
        copy_into(&thunk(), folder.path());
        let program = copy_into(&c_program("epoll", flags), folder.path());
        Some(Self { folder, program })
    }

    fn supervisor(&self) -> PathBuf {
        self.folder.path().join(clustermon().file_name().expect("it is a file"))
    }

    /// So many workers of the program, with these words.
    fn start(&self, workers: usize, words: &str) -> Cluster {
        self.start_with(&[&self.program], Options::workers(workers).flags(words))
    }

    fn start_with(&self, command: &[impl Into<OsString> + Clone], options: Options) -> Cluster {
        Cluster::start_command(command, options.supervisor(&self.supervisor()))
    }
}

/// Before a command that is to run as root does in a container: without the right to look into processes of others.
const AS_IN_CONTAINERS: [&str; 4] =
    ["setpriv", "--bounding-set=-sys_ptrace,-perfmon,-sys_admin", "--inh-caps=-all", "--"];

fn copy_into(file: &Path, folder: &Path) -> PathBuf {
    let copy = folder.join(file.file_name().expect("it is a file"));
    fs::copy(file, &copy).expect("the temporary directory is writable");
    copy
}

/// The words behind a name in /proc/PID/status.
fn status(pid: u32, name: &str) -> Vec<String> {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).expect("the worker lives");
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    line.expect("the kernel tells it").split_whitespace().map(str::to_owned).collect()
}
