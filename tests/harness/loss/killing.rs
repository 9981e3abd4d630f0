//! Workers killed under load, and each request that was lost with them accounted for: at the moment of its death a
//! worker is stopped, so that what it holds can be read from the system, and then it is killed.

use super::clients::mix::Mix;
use super::clients::tally::{End, Incident};
use super::orders::{self, running};
use super::row::Row;
use super::subject::{Subject, server};
use super::traffic::Traffic;
use crate::system::process::{Pid, ends_within, pause, pidfd, signal};
use crate::system::wait::PATIENCE;
use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::thread;
use std::time::{Duration, Instant};

const EVERY: Duration = Duration::from_millis(200);

/// The death of a worker.
#[derive(Debug)]
struct Kill {
    /// The peers of the connections that it had accepted.
    ports: BTreeSet<u16>,
    stopped: Instant,
    /// Its descriptors are closed by then.
    gone: Instant,
}

/// Kills a worker of four every 200 ms for so long. Only requests that a killed worker had accepted may fail.
#[track_caller]
pub fn kill(subject: &Subject, flags: &str, mix: Mix, duration: Duration) -> Row {
    let mut row = Row::new(subject.name, "kills");
    let cluster = subject.start(4, flags);
    let traffic = Traffic::start(server(&cluster), mix);
    let start = traffic.begun;
    traffic.wait_begun();
    let mut kills = Vec::new();
    let mut turn = 0;
    while start.elapsed() < duration {
        let begun = Instant::now();
        let workers: Vec<Pid> = running(&cluster).into_values().flatten().collect();
        // The last one lives, so that there is always somebody to accept.
        if workers.len() > 1 {
            turn += 1;
            match look_and_kill(workers[turn % workers.len()]) {
                Ok(kill) => kills.push(kill),
                Err(error) => {
                    row.problems.push(format!("what a worker held could not be read: {error}"));
                    break;
                }
            }
        }
        thread::sleep(EVERY.saturating_sub(begun.elapsed()));
    }
    traffic.wait_more(100, &mut row);
    row.done = kills.len();
    let tally = traffic.finish();
    let lost = |incident: &&Incident| matches!(incident.end, End::Failed | End::Raced | End::Reset);
    let all: Vec<_> = tally.incidents.iter().filter(lost).collect();
    let unexplained: Vec<_> = all.iter().filter(|incident| !is_explained(incident, &kills)).collect();
    row.notes.push(format!(
        "{} of {} lost requests had been accepted by the worker that was killed",
        all.len() - unexplained.len(),
        all.len()
    ));
    let descriptions: Vec<_> = unexplained.iter().take(20).map(|incident| incident.describe(start)).collect();
    if !unexplained.is_empty() {
        row.problems.push(format!("{} lost for no such reason", unexplained.len()));
    }
    row.fill(tally, start);
    row.particulars = descriptions;
    if row.refused > 0 {
        row.problems.push(format!("{} refused", row.refused));
    }
    if kills.is_empty() {
        row.problems.push("nobody could be killed".to_owned());
    }
    if !row.problems.is_empty() {
        let since = |at: Instant| at.saturating_duration_since(start).as_secs_f64();
        let deaths = kills.iter().map(|kill| {
            format!("killed at {:.4} to {:.4} s: {:?}", since(kill.stopped), since(kill.gone), kill.ports)
        });
        row.particulars.extend(deaths);
    }
    orders::end(cluster, &mut row);
    row
}

/// The worker had the connection when it was stopped, and the request was under way before it was gone.
fn is_explained(incident: &Incident, kills: &[Kill]) -> bool {
    kills.iter().any(|kill| {
        kill.ports.contains(&incident.port) && incident.began <= kill.gone && kill.stopped <= incident.ended
    })
}

fn look_and_kill(worker: Pid) -> io::Result<Kill> {
    let process = pidfd(worker)?;
    let stopped = Instant::now();
    pause(worker);
    let ports = peers(worker, &process)?;
    signal(worker, libc::SIGKILL);
    // Its first thread is a zombie before the last one has closed the descriptors; the system reports the end of all.
    assert!(ends_within(&process, PATIENCE), "the killed worker {worker} is still there");
    Ok(Kill { ports, stopped, gone: Instant::now() })
}

/// The peers' ports of all TCP connections among the descriptors of a stopped process.
fn peers(worker: Pid, process: &OwnedFd) -> io::Result<BTreeSet<u16>> {
    let mut ports = BTreeSet::new();
    for entry in fs::read_dir(format!("/proc/{worker}/fd"))?.flatten() {
        let Some(number) = entry.file_name().to_str().and_then(|name| name.parse::<libc::c_int>().ok())
        else {
            continue;
        };
        let is_socket =
            fs::read_link(entry.path()).is_ok_and(|link| link.to_string_lossy().starts_with("socket:"));
        if !is_socket {
            continue;
        }
        // SAFETY: the call takes three integers and returns a descriptor.
        let raw = unsafe { libc::syscall(libc::SYS_pidfd_getfd, process.as_raw_fd(), number, 0) };
        // The copy is gone before the worker is: the connection's end is the worker's.
        ports.extend(peer_port(&owned(raw)?));
    }
    Ok(ports)
}

fn owned(raw: libc::c_long) -> io::Result<OwnedFd> {
    if raw < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel has just made it for us.
    Ok(unsafe { OwnedFd::from_raw_fd(raw as libc::c_int) })
}

/// Nothing, unless it is a TCP connection over IPv4.
fn peer_port(socket: &OwnedFd) -> Option<u16> {
    let mut address = libc::sockaddr_in {
        sin_family: 0,
        sin_port: 0,
        sin_addr: libc::in_addr { s_addr: 0 },
        sin_zero: [0; 8],
    };
    let mut length = size_of::<libc::sockaddr_in>() as libc::socklen_t;
    // SAFETY: the kernel writes at most `length` bytes, the size of `address`, and both live through the call.
    let result = unsafe { libc::getpeername(socket.as_raw_fd(), (&raw mut address).cast(), &raw mut length) };
    let is_ipv4 = result == 0 && i32::from(address.sin_family) == libc::AF_INET;
    is_ipv4.then(|| u16::from_be(address.sin_port))
}
