//! What a cluster whose supervisor was killed has left of itself on an address: workers that were stopped or hang, or others of
//! their processes, which have its listening socket. It is told, and how to end it; it is not ended here.

use super::{shown, unix_listeners};
use crate::io::output::plain::Plain;
use crate::io::process::{procfs, startup};
use clustermon_protocol::env;
use std::fmt;
use std::fs;

/// So much of a command is shown, in letters.
const WIDTH: usize = 80;

/// Processes of one cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Left {
    supervisor: String,
    /// They were told to go on serving.
    keeps: bool,
    members: Vec<Member>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Member {
    pid: u32,
    command: String,
    is_stopped: bool,
}

impl Left {
    /// Those of the processes that a supervisor which is gone has left; `None` if none is known to be that. Of several
    /// supervisors one is named.
    pub(super) fn of(pids: impl Iterator<Item = u32>) -> Option<Self> {
        let table = fs::read("/proc/net/unix").unwrap_or_default();
        let table = String::from_utf8_lossy(&table);
        let mut left: Option<Self> = None;
        for pid in pids {
            let Some(Worker { supervisor, keeps }) = worker_without_supervisor(pid, &table) else { continue };
            let left = left.get_or_insert(Self { supervisor, keeps, members: Vec::new() });
            left.members.push(Member {
                pid,
                command: command(pid),
                is_stopped: matches!(procfs::state(pid, pid), Some('T' | 't')),
            });
        }
        left
    }
}

impl fmt::Display for Left {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { supervisor, keeps, members } = self;
        let what = if *keeps { "workers that go on serving" } else { "processes that have not ended" };
        let because = if *keeps { "; --on-supervisor-death keep" } else { "" };
        write!(f, "{what} without their supervisor (pid {supervisor}{because}): ")?;
        for (at, Member { pid, command, is_stopped }) in members.iter().enumerate() {
            let (comma, stopped) =
                (if at > 0 { ", " } else { "" }, if *is_stopped { ", stopped" } else { "" });
            write!(f, "{comma}pid {pid} ({command}{stopped})")?;
        }
        f.write_str("; not joined: kill")?;
        if !*keeps {
            f.write_str(" -9")?;
        }
        members.iter().try_for_each(|member| write!(f, " {}", member.pid))?;
        f.write_str(" frees the address")
    }
}

/// What the environment of a worker tells.
struct Worker {
    supervisor: String,
    keeps: bool,
}

/// If the process is of a worker and nobody has the request socket of its supervisor any more. A process in another network
/// namespace would have that elsewhere.
fn worker_without_supervisor(pid: u32, unix_sockets: &str) -> Option<Worker> {
    let namespace = |pid: &str| fs::read_link(format!("/proc/{pid}/ns/net")).ok();
    if namespace(&pid.to_string())? != namespace("self")? {
        return None;
    }
    let environment = startup::environment(pid);
    let variable = |name: &str| {
        let of_entry = |entry: &'_ [u8]| {
            let value = entry.strip_prefix(name.as_bytes())?.strip_prefix(b"=")?;
            Some(String::from_utf8_lossy(value).into_owned())
        };
        environment.split(|byte| *byte == 0).find_map(of_entry)
    };
    let socket = variable(env::SOCKET)?;
    if !unix_listeners(unix_sockets, &format!("@{socket}")).is_empty() {
        return None;
    }
    let supervisor = variable(env::SUPERVISOR)?;
    let digits = supervisor.split(':').next().filter(|pid| pid.bytes().all(|byte| byte.is_ascii_digit()))?;
    Some(Worker {
        supervisor: digits.to_owned(),
        keeps: variable(env::ON_SUPERVISOR_DEATH).is_some_and(|what| what == "keep"),
    })
}

/// The words that the process shows as its command, made plain; its name if it shows none.
fn command(pid: u32) -> String {
    let words = startup::command_line(pid);
    let words = String::from_utf8_lossy(&words).replace('\0', " ");
    let words = words.trim_end();
    if words.is_empty() {
        return shown(&fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default());
    }
    let cut: String = words.chars().take(WIDTH).collect();
    let dots = if cut.len() < words.len() { ".." } else { "" };
    format!("{}{dots}", Plain(&cut))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(pid: u32, command: &str, is_stopped: bool) -> Member {
        Member { pid, command: command.to_owned(), is_stopped }
    }

    #[test]
    fn is_told_with_how_to_end_it() {
        let members = vec![member(7, "python3 a.py", true), member(9, "node b.js", false)];
        let left = Left { supervisor: "5".to_owned(), keeps: false, members };
        assert_eq!(
            left.to_string(),
            "processes that have not ended without their supervisor (pid 5): pid 7 (python3 a.py, stopped), pid 9 \
             (node b.js); not joined: kill -9 7 9 frees the address"
        );
        let kept = Left { keeps: true, members: vec![member(7, "x", false)], ..left };
        assert_eq!(
            kept.to_string(),
            "workers that go on serving without their supervisor (pid 5; --on-supervisor-death keep): pid 7 (x); \
             not joined: kill 7 frees the address"
        );
    }

    #[test]
    fn this_very_process_is_left_by_nobody() {
        let pid = std::process::id();
        assert_eq!(Left::of([pid, u32::MAX].into_iter()), None);
        assert!(!command(pid).is_empty());
    }
}
