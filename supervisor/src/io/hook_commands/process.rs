//! One run of a hook from its start to the end of all that it has started: its output is read, and it is ended when its time is over or
//! nobody waits for it any more. It blocks the calling thread, which is a hook's own.

use super::job::{Finished, Job};
use super::lines::HookLines;
use crate::io::kernel::pidfd;
use crate::io::kernel::random;
use crate::io::launch::process_calls::{Ended, KernelProcesses, ProcessCalls};
use crate::io::launch::spawn::hook::{MARK, StartedHook};
use crate::io::output::plain::Plain;
use crate::io::process::leftovers;
use crate::settings::duration::Human;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::Signal;
use std::fmt;
use std::io::{self, PipeReader, Read};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

/// From the signal that asks it to end to the one that kills it.
const GRACE: Duration = Duration::from_secs(1);
/// One that floods its output is read from this seldom: so it waits, and the machine does not work for it.
const FLOOD_PAUSE: Duration = Duration::from_millis(20);
/// What is read of its output at a time, and at most once it has ended: what holds its output then is not waited for.
const PIECE: usize = 64 * 1024;
const LAST_PIECES: usize = 16;
/// Processes that it has left behind are looked for so often: what one leaves comes only once that one has ended.
const LOOKS: usize = 10;

/// Why it is to end before it does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cut {
    Limit(Duration),
    Unwanted,
}

/// How it ended, in a few words that follow the command.
#[derive(Clone, Copy, Debug)]
struct End(Ended, Option<Cut>);

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.1, self.0) {
            (Some(Cut::Limit(limit)), _) => write!(f, "had not ended after {}, and was killed", Human(limit)),
            (Some(Cut::Unwanted), _) => f.write_str("was ended, as nobody waits for it any more"),
            (None, Ended::Code(code)) => write!(f, "exited with code {code}"),
            (None, Ended::Signal { signal, .. }) => write!(f, "was ended by {signal}"),
        }
    }
}

/// Runs it to its end. `unwanted` is closed at the other end once nobody waits for it any more.
pub(super) fn run(job: Job, unwanted: BorrowedFd<'_>) -> Finished {
    let Job { number, hook, command, template, cluster, input, limit } = job;
    let begun = now();
    let told = |line: &str| log::info!("hook {hook}: {}", Plain(line));
    let mut lines = HookLines::default();
    let token = random::number().map(|number| format!("{number:016x}")).unwrap_or_default();
    let own = [("CLUSTERMON_EVENT", hook), ("CLUSTERMON_NAME", &cluster), (MARK, &token)];
    let fault = match template.start(&command, &own, &input) {
        Ok(mut started) => match go_on(&mut started, limit, unwanted, &mut lines, told) {
            Ok(End(Ended::Code(0), None)) => None,
            Ok(end) => Some(end.to_string()),
            Err(error) => Some(format!("was lost: {error}")),
        },
        Err(error) => Some(format!("could not be started: {error}")),
    };
    sweep(&token);
    let last_lines = lines.finish(told);
    Finished { number, hook, command, fault, last_lines, took: now().saturating_duration_since(begun) }
}

#[expect(
    clippy::disallowed_methods,
    reason = "this thread waits for a process; the loop's clock is not its own"
)]
fn now() -> Instant {
    Instant::now()
}

