//! A connection to a supervisor: one request, its answer, and for events all that follows. Whoever waits without a limit
//! asked for it, and can end the waiting by Ctrl-C.

use crate::api::{Action, Command, Inspection, NO_LIMIT, Reply};
use crate::cli::output::failed::{Failed, INTERRUPTED};
use crate::io::control::address;
use crate::io::control::wire;
use crate::io::events::interrupt::{self, Interrupt, Woken};
use crate::io::process::procfs;
use crate::settings::duration::Human;
use std::io::{self, BufRead, BufReader, ErrorKind, IsTerminal, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

/// For what a supervisor answers at once.
const PATIENCE: Duration = Duration::from_secs(10);

/// For room among those who wait to be heard, which one that is stopped has none of after a while.
const ROOM: Duration = Duration::from_secs(1);
/// The same where others are not to wait for that.
const SHORT_OF_ROOM: Duration = Duration::from_millis(100);

/// On top of what it was asked to wait for: it says at the end of that time that it takes longer, and may be short of a
/// processor. One that is stopped says nothing, and gets none of this.
const GRACE: Duration = Duration::from_secs(2);

/// Whoever waits for longer may wonder why.
const LONG: Duration = Duration::from_secs(10);

/// The connection.
#[derive(Debug)]
pub(in crate::cli) struct Client {
    link: BufReader<UnixStream>,
}

/// No answer came.
#[derive(Debug)]
pub(in crate::cli) enum Unanswered {
    /// The supervisor has hung up.
    Ended,
    /// Somebody pressed Ctrl-C: what was asked for is under way.
    Interrupted,
    /// Anything else.
    Failed(Failed),
}

impl From<Unanswered> for Failed {
    fn from(unanswered: Unanswered) -> Self {
        match unanswered {
            Unanswered::Ended => Self::new(1, "the supervisor has ended before it answered"),
            Unanswered::Interrupted => {
                Self::new(INTERRUPTED, "no longer waiting for the supervisor's answer")
            }
            Unanswered::Failed(failed) => failed,
        }
    }
}

impl Client {
    pub(in crate::cli) fn connect(path: &Path) -> io::Result<Self> {
        Self::connect_within(path, ROOM)
    }

    /// The same of one among several: it may not hold up what is asked of the others.
    pub(in crate::cli) fn connect_to_one_of_many(path: &Path) -> io::Result<Self> {
        Self::connect_within(path, SHORT_OF_ROOM)
    }

    fn connect_within(path: &Path, limit: Duration) -> io::Result<Self> {
        let link = address::connect(path, limit)?;
        link.set_write_timeout(Some(PATIENCE))?;
        Ok(Self { link: BufReader::new(link) })
    }

    /// Asks, and waits for the answer. The first error says that none came, the second is what the supervisor said.
    pub(in crate::cli) fn ask(&mut self, command: &Command) -> Result<Result<Reply, Failed>, Unanswered> {
        // From before it is asked, so that whoever presses the key is told that it goes on.
        let interrupt = command.wait_ms.and_then(|_| Interrupt::new());
        let failed = |what: &str, error| Unanswered::Failed(Failed::new(1, format!("{what}: {error}")));
        let set = self.link.get_ref().set_read_timeout(Some(PATIENCE));
        set.map_err(|error| failed("cannot set a time limit", error))?;
        // One that turns us away does not read the request, but says why.
        let sent = self.link.get_mut().write_all(wire::request(command).as_bytes());
        let limit = command.wait_ms.map_or(PATIENCE, Duration::from_millis);
        let most = (command.wait_ms != Some(NO_LIMIT)).then_some(limit);
        let mut woken = self.wait(interrupt.as_ref(), most);
        if matches!(woken, Ok(Woken::Elapsed)) && command.wait_ms.is_some() {
            let grace = grace(self.supervisor().1);
            woken = interrupt::wait(self.link.get_ref().as_fd(), interrupt.as_ref(), Some(grace));
        }
        match woken {
            Ok(Woken::Readable) => {}
            Ok(Woken::Interrupted) => return Err(Unanswered::Interrupted),
            Ok(Woken::Elapsed) => return Err(self.unanswered(&ErrorKind::TimedOut.into(), limit)),
            Err(error) => return Err(failed("cannot wait for the answer", error)),
        }
        match (self.line(), sent) {
            (Ok(Some(line)), _) => Ok(wire::read_answer(&line).map_err(Failed::from)),
            (Ok(None), _) => Err(Unanswered::Ended),
            (Err(error), Ok(())) => Err(self.unanswered(&error, PATIENCE)),
            (Err(_), Err(error)) => Err(self.unanswered(&error, PATIENCE)),
        }
    }

    /// Waits for the answer. A person who waits for long is told how to stop waiting.
    fn wait(&self, interrupt: Option<&Interrupt>, most: Option<Duration>) -> io::Result<Woken> {
        let link = self.link.get_ref().as_fd();
        let rest = most.map(|most| most.saturating_sub(LONG));
        if interrupt.is_none() || rest == Some(Duration::ZERO) || !io::stderr().is_terminal() {
            return interrupt::wait(link, interrupt, most);
        }
        match interrupt::wait(link, interrupt, Some(LONG))? {
            Woken::Elapsed => {
                crate::cli::output::complaint::complain(
                    "still waiting; `clustermon status` shows how far it is, Ctrl-C ends the waiting",
                );
                interrupt::wait(link, interrupt, rest)
            }
            woken => Ok(woken),
        }
    }

    /// The cluster as it is.
    pub(in crate::cli) fn inspect(&mut self) -> Result<Inspection, Failed> {
        inspection(self.ask(&Command { action: Action::Inspect, wait_ms: None })??)
    }

    /// The connection itself, for who asks several at the same time.
    pub(in crate::cli) fn into_link(self) -> UnixStream {
        self.link.into_inner()
    }

    /// It can be read once the supervisor has hung up, or says something.
    pub(in crate::cli) fn as_fd(&self) -> BorrowedFd<'_> {
        self.link.get_ref().as_fd()
    }

    /// The next line, without limit of time; `None` at the end.
    pub(in crate::cli) fn follow(&mut self) -> Result<Option<Vec<u8>>, Failed> {
        let read = self.link.get_ref().set_read_timeout(None).and_then(|()| self.line());
        read.map_err(|error| Failed::new(1, format!("the supervisor cannot be heard: {error}")))
    }

    /// Waits until the supervisor hangs up, but no longer than this. False if it has not.
    pub(in crate::cli) fn wait_for_end(&mut self, limit: Duration) -> bool {
        match interrupt::wait(self.link.get_ref().as_fd(), None, Some(limit)) {
            Ok(Woken::Readable) => matches!(self.line(), Ok(None)),
            Ok(Woken::Interrupted | Woken::Elapsed) | Err(_) => false,
        }
    }

    fn supervisor(&self) -> (Option<u32>, Option<char>) {
        supervisor(self.link.get_ref())
    }

    fn unanswered(&self, error: &io::Error, limit: Duration) -> Unanswered {
        Unanswered::Failed(match error.kind() {
            ErrorKind::WouldBlock | ErrorKind::TimedOut => unheard(self.link.get_ref(), limit),
            _ => Failed::new(1, format!("the supervisor cannot be asked: {error}")),
        })
    }

    fn line(&mut self) -> io::Result<Option<Vec<u8>>> {
        let mut line = Vec::new();
        match self.link.read_until(b'\n', &mut line) {
            Ok(_) if line.pop() == Some(b'\n') => Ok(Some(line)),
            // Hung up, perhaps amid a line.
            Ok(_) => Ok(None),
            Err(error) if matches!(error.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe) => {
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }
}

/// The supervisor's process, and its state, as far as they can be known.
fn supervisor(link: &UnixStream) -> (Option<u32>, Option<char>) {
    let supervisor = address::listens(link);
    (supervisor, supervisor.and_then(|pid| procfs::state(pid, pid)))
}

/// Whether the supervisor at the other end is stopped, and so will not answer before somebody lets it go on.
pub(in crate::cli) fn is_stopped(link: &UnixStream) -> bool {
    matches!(supervisor(link).1, Some('T' | 't'))
}

/// No answer came from the other end within this time.
pub(in crate::cli) fn unheard(link: &UnixStream, limit: Duration) -> Failed {
    let (supervisor, state) = supervisor(link);
    Failed::new(1, silent(supervisor, state, limit))
}

/// What was asked for, if the answer is that.
pub(super) fn inspection(answer: Reply) -> Result<Inspection, Failed> {
    match answer {
        Reply::Inspection(inspection) => Ok(inspection),
        Reply::Done | Reply::Told(_) | Reply::Logs(_) | Reply::Differences(_) => {
            Err(Failed::new(1, "the supervisor's answer holds no inspection"))
        }
    }
}

/// How long after the time that was asked for an answer is waited for, from a supervisor in this state.
fn grace(state: Option<char>) -> Duration {
    if matches!(state, Some('T' | 't')) { Duration::ZERO } else { GRACE }
}

/// Why nothing came. One that is stopped answers nobody until it goes on: who asks can do something about that.
fn silent(supervisor: Option<u32>, state: Option<char>, limit: Duration) -> String {
    let who = supervisor.map_or(String::new(), |pid| format!(", process {pid},"));
    let silent = format!("the supervisor{who} has not answered within {}", Human(limit));
    match (supervisor, state) {
        (Some(pid), Some('T')) => format!("{silent}: it is stopped; `kill -CONT {pid}` lets it go on"),
        (_, Some('t')) => format!("{silent}: a debugger has stopped it"),
        _ => silent,
    }
}

#[cfg(test)]
pub(in crate::cli) mod tests;
