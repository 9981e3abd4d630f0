//! `clustermon run --detach`: starts this program anew in the background and waits until it says that it is ready, or
//! ends. If it fails, what it and its workers wrote until then is shown, and where the log is.

use crate::api::Variables;
use crate::cli::output::failed::Failed;
use crate::cli::output::out;
use crate::io::events::interrupt::{self, Woken};
use crate::io::kernel::dispositions::Dispositions;
use crate::io::launch::variables::app_variables;
use crate::io::output::detach_pipe::{self, Waiting};
use crate::io::output::log_file;
use crate::io::output::plain::Plain;
use std::collections::VecDeque;
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, BufRead, BufReader, IsTerminal, Read, Seek, SeekFrom, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// What is kept of a log for the case that the start fails.
const KEPT_LINES: usize = 200;
/// And how much of a file is read for that.
const KEPT_BYTES: u64 = 256 * 1024;
/// Whoever waits for longer may wonder why.
const LONG: Duration = Duration::from_secs(10);
/// The flag that tells the one in the background what it is.
const FLAG: &str = "--detached";

/// What is to run in the background.
#[derive(Debug)]
pub(in crate::cli) struct Background<'a> {
    /// Name of the cluster, for who waits long.
    pub(in crate::cli) name: &'a str,
    /// What `run` is told, without `run` itself.
    pub(in crate::cli) words: Vec<OsString>,
    /// Variables for workers beside those of this process.
    pub(in crate::cli) env: Option<&'a Variables>,
    pub(in crate::cli) log: Option<&'a Path>,
}

/// Starts it in the background. Its exit code is the error's code if it does not become ready.
pub(in crate::cli) fn start(background: Background<'_>) -> Result<(), Failed> {
    let (name, log) = (background.name, background.log);
    let failed = |what: &str, error: io::Error| Failed::new(1, format!("{what}: {error}"));
    let output = match log {
        Some(path) => {
            log_file::place::open(path).map_err(|error| Failed::new(2, format!("--log {path:?}: {error}")))?
        }
        None => File::options()
            .write(true)
            .open("/dev/null")
            .map_err(|error| failed("cannot open /dev/null", error))?,
    };
    // What is there before is of earlier starts.
    let written = output.metadata().ok().filter(|file| file.is_file()).map_or(0, |file| file.len());
    let spawned = spawn(background, output).map_err(|error| failed("cannot start in the background", error));
    let (waiting, child) = spawned?;
    wait(name, waiting, child, log.map(|path| Log { path, written }))
}

/// Where the one in the background writes to.
struct Log<'a> {
    path: &'a Path,
    /// The length of the file before.
    written: u64,
}

impl Log<'_> {
    /// What was appended last; `None` of what is no file, such as a pipe.
    fn last_lines(&self) -> Option<VecDeque<Vec<u8>>> {
        let mut file =
            File::open(self.path).ok().filter(|file| file.metadata().is_ok_and(|file| file.is_file()))?;
        let end = file.seek(SeekFrom::End(0)).ok()?;
        file.seek(SeekFrom::Start(self.written.max(end.saturating_sub(KEPT_BYTES)))).ok()?;
        Some(last_lines(file))
    }
}

#[expect(clippy::disallowed_methods, reason = "it is no worker, but this program itself")]
fn spawn(background: Background<'_>, output: File) -> io::Result<(Waiting, Child)> {
    let (waiting, inherited) = detach_pipe::pipes()?;
    let name = std::env::args_os().next().unwrap_or_else(|| OsString::from("clustermon"));
    let dispositions = Dispositions::take();
    let mut command = Command::new("/proc/self/exe");
    command
        .arg0(name)
        .args(["run", FLAG])
        .args(background.words)
        .envs(background.env.map(|env| (app_variables::VARIABLE, app_variables::encoded(env))))
        .env(detach_pipe::VARIABLE, inherited.value()?)
        .stdin(Stdio::null())
        .stdout(output.try_clone()?)
        .stderr(output);
    // SAFETY: runs between fork and exec, where only system calls are made and nothing is allocated.
    unsafe { command.pre_exec(move || dispositions.give()) };
    Ok((waiting, command.spawn()?))
}

