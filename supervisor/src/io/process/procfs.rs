//! What /proc tells of a process: memory, processor time, threads, descriptors, and what its threads are doing. It reads
//! only, and says nothing where the system says nothing.

use std::fs;
use std::io::Read;
use std::path::Path;
use std::time::Duration;

/// Bytes of the description of an epoll set: some ten thousand entries.
const LARGEST_SET: u64 = 1 << 20;

/// One process at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sample {
    /// Resident memory, in bytes.
    pub(crate) rss: u64,
    /// Processor time so far, in clock ticks.
    pub(crate) ticks: u64,
    pub(crate) threads: u64,
    pub(crate) descriptors: u64,
}

/// Where the time of a thread went, since it began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Spent {
    /// It had a processor.
    pub(crate) running: Duration,
    /// It wanted one and others had it, or its group had used up its share; `None` if the system does not tell.
    pub(crate) queued: Option<Duration>,
}

impl Spent {
    /// What of it is later than that.
    pub(crate) fn since(self, start: Self) -> Self {
        Self {
            running: self.running.saturating_sub(start.running),
            queued: self.queued.zip(start.queued).map(|(now, then)| now.saturating_sub(then)),
        }
    }
}

/// What a thread is doing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Thread {
    /// `R` runs or wants to, `S` and `D` sleep, `T` and `t` are stopped, `Z` is gone.
    pub(crate) state: char,
    pub(crate) spent: Spent,
    /// Number of the system call it is in; `None` if it is in none or the system does not tell.
    pub(crate) call: Option<i64>,
    /// Where in the kernel it waits; empty if it does not or the system does not tell.
    pub(crate) waits_in: String,
}

impl Thread {
    /// It waits for a lock: whoever holds it may never let go.
    pub(crate) fn waits_for_lock(&self) -> bool {
        self.call == Some(libc::SYS_futex) || self.waits_in.starts_with("futex")
    }

    pub(crate) fn is_stopped(&self) -> bool {
        matches!(self.state, 'T' | 't')
    }
}

/// Reads a process; `None` if it is gone.
pub(crate) fn sample(pid: u32) -> Option<Sample> {
    let directory = format!("/proc/{pid}");
    let directory = Path::new(&directory);
    let pages: u64 =
        fs::read_to_string(directory.join("statm")).ok()?.split_whitespace().nth(1)?.parse().ok()?;
    let stat = fs::read_to_string(directory.join("stat")).ok()?;
    let fields = Fields::of(&stat)?;
    Some(Sample {
        rss: pages * page_size(),
        ticks: fields.number(USER_TIME)? + fields.number(SYSTEM_TIME)?,
        threads: fields.number(THREADS)?,
        descriptors: descriptors(directory),
    })
}

/// The state of one thread alone; `None` if it is gone.
pub(crate) fn state(pid: u32, tid: u32) -> Option<char> {
    let stat = fs::read_to_string(format!("/proc/{pid}/task/{tid}/stat")).ok()?;
    Fields::of(&stat)?.state()
}

/// True if the process has begun to end, by its line of `/proc/PID/stat`.
pub(in crate::io) fn is_ending(stat: &str) -> bool {
    Fields::of(stat).and_then(|fields| fields.is_ending()).unwrap_or(false)
}