/// Reads what it writes until it has ended, or has to.
fn go_on(
    started: &mut StartedHook,
    limit: Duration,
    unwanted: BorrowedFd<'_>,
    lines: &mut HookLines,
    told: impl Fn(&str) + Copy,
) -> io::Result<End> {
    let StartedHook { pid, pidfd, output } = started;
    fcntl(&*output, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
    let group = *pid;
    let ask = || {
        KernelProcesses.send_to_group(group, Signal::SIGTERM);
        KernelProcesses.send_to_group(group, Signal::SIGCONT);
    };
    let deadline = now() + limit;
    let (mut cut, mut kill_at, mut is_open) = (None, None, true);
    let mut resumes_at = now();
    while !pidfd::has_ended(pidfd) {
        let at = now();
        if cut.is_none() && deadline <= at {
            (cut, kill_at) = (Some(Cut::Limit(limit)), Some(at + GRACE));
            ask();
        }
        if kill_at.is_some_and(|kill_at| kill_at <= at) {
            KernelProcesses.send_to_group(group, Signal::SIGKILL);
            kill_at = None;
        }
        let reads = is_open && resumes_at <= at;
        let next = [kill_at, cut.is_none().then_some(deadline), (is_open && !reads).then_some(resumes_at)];
        let wait = next.into_iter().flatten().min().map(|next| next.saturating_duration_since(at));
        // What is not to be looked at is asked for nothing, and a closed end would be reported all the same: it is left out.
        let mut fds = vec![PollFd::new(pidfd.as_fd(), PollFlags::POLLIN)];
        let of_cut = cut.is_none().then(|| fds.push(PollFd::new(unwanted, PollFlags::empty()))).map(|()| 1);
        let of_output = reads.then(|| {
            fds.push(PollFd::new(output.as_fd(), PollFlags::POLLIN));
            fds.len() - 1
        });
        wait_for(&mut fds, wait)?;
        let happened = |place: Option<usize>| {
            place.is_some_and(|place| fds[place].revents().is_some_and(|events| !events.is_empty()))
        };
        if happened(of_cut) {
            (cut, kill_at) = (Some(Cut::Unwanted), Some(now() + GRACE));
            ask();
        }
        if happened(of_output) {
            is_open = read(output, lines, told);
            if lines.is_flood() {
                resumes_at = now() + FLOOD_PAUSE;
            }
        }
    }
    // Its number, and that of its group, is nobody else's as long as it is not reaped.
    KernelProcesses.send_to_group(group, Signal::SIGKILL);
    for _ in 0..LAST_PIECES {
        if !is_open || !read(output, lines, told) {
            break;
        }
        let mut fds = [PollFd::new(output.as_fd(), PollFlags::POLLIN)];
        is_open = poll(&mut fds, PollTimeout::ZERO).is_ok_and(|ready| ready > 0);
    }
    let ended = KernelProcesses.end_of(group, pidfd, true)?;
    Ok(End(ended.unwrap_or(Ended::Code(0)), cut))
}

/// Waits for one of them; with no time for as long as it takes.
fn wait_for(fds: &mut [PollFd<'_>], wait: Option<Duration>) -> io::Result<()> {
    // Rounded up: with what is left of a millisecond it would be asked again and again.
    let millis = wait.map(|wait| wait.as_millis().saturating_add(1));
    let timeout = millis.map_or(PollTimeout::NONE, |millis| {
        PollTimeout::try_from(millis.min(60_000)).unwrap_or(PollTimeout::ZERO)
    });
    match poll(fds, timeout) {
        Ok(_) | Err(nix::Error::EINTR) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Reads a piece; false once there is nothing more to come.
fn read(output: &mut PipeReader, lines: &mut HookLines, told: impl Fn(&str)) -> bool {
    let mut piece = [0; PIECE];
    match output.read(&mut piece) {
        Ok(0) => false,
        Ok(count) => {
            lines.take(&piece[..count], told);
            true
        }
        Err(error) => matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted),
    }
}

/// Kills what has left its group, as by `setsid`, and has become a child of this process.
fn sweep(token: &str) {
    for _ in 0..LOOKS {
        let left = leftovers::with_variable(MARK, token);
        if left.is_empty() {
            return;
        }
        for pid in left {
            let Ok(pidfd) = pidfd::open(pid) else { continue };
            if !pidfd::has_ended(&pidfd) {
                log::debug!("process {pid}, which a hook has left behind, is killed");
                pidfd::send(&pidfd, Signal::SIGKILL);
                pidfd::wait(&pidfd, GRACE);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::CommandLine;
    use crate::io::launch::spawn::hook::HookTemplate;

    /// What comes of this, for a run that somebody waits for.
    fn run_it(words: &[&str], input: &str, limit: Duration) -> Finished {
        let (unwanted, _wanted) = io::pipe().unwrap();
        let command = CommandLine::of(words).unwrap();
        let (cluster, input) = ("c".to_owned(), input.to_owned());
        let job =
            Job { number: 7, hook: "stop", command, template: HookTemplate::bare(), cluster, input, limit };
        run(job, unwanted.as_fd())
    }

    #[test]
    fn what_it_is_told_may_be_long_and_is_not_read_by_all() {
        let input = "x".repeat(1 << 20);
        let finished = run_it(&["true"], &input, Duration::from_secs(60));
        assert_eq!((finished.number, finished.fault), (7, None));
        let finished = run_it(&["wc", "-c"], &input, Duration::from_secs(60));
        assert_eq!((finished.fault, finished.last_lines), (None, vec!["1048576".to_owned()]));
    }

    #[test]
    fn each_end_has_its_words() {
        let fault = |script: &str| {
            run_it(&["sh", "-c", script], "", Duration::from_secs(60)).fault.unwrap_or_default()
        };
        assert_eq!(fault("exit 3"), "exited with code 3");
        assert_eq!(fault("kill -SEGV $$"), "was ended by SIGSEGV");
        let begun = now();
        let late = run_it(&["sleep", "1000"], "", Duration::from_millis(50)).fault;
        assert_eq!(late.unwrap(), "had not ended after 50ms, and was killed");
        assert!(begun.elapsed() < Duration::from_secs(60));
        let none = run_it(&["/no/such/file"], "", Duration::from_secs(60)).fault.unwrap();
        assert!(none.starts_with("could not be started: "), "{none}");
    }

    #[test]
    fn nobody_waits_for_it() {
        let (unwanted, wanted) = io::pipe().unwrap();
        drop(wanted);
        let command = CommandLine::of(["sleep", "1000"]).unwrap();
        let (cluster, input, limit) = ("c".to_owned(), String::new(), Duration::from_secs(1000));
        let job =
            Job { number: 7, hook: "stop", command, template: HookTemplate::bare(), cluster, input, limit };
        assert_eq!(run(job, unwanted.as_fd()).fault.unwrap(), "was ended, as nobody waits for it any more");
    }
}
