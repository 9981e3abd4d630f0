//! What the threads of a cluster do, read from /proc: who sleeps in a wait for connections, and who was woken and has no
//! processor. It stops and traces nobody.

use super::super::figures::processor::children;
use super::judge::Look;
use crate::Result;
use std::fmt::Write;
use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::time::Duration;

/// System calls in which a program waits for connections. A lane is received from, too: by recvmsg.
const WAITS: &[libc::c_long] = &[
    libc::SYS_accept,
    libc::SYS_accept4,
    libc::SYS_recvmsg,
    libc::SYS_ppoll,
    libc::SYS_pselect6,
    libc::SYS_epoll_pwait,
    libc::SYS_epoll_pwait2,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_poll,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_select,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_epoll_wait,
];

/// One process of a cluster.
#[derive(Debug)]
pub(super) struct Process {
    pid: u32,
    threads: Vec<Thread>,
    /// Processor time at the last look.
    spent: Duration,
}

#[derive(Debug)]
struct Thread {
    folder: String,
    schedstat: File,
    stat: File,
    /// How often it had been given a processor at the last look.
    switches: u64,
    /// What it waits in, once that was read since it last had a processor.
    waits: Option<bool>,
}

/// A worker: its process and that one's descendants.
#[derive(Debug)]
pub(super) struct Worker {
    pub pid: u32,
    processes: Vec<Process>,
}

impl Worker {
    /// With all threads that it has now.
    pub(super) fn new(pid: u32) -> Result<Self> {
        let mut pids = vec![pid];
        let mut at = 0;
        while at < pids.len() {
            pids.extend(children(pids[at]));
            at += 1;
        }
        Ok(Self { pid, processes: pids.into_iter().map(Process::new).collect::<Result<_>>()? })
    }

    /// Keeps the threads that have been given a processor so many times since the worker was met: those that serve. Others wait
    /// for timers and the like, and are never told of a connection.
    pub(super) fn keep_busy(&mut self, least: u64) -> Result<()> {
        for process in &mut self.processes {
            let mut kept = Vec::new();
            for thread in process.threads.drain(..) {
                if thread.read_switches()? >= thread.switches + least {
                    kept.push(thread);
                }
            }
            process.threads = kept;
        }
        self.processes.retain(|process| !process.threads.is_empty());
        if self.processes.is_empty() {
            return Err(format!("no thread of worker {} has served", self.pid).into());
        }
        Ok(())
    }

    /// Also says whether one of its threads was woken and has not had a processor since the last look.
    pub(super) fn look(&mut self, passed: Duration) -> Result<(Look, bool)> {
        let (mut switches, mut sits, mut asleep, mut starved) = (0, false, true, false);
        for process in &mut self.processes {
            let seen = process.look(passed)?;
            switches += seen.switches;
            sits |= seen.waits;
            asleep &= seen.asleep;
            starved |= seen.starved;
        }
        Ok((Look { sits: sits && asleep, switches }, starved))
    }

    /// How many threads serve.
    pub(super) fn serving(&self) -> usize {
        self.processes.iter().map(|process| process.threads.len()).sum()
    }

    /// What /proc says of each of its serving threads, a line each.
    pub(super) fn describe(&self) -> String {
        self.processes.iter().map(Process::describe).collect()
    }
}

/// What the threads of a process do.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seen {
    pub switches: u64,
    /// One of them waits for connections.
    waits: bool,
    /// None has been given a processor since the last look, or wants one.
    asleep: bool,
    pub starved: bool,
}

impl Process {
    pub(super) fn new(pid: u32) -> Result<Self> {
        let tasks = fs::read_dir(format!("/proc/{pid}/task"))?;
        let tids: Vec<u32> =
            tasks.flatten().filter_map(|task| task.file_name().to_str()?.parse().ok()).collect();
        let threads = tids.into_iter().map(|tid| Thread::new(pid, tid)).collect::<Result<_>>()?;
        Ok(Self { pid, threads, spent: spent(pid)? })
    }

    /// Its first thread alone.
    pub(super) fn first_thread(pid: u32) -> Result<Self> {
        Ok(Self { pid, threads: vec![Thread::new(pid, pid)?], spent: spent(pid)? })
    }

    pub(super) fn look(&mut self, passed: Duration) -> Result<Seen> {
        let mut seen = Seen { switches: 0, waits: false, asleep: true, starved: false };
        for thread in &mut self.threads {
            let switches = thread.read_switches()?;
            seen.switches += switches;
            if switches != thread.switches {
                (thread.switches, thread.waits) = (switches, None);
                seen.asleep = false;
                continue;
            }
            match thread.state()? {
                'S' => {
                    if thread.waits.is_none() {
                        thread.waits = Some(thread.is_in_wait());
                    }
                    seen.waits |= thread.waits == Some(true);
                }
                'R' => (seen.asleep, seen.starved) = (false, true),
                _ => seen.asleep = false,
            }
        }
        // The kernel counts a switch when a thread gets a processor, not while it has one; the clock of its process is exact.
        let now = spent(self.pid)?;
        let used = now.saturating_sub(std::mem::replace(&mut self.spent, now));
        seen.starved &= used < passed / 2;
        Ok(seen)
    }