/// The threads of the process, by the numbers that it has here.
pub(in crate::io) fn tasks(pid: u32) -> impl Iterator<Item = u32> {
    let entries = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

/// The threads of the process, by the numbers that it knows them by itself, which are others in a PID namespace; `None` if
/// the system does not tell.
pub(crate) fn threads(pid: u32) -> Option<Vec<u32>> {
    let innermost = |status: &str| -> Option<(usize, u32)> {
        let line = status.lines().find_map(|line| line.strip_prefix("NSpid:"))?;
        let numbers: Vec<&str> = line.split_whitespace().collect();
        Some((numbers.len(), numbers.last()?.parse().ok()?))
    };
    let (depth, _) = innermost(&fs::read_to_string(format!("/proc/{pid}/status")).ok()?)?;
    let mut threads = Vec::new();
    for entry in fs::read_dir(format!("/proc/{pid}/task")).ok()? {
        let entry = entry.ok()?;
        if depth == 1 {
            threads.push(entry.file_name().to_str()?.parse().ok()?);
        } else if let Ok(status) = fs::read_to_string(entry.path().join("status")) {
            threads.push(innermost(&status)?.1);
        }
    }
    (!threads.is_empty()).then_some(threads)
}

/// Reads one thread; `None` if it is gone.
pub(crate) fn thread(pid: u32, tid: u32) -> Option<Thread> {
    let directory = format!("/proc/{pid}/task/{tid}");
    let directory = Path::new(&directory);
    let stat = fs::read_to_string(directory.join("stat")).ok()?;
    let fields = Fields::of(&stat)?;
    let call = fs::read_to_string(directory.join("syscall")).ok();
    Some(Thread {
        state: fields.state()?,
        spent: spent(directory, fields.number(USER_TIME)? + fields.number(SYSTEM_TIME)?),
        call: call.and_then(|call| call.split_whitespace().next()?.parse().ok()),
        waits_in: fs::read_to_string(directory.join("wchan"))
            .unwrap_or_default()
            .trim_matches('0')
            .to_owned(),
    })
}

/// Where the time of the thread has gone; `None` if it is gone or the system keeps no account.
pub(crate) fn account(pid: u32, tid: u32) -> Option<Spent> {
    account_of(&fs::read_to_string(format!("/proc/{pid}/task/{tid}/schedstat")).ok()?)
}

/// By the scheduler's own account where it keeps one, else by the clock ticks that found the thread running.
fn spent(directory: &Path, ticks: u64) -> Spent {
    let account = fs::read_to_string(directory.join("schedstat")).unwrap_or_default();
    account_of(&account)
        .unwrap_or(Spent { running: Duration::from_millis(ticks * 1_000 / ticks_a_second()), queued: None })
}

/// `schedstat` holds nanoseconds on a processor, nanoseconds of waiting for one, and a count; zeros where nobody counts.
fn account_of(text: &str) -> Option<Spent> {
    let mut fields = text.split_whitespace().map(|field| field.parse().ok().map(Duration::from_nanos));
    let (running, queued) = (fields.next()??, fields.next()??);
    (!running.is_zero()).then_some(Spent { running, queued: Some(queued) })
}

/// The kernel's side of a thread's stack, innermost first; empty where the system does not tell (it tells root).
pub(crate) fn kernel_stack(pid: u32, tid: u32) -> Vec<String> {
    let text = fs::read_to_string(format!("/proc/{pid}/task/{tid}/stack")).unwrap_or_default();
    let name = |line: &str| {
        line.split_whitespace().last().map(|name| name.split('+').next().unwrap_or(name).to_owned())
    };
    text.lines().filter_map(name).collect()
}

/// Whether the epoll set with this number in the process has one of these inodes in it. Of a very large set only the first
/// part is read.
pub(crate) fn epoll_holds(pid: u32, set: u32, inodes: &[u64]) -> bool {
    set_holds(&epoll_set(pid, set).unwrap_or_default(), inodes)
}

/// Whether what the kernel shows of a set names one of these inodes.
pub(crate) fn set_holds(text: &str, inodes: &[u64]) -> bool {
    text.lines().filter(|line| line.starts_with("tfd:")).any(|line| {
        let inode = line.split_whitespace().find_map(|word| word.strip_prefix("ino:"));
        inode
            .and_then(|inode| u64::from_str_radix(inode, 16).ok())
            .is_some_and(|inode| inodes.contains(&inode))
    })
}

/// What the kernel tells of an epoll set: a line for each descriptor in it, that begins with `tfd:`. Of a large one only the first.
pub(crate) fn epoll_set(pid: u32, set: u32) -> Option<String> {
    let file = fs::File::open(format!("/proc/{pid}/fdinfo/{set}")).ok()?;
    let mut text = String::new();
    file.take(LARGEST_SET).read_to_string(&mut text).ok()?;
    Some(text)
}

/// The process that started this one, or has taken it in; `None` if it is gone.
pub(crate) fn parent(pid: u32) -> Option<u32> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    u32::try_from(Fields::of(&stat)?.number(PARENT)?).ok()
}

/// When the process began, in ticks of the kernel since it started; `None` if it is gone.
pub(crate) fn starttime(pid: u32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    Fields::of(&stat)?.number(STARTTIME)
}