/// A person who waits for long is told what for.
fn reassure(ready: &OwnedFd, name: &str) {
    if io::stderr().is_terminal()
        && let Ok(Woken::Elapsed) = interrupt::wait(ready.as_fd(), None, Some(LONG))
    {
        crate::cli::output::complaint::complain(format_args!(
            "{name}: not every worker is ready yet; one that never listens counts as running after its start-timeout"
        ));
    }
}

fn wait(name: &str, waiting: Waiting, mut child: Child, log: Option<Log<'_>>) -> Result<(), Failed> {
    let reading = std::thread::spawn(move || last_lines(File::from(waiting.log)));
    reassure(&waiting.ready, name);
    let mut name = String::new();
    let told = BufReader::new(File::from(waiting.ready)).read_line(&mut name);
    let place = |log: &Log<'_>| std::path::absolute(log.path).unwrap_or_else(|_| log.path.to_owned());
    if told.is_ok() && name.ends_with('\n') {
        let log = log.map_or(String::new(), |log| format!(", log {}", place(&log).display()));
        return out::print(&format!("clustermon {}: running, pid {}{log}\n", name.trim_end(), child.id()));
    }
    let status = child.wait().map_err(|error| Failed::new(1, format!("cannot wait for it: {error}")))?;
    // It reads until all who could write are gone, which they are.
    let logged = reading.join().unwrap_or_default();
    // In the file is also what the workers wrote themselves.
    let file = log.as_ref().and_then(Log::last_lines).unwrap_or_default();
    let mut stderr = io::stderr().lock();
    for line in joined(file, logged) {
        let line = String::from_utf8_lossy(line.strip_suffix(b"\n").unwrap_or(&line));
        // Nobody is left to tell that it could not be written.
        let _ = writeln!(stderr, "{}", Plain(&line));
    }
    drop(stderr);
    let log = match log {
        Some(log) => format!("; its log is {}", place(&log).display()),
        None => "; it has no log: give --log FILE to keep one".to_owned(),
    };
    let how = match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit code {code}"),
        (None, signal) => format!("signal {}", signal.unwrap_or_default()),
    };
    let code = if status.code() == Some(2) { 2 } else { 1 };
    Err(Failed::new(code, format!("it has ended before it was ready: {how}{log}")))
}

fn last_lines(log: File) -> VecDeque<Vec<u8>> {
    let mut lines = VecDeque::new();
    let mut log = BufReader::new(log);
    loop {
        let mut line = Vec::new();
        // A line without an end is a line, but not one without bounds.
        match log.by_ref().take(64 * 1024).read_until(b'\n', &mut line) {
            Ok(1..) => lines.push_back(line),
            Ok(0) | Err(_) => return lines,
        }
        if lines.len() > KEPT_LINES {
            lines.pop_front();
        }
    }
}

/// What is in the file, and of what was logged the end that is not: a supervisor waits only so long for its own log to be
/// written, and on a busy machine it ends before it is.
fn joined(mut file: VecDeque<Vec<u8>>, logged: VecDeque<Vec<u8>>) -> VecDeque<Vec<u8>> {
    let written = logged.iter().rposition(|line| file.contains(line)).map_or(0, |last| last + 1);
    file.extend(logged.into_iter().skip(written));
    file
}

/// What the one in the background does first: it leaves the terminal and its group, and takes its name again. The kernel
/// has named it after `/proc/self/exe`, by which it was started: the file under the program's own name may be another by
/// now, such as that of an upgrade.
pub(in crate::cli) fn leave_session() {
    // It fails only for the leader of a group, who has left them already.
    let _ = nix::unistd::setsid();
    // Nothing but what `ps` shows depends on it.
    let _ = nix::sys::prctl::set_name(c"clustermon");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_file_lacks_is_added() {
        let lines = |text: &str| text.split_inclusive('\n').map(|line| line.as_bytes().to_vec()).collect();
        for (file, logged, expected) in [
            ("", "a\nb\n", "a\nb\n"),
            ("a\nof a worker\nb\n", "a\nb\n", "a\nof a worker\nb\n"),
            ("a\nof a worker\n", "a\nb\nc\n", "a\nof a worker\nb\nc\n"),
            // Of a long file only the end was read.
            ("of a worker\nc\n", "a\nb\nc\n", "of a worker\nc\n"),
            ("of a worker\n", "", "of a worker\n"),
        ] {
            assert_eq!(joined(lines(file), lines(logged)), lines(expected), "{file:?} {logged:?}");
        }
    }
}
