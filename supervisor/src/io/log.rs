//! The supervisor's own log: lines pass through a bounded channel to a thread that writes them to stderr.
//! Who logs never waits for who reads; what does not fit is counted, and the count is told once the reader is back.

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};
use log::{Level, LevelFilter, Record};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, SigmaskHow, pthread_sigmask};
use std::fmt::Write as _;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Lines that may wait for the reader.
const CAPACITY: usize = 8192;
/// The longest that a flush takes.
const FLUSH: Duration = Duration::from_millis(200);
/// How often a full pipe is looked at again if it never becomes writable.
const RETRY_MS: u16 = 1000;

/// Starts the log for the whole process, as `clustermon NAME: LINE` on stderr. Where a logger is already installed
/// it stays, and the guard has nothing to do.
pub(crate) fn init(level: LevelFilter, name: &str) -> io::Result<LogGuard> {
    let prefix = format!("clustermon {name}: ");
    let (pipe, guard) = start(io::stderr(), prefix.clone())?;
    let logger = env_logger::Builder::new()
        .filter_level(level)
        // The event loop's own library has nothing to tell to who runs a cluster.
        .filter_module("mio", LevelFilter::Warn)
        .format(move |out, record| out.write_all(format_line(&prefix, record).as_bytes()))
        .target(env_logger::Target::Pipe(Box::new(pipe)))
        .build();
    let max_level = logger.filter();
    if log::set_boxed_logger(Box::new(logger)).is_ok() {
        log::set_max_level(max_level);
    }
    Ok(guard)
}

/// One line. Control characters, which a path or a worker's error may hold, are escaped.
fn format_line(prefix: &str, record: &Record<'_>) -> String {
    let mut line = String::from(prefix);
    line.push_str(match record.level() {
        Level::Error => "error: ",
        Level::Warn => "warning: ",
        Level::Info => "",
        Level::Debug => "debug: ",
        Level::Trace => "trace: ",
    });
    // Formatting into a string fails only if the message itself refuses; then what there is of it is logged.
    let _ = write!(Escaped(&mut line), "{}", record.args());
    line.push('\n');
    line
}

struct Escaped<'a>(&'a mut String);

impl std::fmt::Write for Escaped<'_> {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        for c in text.chars() {
            if c.is_control() {
                self.0.extend(c.escape_default());
            } else {
                self.0.push(c);
            }
        }
        Ok(())
    }
}

enum Item {
    Lines(Box<[u8]>),
    /// Answered when all before it is written.
    Flush(Sender<()>),
}

/// The end that is written to: takes whole lines, never waits.
struct Pipe {
    sender: Sender<Item>,
    dropped: Arc<AtomicU64>,
}