/// Real, effective, saved and file system user of a process; none if it is gone or hidden.
pub(crate) fn users(pid: u32) -> Vec<u32> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("Uid:")).unwrap_or_default();
    line.split_whitespace().filter_map(|uid| uid.parse().ok()).collect()
}

/// Root, or this process's own user: who may do anything with its workers.
pub(crate) fn is_master(uid: u32) -> bool {
    uid == 0 || uid == nix::unistd::geteuid().as_raw()
}

/// Whether the number names one user. In a user namespace the kernel shows everybody whom that does not know as one.
pub(crate) fn is_distinct(uid: u32) -> bool {
    let number = |path| fs::read_to_string(path).ok().and_then(|text| text.trim().parse::<u32>().ok());
    if uid != number("/proc/sys/kernel/overflowuid").unwrap_or(65_534) {
        return true;
    }
    let map = fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
    map.split_whitespace().eq(["0", "0", "4294967295"])
}

/// The process that traces this one, if any.
pub(crate) fn tracer(pid: u32) -> Option<u32> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("TracerPid:"))?;
    line.trim().parse().ok().filter(|tracer| *tracer != 0)
}

/// Clock ticks that the process has used, itself and in the kernel.
pub(crate) fn ticks(pid: u32) -> Option<(u64, u64)> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let fields = Fields::of(&stat)?;
    Some((fields.number(USER_TIME)?, fields.number(SYSTEM_TIME)?))
}

/// How many seccomp filters the process has; where the kernel does not count them (before 5.9), whether it has any.
pub(crate) fn filters(pid: u32) -> Option<u32> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let number =
        |name: &str| status.lines().find_map(|line| line.strip_prefix(name)?.trim().parse::<u32>().ok());
    number("Seccomp_filters:").or_else(|| number("Seccomp:").map(|mode| u32::from(mode != 0)))
}

/// Whether the process has an io_uring, which programs open early: of its descriptors only the first are looked at.
pub(crate) fn has_ring(pid: u32) -> bool {
    const FIRST: u32 = 64;
    let is_ring = |fd| {
        let target = fs::read_link(format!("/proc/{pid}/fd/{fd}"));
        target.is_ok_and(|target| target.as_os_str() == "anon_inode:[io_uring]")
    };
    (0..FIRST).any(is_ring)
}

/// Descriptors that the process has open. Since Linux 6.2 the directory tells how many it lists.
fn descriptors(directory: &Path) -> u64 {
    let directory = directory.join("fd");
    match fs::metadata(&directory).map(|status| std::os::unix::fs::MetadataExt::size(&status)) {
        Ok(0) => fs::read_dir(&directory).map_or(0, |entries| entries.count() as u64),
        Ok(count) => count,
        Err(_) => 0,
    }
}

fn page_size() -> u64 {
    // SAFETY: no memory is involved.
    u64::try_from(unsafe { libc::sysconf(libc::_SC_PAGESIZE) }).unwrap_or(4096)
}

/// Clock ticks a second.
pub(crate) fn ticks_a_second() -> u64 {
    // SAFETY: no memory is involved.
    u64::try_from(unsafe { libc::sysconf(libc::_SC_CLK_TCK) }).unwrap_or(100).max(1)
}

/// Places of fields in `stat`, counted after the name; see proc(5).
const STATE: usize = 0;
const PARENT: usize = 1;
const FLAGS: usize = 6;
/// Of the flags: it has begun to end.
const PF_EXITING: u64 = 4;
pub(super) const USER_TIME: usize = 11;
const SYSTEM_TIME: usize = 12;
/// The last of four times: in user and system mode, then the same of the children that have ended and were waited for.
pub(super) const CHILDREN_SYSTEM_TIME: usize = 14;
const THREADS: usize = 17;
const STARTTIME: usize = 19;

/// The fields of `stat` that come after the name, which is in parentheses and may hold anything.
pub(super) struct Fields<'a>(Vec<&'a str>);

impl<'a> Fields<'a> {
    pub(super) fn of(stat: &'a str) -> Option<Self> {
        Some(Self(stat.get(stat.rfind(')')? + 1..)?.split_whitespace().collect()))
    }

    /// The state, as the kernel's letter.
    pub(super) fn state(&self) -> Option<char> {
        self.0.get(STATE)?.chars().next()
    }