    pub(super) fn describe(&self) -> String {
        let mut text = String::new();
        for thread in &self.threads {
            let read =
                |name: &str| fs::read_to_string(format!("{}/{name}", thread.folder)).unwrap_or_default();
            let state = thread.state().unwrap_or('?');
            // Writing to a string cannot fail.
            let _ = writeln!(
                text,
                "    {} ({}): state {state}, wchan {}, syscall {}, switches {}",
                thread.folder,
                read("comm").trim_end(),
                read("wchan"),
                read("syscall").trim_end(),
                thread.switches,
            );
        }
        text
    }
}

impl Thread {
    fn new(pid: u32, tid: u32) -> Result<Self> {
        let folder = format!("/proc/{pid}/task/{tid}");
        let (schedstat, stat) =
            (File::open(format!("{folder}/schedstat"))?, File::open(format!("{folder}/stat"))?);
        let mut thread = Self { folder, schedstat, stat, switches: 0, waits: None };
        thread.switches = thread.read_switches()?;
        Ok(thread)
    }

    /// `time on a processor, time waiting for one, times given one`
    fn read_switches(&self) -> Result<u64> {
        let mut bytes = [0; 128];
        let got = self.schedstat.read_at(&mut bytes, 0)?;
        let text = std::str::from_utf8(&bytes[..got])?;
        Ok(text.split_whitespace().nth(2).ok_or("the kernel counts no switches")?.parse()?)
    }

    fn state(&self) -> Result<char> {
        let mut bytes = [0; 256];
        let got = self.stat.read_at(&mut bytes, 0)?;
        state(&String::from_utf8_lossy(&bytes[..got])).ok_or_else(|| "a thread has no state".into())
    }

    fn is_in_wait(&self) -> bool {
        let syscall = fs::read_to_string(format!("{}/syscall", self.folder)).unwrap_or_default();
        let number = syscall.split(' ').next().and_then(|number| number.parse().ok());
        number.is_some_and(|number| WAITS.contains(&number))
    }
}

/// `PID (NAME) STATE ..`; a name may hold brackets.
fn state(stat: &str) -> Option<char> {
    stat.rsplit_once(") ")?.1.chars().next()
}

/// Processor time of all threads of the process, what is being used right now included.
fn spent(pid: u32) -> Result<Duration> {
    // As clock_getcpuclockid() makes it: the inverted pid, and which of its clocks.
    let clock = !(pid as libc::clockid_t) << 3 | 2;
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the kernel writes one timespec, which lives through the call.
    if unsafe { libc::clock_gettime(clock, &raw mut time) } != 0 {
        return Err(format!("process {pid} is gone: {}", std::io::Error::last_os_error()).into());
    }
    Ok(Duration::new(time.tv_sec as u64, time.tv_nsec as u32))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;
    use std::sync::mpsc;

    #[test]
    fn a_name_may_look_like_a_state() {
        assert_eq!(state("12 (a) R (b) S 1 2"), Some('S'));
        assert_eq!(state("12 (a"), None);
    }

    #[test]
    fn tells_who_waits_for_connections() {
        let (tell, told) = mpsc::channel();
        let (hold, held) = mpsc::channel::<()>();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        // SAFETY: gettid takes nothing and touches no memory.
        let tid = || unsafe { libc::gettid() } as u32;
        let accepts = std::thread::spawn(move || {
            tell.send(tid()).unwrap();
            listener.accept().map(drop).unwrap();
            tell.send(tid()).unwrap();
            // Asleep, and not for connections.
            assert!(held.recv().is_err());
        });
        let thread = Thread::new(std::process::id(), told.recv().unwrap()).unwrap();
        let settle = |wanted: bool| {
            while thread.state().unwrap() != 'S' || thread.is_in_wait() != wanted {
                std::thread::yield_now();
            }
        };
        settle(true);
        let before = thread.read_switches().unwrap();
        let _client = std::net::TcpStream::connect(address).unwrap();
        told.recv().unwrap();
        settle(false);
        assert!(thread.read_switches().unwrap() > before);
        drop(hold);
        accepts.join().unwrap();
    }

    #[test]
    fn a_process_that_computes_is_not_starved() {
        let before = spent(std::process::id()).unwrap();
        while spent(std::process::id()).unwrap() < before + Duration::from_millis(2) {}
        assert!(spent(u32::MAX >> 4).is_err());
    }
}