impl Write for Pipe {
    fn write(&mut self, lines: &[u8]) -> io::Result<usize> {
        if let Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) =
            self.sender.try_send(Item::Lines(lines.into()))
        {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
        Ok(lines.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Flushes the log when it is dropped.
#[derive(Debug)]
pub(crate) struct LogGuard {
    sender: Sender<Item>,
}

impl LogGuard {
    /// Waits until all that was logged is written, but no longer than 200 ms.
    pub(crate) fn flush(&self) {
        let (done, wait) = bounded(1);
        if self.sender.send_timeout(Item::Flush(done), FLUSH / 2).is_ok() {
            // Too late is as good as never: whoever reads stderr does not.
            let _ = wait.recv_timeout(FLUSH / 2);
        }
    }
}

impl Drop for LogGuard {
    fn drop(&mut self) {
        self.flush();
    }
}

/// Starts a thread that writes to `target`, and ends once both the pipe and the guard are gone.
fn start(target: impl AsFd + Send + 'static, prefix: String) -> io::Result<(Pipe, LogGuard)> {
    let (sender, receiver) = bounded(CAPACITY);
    let dropped = Arc::new(AtomicU64::new(0));
    let writer = Writer { target, receiver, dropped: Arc::clone(&dropped), prefix };
    // A thread inherits the mask it is started under; signals are for the thread that waits for them.
    let mut before = SigSet::empty();
    pthread_sigmask(SigmaskHow::SIG_BLOCK, Some(&SigSet::all()), Some(&mut before))?;
    let started = std::thread::Builder::new().name("log".to_owned()).spawn(move || writer.run());
    pthread_sigmask(SigmaskHow::SIG_SETMASK, Some(&before), None)?;
    started?;
    Ok((Pipe { sender: sender.clone(), dropped }, LogGuard { sender }))
}

struct Writer<T> {
    target: T,
    receiver: Receiver<Item>,
    dropped: Arc<AtomicU64>,
    prefix: String,
}

impl<T: AsFd> Writer<T> {
    fn run(self) {
        while let Ok(item) = self.receiver.recv() {
            let flushed = match item {
                Item::Lines(lines) => {
                    self.put(&lines);
                    None
                }
                Item::Flush(done) => Some(done),
            };
            if flushed.is_some() || self.receiver.is_empty() {
                self.tell_dropped();
            }
            if let Some(done) = flushed {
                // The one who asked may have given up.
                let _ = done.try_send(());
            }
        }
        self.tell_dropped();
    }

    fn tell_dropped(&self) {
        let count = self.dropped.swap(0, Ordering::Relaxed);
        if count > 0 {
            self.put(format!("{}warning: {count} log lines were dropped\n", self.prefix).as_bytes());
        }
    }

    /// Writes all of it, waiting as long as it takes; what cannot be written at all is dropped uncounted, for
    /// the reader it is meant for is gone.
    fn put(&self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            match nix::unistd::write(&self.target, bytes) {
                Ok(written) => bytes = bytes.get(written..).unwrap_or_default(),
                Err(Errno::EINTR) => {}
                // Whoever shares the other end of a terminal or pipe may have made it non-blocking.
                Err(Errno::EAGAIN) => {
                    let mut wanted = [PollFd::new(self.target.as_fd(), PollFlags::POLLOUT)];
                    // Either way the next write tells.
                    let _ = poll(&mut wanted, PollTimeout::from(RETRY_MS));
                }
                Err(_) => return,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{CAPACITY, Pipe, format_line, start};
    use log::{Level, Record};
    use nix::fcntl::{FcntlArg, OFlag, fcntl};
    use std::fs::File;
    use std::io::{BufRead, BufReader, Write};
    use std::os::fd::OwnedFd;

    fn pipe() -> (File, OwnedFd) {
        let (reader, writer) = nix::unistd::pipe2(OFlag::O_CLOEXEC).unwrap();
        (reader.into(), writer)
    }

    /// As the logger does: a whole line in one write.
    fn put(pipe: &mut Pipe, line: &str) {
        pipe.write_all(format!("{line}\n").as_bytes()).unwrap();
    }

    fn lines(reader: File) -> Vec<String> {
        BufReader::new(reader).lines().map(Result::unwrap).collect()
    }

    #[test]
    fn a_line_is_one_line() {
        let record = |level, text: &'static str| {
            format_line(
                "clustermon web: ",
                &Record::builder().level(level).args(format_args!("{text}")).build(),
            )
        };
        assert_eq!(record(Level::Info, "worker 0 started"), "clustermon web: worker 0 started\n");
        assert_eq!(record(Level::Error, "a\nb\x1b[2J é"), "clustermon web: error: a\\nb\\u{1b}[2J é\n");
    }

    #[test]
    fn a_pipe_that_nobody_reads_delays_nobody() {
        for non_blocking in [false, true] {
            let (reader, writer) = pipe();
            if non_blocking {
                fcntl(&writer, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).unwrap();
            }
            let (mut pipe, guard) = start(writer, "p: ".to_owned()).unwrap();
            let total = 100_000;
            // Nothing reads: were a single write to wait, this loop would never end.
            for number in 0..total {
                put(&mut pipe, &format!("{number:0>60}"));
            }
            guard.flush();

            // Now somebody reads. The writer ends when both ends are dropped, and closes the pipe.
            drop(pipe);
            let reading = std::thread::spawn(|| lines(reader));
            drop(guard);
            let mut lines = reading.join().unwrap();
            let told = lines.pop().unwrap();
            let dropped = told
                .strip_prefix("p: warning: ")
                .and_then(|told| told.strip_suffix(" log lines were dropped"));
            let dropped: usize = dropped.unwrap_or_else(|| panic!("{told}")).parse().unwrap();
            assert_eq!(lines.len() + dropped, total);
            assert!(lines.len() >= CAPACITY, "{}", lines.len());
            let numbers: Vec<usize> = lines.iter().map(|line| line.parse().unwrap()).collect();
            assert!(numbers.is_sorted(), "out of order");
        }
    }

    #[test]
    fn a_reader_that_went_away_is_no_fault() {
        let (reader, writer) = pipe();
        drop(reader);
        let (mut pipe, guard) = start(writer, String::new()).unwrap();
        for _ in 0..10 {
            put(&mut pipe, "to nobody");
        }
        guard.flush();
    }

    #[test]
    fn signals_are_for_other_threads() {
        let (_reader, writer) = pipe();
        let (mut pipe, guard) = start(writer, String::new()).unwrap();
        put(&mut pipe, "it runs");
        guard.flush();
        let read = |path: std::path::PathBuf| std::fs::read_to_string(path).unwrap_or_default();
        let tasks = std::fs::read_dir("/proc/self/task").unwrap().map(|task| task.unwrap().path());
        // Other tests have theirs; every one of them must have all of the signals that can be blocked.
        let masks: Vec<_> = tasks
            .filter(|task| read(task.join("comm")) == "log\n")
            .filter_map(|task| {
                let status = read(task.join("status"));
                let mask = status.lines().find_map(|line| line.strip_prefix("SigBlk:"))?;
                u64::from_str_radix(mask.trim(), 16).ok()
            })
            .collect();
        let bit = |signal: i32| 1_u64 << (signal - 1);
        let wanted = [libc::SIGINT, libc::SIGTERM, libc::SIGQUIT, libc::SIGHUP, libc::SIGCHLD, libc::SIGPIPE];
        let wanted = wanted.into_iter().map(bit).fold(0, std::ops::BitOr::bitor);
        assert!(!masks.is_empty());
        assert!(masks.iter().all(|mask| mask & wanted == wanted), "{masks:x?}");
    }

    #[test]
    fn a_flush_comes_after_what_was_logged() {
        let (reader, writer) = pipe();
        let (mut pipe, guard) = start(writer, String::new()).unwrap();
        for _ in 0..100 {
            put(&mut pipe, "before");
        }
        drop(pipe);
        drop(guard);
        assert_eq!(lines(reader).len(), 100);
    }
}