    /// The thread has begun to end.
    pub(super) fn is_ending(&self) -> Option<bool> {
        Some(self.number(FLAGS)? & PF_EXITING != 0)
    }

    pub(super) fn number(&self, place: usize) -> Option<u64> {
        self.0.get(place)?.parse().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::AsRawFd;

    #[test]
    fn reads_this_very_process() {
        let pid = std::process::id();
        let sample = sample(pid).unwrap();
        assert!(sample.rss > 100_000 && sample.threads >= 1 && sample.descriptors >= 3, "{sample:?}");
    }

    #[test]
    fn finds_a_parent() {
        assert_eq!(parent(std::process::id()), Some(std::os::unix::process::parent_id()));
        assert_eq!(parent(u32::MAX), None);
    }

    #[test]
    fn lists_the_threads_of_this_very_process() {
        let threads = threads(std::process::id()).unwrap();
        let own = nix::unistd::gettid().as_raw() as u32;
        let stat = fs::read_to_string("/proc/self/stat").unwrap();
        assert!(!is_ending(&stat) && is_ending("1 (x) Z 0 0 0 0 -1 4194316 0"), "{stat}");
        assert!(threads.contains(&own) && threads.contains(&std::process::id()), "{own}: {threads:?}");
        assert_eq!(super::threads(u32::MAX), None);
    }

    #[test]
    fn reads_this_very_thread() {
        let (pid, tid) = (std::process::id(), nix::unistd::gettid().as_raw() as u32);
        let thread = thread(pid, tid).unwrap();
        assert!(thread.state == 'R' && !thread.is_stopped() && !thread.waits_for_lock(), "{thread:?}");
        assert_eq!(tracer(pid), None);
    }

    #[test]
    fn time_on_a_processor_is_counted() {
        let (pid, tid) = (std::process::id(), nix::unistd::gettid().as_raw() as u32);
        let start = thread(pid, tid).unwrap().spent;
        let mut now = start;
        let mut sum = 0u64;
        while now.since(start).running < Duration::from_millis(20) {
            sum = (0..100_000).fold(sum, |sum, number| std::hint::black_box(sum ^ number));
            now = thread(pid, tid).unwrap().spent;
        }
        assert_eq!(now.since(now).running, Duration::ZERO);
        // Of a thread that has only just begun there may be no account yet.
        assert!(now.queued.is_some() || start.queued.is_none());
    }

    #[test]
    fn an_account_is_two_times() {
        let spent = account_of("953593504 77685693 166\n").unwrap();
        assert_eq!(spent.running, Duration::from_nanos(953_593_504));
        assert_eq!(spent.queued, Some(Duration::from_nanos(77_685_693)));
        for nothing in ["", "0 0 0\n", "5", "x 1 2", "1 x 2"] {
            assert_eq!(account_of(nothing), None, "{nothing:?}");
        }
    }

    #[test]
    fn finds_a_socket_in_an_epoll_set() {
        let (inside, outside) = std::os::unix::net::UnixStream::pair().unwrap();
        let epoll = mio::Poll::new().unwrap();
        let mut source = mio::unix::SourceFd(&inside.as_raw_fd());
        epoll.registry().register(&mut source, mio::Token(0), mio::Interest::READABLE).unwrap();
        let inode = |socket: &std::os::unix::net::UnixStream| nix::sys::stat::fstat(socket).unwrap().st_ino;
        let set = epoll.as_raw_fd() as u32;
        assert!(epoll_holds(std::process::id(), set, &[1, inode(&inside)]));
        assert!(!epoll_holds(std::process::id(), set, &[1, inode(&outside)]));
        assert!(!epoll_holds(std::process::id(), u32::MAX, &[inode(&inside)]));
    }

    #[test]
    fn a_process_that_is_gone_is_none() {
        assert_eq!(sample(u32::MAX), None);
        assert_eq!((thread(u32::MAX, 1), tracer(u32::MAX)), (None, None));
        assert!(kernel_stack(u32::MAX, 1).is_empty());
    }

    #[test]
    fn names_may_hold_anything() {
        let fields = Fields::of("7 (a) b (c)) S 1 2 3").unwrap();
        assert_eq!((fields.0.first(), fields.number(1)), (Some(&"S"), Some(1)));
        assert!(Fields::of("no name").is_none());
    }
}
