//! A running `clustermon run`, seen from outside: its command line, its log, its processes.

use crate::clients::http::Target;
use crate::programs::apps::App;
use crate::programs::options::{Options, Plan};
use crate::programs::places::clustermon;
use crate::started::command::Running;
use crate::started::log::Log;
use crate::system::process::{Pid, fd_count, is_alive, signal};
use crate::system::temp::TempDir;
use crate::system::wait::{PATIENCE, wait_for, wait_until};
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::process::ExitStatus;
use std::time::{Duration, Instant};

/// For how long programs may start: a busy machine starts several of them at a time, and how quick that is says nothing.
const BOOT: Duration = Duration::from_secs(150);

/// One supervisor and its workers; all are killed on drop.
#[derive(Debug)]
pub struct Cluster {
    running: Running,
    target: Option<Target>,
    begun: Instant,
}

impl Cluster {
    /// Starts the test program under the supervisor and waits until every worker is ready, unless told not to.
    #[track_caller]
    pub fn start(app: &App, options: Options) -> Self {
        Self::launch(Plan::new(app, &options), options)
    }

    /// The same for any command.
    #[track_caller]
    pub fn start_command(command: &[impl Into<OsString> + Clone], options: Options) -> Self {
        let command = command.iter().cloned().map(Into::into).collect();
        Self::launch(Plan::for_command(command, &options), options)
    }

    #[track_caller]
    fn launch(plan: Plan, options: Options) -> Self {
        let mut before = options.below;
        before.push(options.supervisor.unwrap_or_else(clustermon).into_os_string());
        before.push("run".into());
        if let Some(count) = options.workers {
            before.extend(["-n".into(), count.to_string().into()]);
        }
        before.extend(options.flags);
        before.push("--".into());
        let target = plan.target.clone();
        let begun = Instant::now();
        let mut cluster = Self { running: Running::start(&before, plan, options.unread), target, begun };
        if let (true, Some(count)) = (options.wait_ready, options.workers) {
            cluster.wait_ready(count);
        }
        cluster
    }

    /// Waits until so many workers have become ready, counted from the start of the log.
    #[track_caller]
    pub fn wait_ready(&mut self, count: usize) {
        wait_until(&format!("{count} workers have become ready"), BOOT, || {
            let ended = self.running.exited();
            assert!(ended.is_none(), "the supervisor has ended: {ended:?}");
            self.ready_count() >= count
        });
    }

    pub fn ready_count(&self) -> usize {
        self.log().count(" is ready")
    }

    pub fn pid(&self) -> Pid {
        self.running.pid()
    }

    /// What the supervisor and its workers have written to stderr.
    pub fn log(&self) -> &Log {
        &self.running.log
    }

    /// The log has no more than ten lines with this text for each five seconds that the cluster has run, which is what
    /// anybody may make it say: who attacks a busy machine takes longer, and is told of more often.
    #[track_caller]
    pub fn assert_few_lines(&self, part: &str) {
        let (count, seconds) = (self.log().count(part), self.begun.elapsed().as_secs());
        let limit = 10 * (seconds / 5 + 2);
        assert!(count as u64 <= limit, "{count} lines with {part:?} in {seconds} s");
    }

    pub fn stdout(&self) -> &Log {
        &self.running.stdout
    }

    /// Reads stdout from now on, where that was left unread.
    pub fn read_stdout(&mut self) {
        self.running.read_held();
    }

    pub fn temp(&self) -> &TempDir {
        &self.running.temp
    }

    /// Where it is reached. If the system chose the port: the first address in the log.
    pub fn target(&self) -> Target {
        let logged = || Some(Target::parse(self.addresses().first()?)?.local());
        self.target.clone().unwrap_or_else(|| wait_for("an address is logged", PATIENCE, logged))
    }

    /// The addresses that any worker was reported to listen on.
    pub fn addresses(&self) -> Vec<String> {
        let lines = self.log().lines_with(" listens on ");
        let of_line = |line: &String| {
            let address = line.split_once(" listens on ")?.1;
            Some(address.split([' ', ',']).next()?.to_owned())
        };
        lines.iter().filter_map(of_line).collect::<BTreeSet<_>>().into_iter().collect()
    }

    /// The newest process of each logical id, dead or alive: the one that the supervisor started, perhaps a wrapper.
    pub fn started(&self) -> BTreeMap<String, Pid> {
        let lines = self.log().lines_with(" started, pid ");
        let of_line = |line: &String| {
            let (before, after) = line.split_once(" started, pid ")?;
            let digits: String = after.chars().take_while(char::is_ascii_digit).collect();
            Some((before.rsplit(' ').next()?.to_owned(), digits.parse().ok()?))
        };
        lines.iter().filter_map(of_line).collect()
    }

    /// All processes of the cluster, the supervisor too.
    pub fn processes(&self) -> Vec<Pid> {
        self.running.processes()
    }

    pub fn fd_count(&self) -> usize {
        fd_count(self.pid())
    }

    pub fn is_alive(&self) -> bool {
        is_alive(self.pid())
    }

    pub fn signal(&self, number: libc::c_int) {
        signal(self.pid(), number);
    }

    #[track_caller]
    pub fn wait_exit(&mut self) -> ExitStatus {
        let status = self.running.wait_exit();
        self.running.finish_reading();
        status
    }

    /// Ends it with SIGTERM: exit code 0, no process and no socket file left.
    #[track_caller]
    pub fn stop(self) {
        self.stop_by(libc::SIGTERM);
    }

    /// The same with another signal.
    #[track_caller]
    pub fn stop_by(mut self, number: libc::c_int) {
        self.signal(number);
        let status = self.wait_exit();
        assert_eq!(status.code(), Some(0), "{status}");
        self.assert_nothing_left();
    }

    /// For a supervisor that has ended: no process and no socket file is left of it.
    #[track_caller]
    pub fn assert_nothing_left(&self) {
        let left: Vec<_> = self.processes().into_iter().map(|pid| (pid, command_line(pid))).collect();
        assert!(left.is_empty(), "still running: {left:?}");
        let files = self.temp().socket_files();
        assert!(files.is_empty(), "left behind: {files:?}");
    }
}

fn command_line(pid: Pid) -> String {
    let bytes = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    String::from_utf8_lossy(&bytes).replace('\0', " ")
}
