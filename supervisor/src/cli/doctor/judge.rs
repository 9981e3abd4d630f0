//! What the facts mean for a command: one verdict for each thing that was looked at. It reads nothing itself, so that
//! every machine can be judged in a test.

mod of_command;

use crate::io::launch::host_checks::HostChecks;
use crate::io::launch::interception::{How, Interception};
use crate::io::launch::program::{Program, ProgramError};
use nix::errno::Errno;
use of_command::{command, interception, libc, program, shown, thunk};
use serde::Serialize;
use std::path::PathBuf;

/// The oldest kernel that has all that is needed.
const KERNEL: (u64, u64) = (5, 4);
/// As `--backlog` has it by default.
const QUEUE: u64 = crate::settings::BACKLOG as u64;
/// A worker that may have fewer descriptors is soon full.
const WORKER_DESCRIPTORS: u64 = 1024;
/// What the supervisor needs for itself, and for each worker: its pidfd, its page, its notification socket, two ends of
/// a lane and their like.
const OWN_DESCRIPTORS: u64 = 64;
const DESCRIPTORS_EACH: u64 = 16;
/// The supervisor's own threads, and a few processes for each worker.
const OWN_PROCESSES: u64 = 8;
const PROCESSES_EACH: u64 = 4;
/// Less than most interpreters take to start.
const LITTLE_MEMORY: u64 = 64 << 20;

const CAP_SYS_PTRACE: u32 = 19;
const CAP_SYS_ADMIN: u32 = 21;

/// What is judged.
#[derive(Debug)]
pub(super) struct Case<'a> {
    pub(super) facts: &'a HostChecks,
    pub(super) program: &'a Program,
    pub(super) interception: Result<Interception, ProgramError>,
    /// Whether the dynamic linker that the program asks for exists, if it is known which.
    pub(super) linker_is_there: Option<bool>,
    /// Where the thunk lies, or why there is none.
    pub(super) thunk: &'a Result<PathBuf, String>,
}

/// How good it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Grade {
    Ok,
    /// It works, with less than there could be.
    Note,
    /// With this it does not work.
    No,
}

/// One verdict.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Check {
    pub(super) check: &'static str,
    pub(super) grade: Grade,
    pub(super) found: String,
    /// What to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) advice: Option<String>,
}

fn ok(check: &'static str, found: impl Into<String>) -> Check {
    Check { check, grade: Grade::Ok, found: found.into(), advice: None }
}

fn note(check: &'static str, found: impl Into<String>, advice: impl Into<String>) -> Check {
    Check { check, grade: Grade::Note, found: found.into(), advice: Some(advice.into()) }
}

fn no(check: &'static str, found: impl Into<String>, advice: impl Into<String>) -> Check {
    Check { check, grade: Grade::No, found: found.into(), advice: Some(advice.into()) }
}

/// All verdicts, the ones on the command first.
pub(super) fn judge(case: &Case<'_>) -> Vec<Check> {
    let facts = case.facts;
    let how = case.interception.as_ref().ok().map(|found| found.how);
    let mut checks = vec![command(case.program), program(case)];
    checks.extend(case.interception.as_ref().ok().map(|found| interception(facts, *found)));
    checks.extend(libc(case));
    checks.push(thunk(case.thunk));
    checks.extend(
        facts
            .preload
            .as_ref()
            .map(|value| ok("preload", format!("LD_PRELOAD is {value:?}: it is kept, after the thunk"))),
    );
    checks.extend([kernel(&facts.release), calls(facts), ptrace(facts), bpf(facts), descriptors(facts)]);
    checks.extend([processes(facts), cpus(facts), memory(facts)]);
    checks.extend(facts.longest_queue.map(queue));
    checks.extend(match how {
        Some(How::Seccomp) => Some(by_kernel(&facts.steering)),
        Some(How::Preload) | None => facts.tells_queue.map(dispatch),
    });
    checks.push(steering(&facts.steering));
    checks.push(flows(&facts.flows));
    checks.push(control(&facts.control));
    checks
}

fn kernel(release: &str) -> Check {
    let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map(|digits| digits.parse().unwrap_or(0));
    let version: (u64, u64) = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    let (major, minor) = KERNEL;
    if version >= KERNEL {
        ok("kernel", format!("Linux {release}"))
    } else {
        no("kernel", format!("Linux {release}"), format!("{major}.{minor} or newer is needed"))
    }
}

/// Whether what the supervisor calls is there and let through.
fn calls(facts: &HostChecks) -> Check {
    let failed: Vec<_> = facts
        .calls
        .iter()
        .filter_map(|(name, outcome)| Some(format!("{name}: {}", outcome.err()?.desc())))
        .collect();
    let filtered = facts.seccomp != 0;
    if !failed.is_empty() {
        let advice = if filtered {
            "a seccomp filter is in force here: let these system calls through it"
        } else {
            "a kernel with these system calls is needed"
        };
        return no("calls", failed.join(", "), advice);
    }
    let mut found = "all that is needed is let through".to_owned();
    if filtered {
        found.push_str(", by a seccomp filter");
    }
    if facts.no_new_privs {
        found.push_str("; no_new_privs is set: setuid programs that workers start gain nothing");
    }
    ok("calls", found)
}

/// Whether the state of a worker's threads can be read.
fn ptrace(facts: &HostChecks) -> Check {
    let mighty = facts.capabilities & 1 << CAP_SYS_PTRACE != 0;
    match facts.ptrace_scope {
        None => ok("ptrace", "no Yama: processes of this user may be looked into"),
        Some(scope @ 0..=1) => {
            ok("ptrace", format!("kernel.yama.ptrace_scope is {scope}: workers may be looked into"))
        }
        Some(2) if mighty => ok("ptrace", "kernel.yama.ptrace_scope is 2, and CAP_SYS_PTRACE is there"),
        Some(scope) => note(
            "ptrace",
            format!("kernel.yama.ptrace_scope is {scope}: which system call a worker is in cannot be read"),
            "one that hangs waiting for a lock is not told from one that is blocked; set it to 1 if you want that",
        ),
    }
}

/// Whether a program could be loaded into the kernel.
fn bpf(facts: &HostChecks) -> Check {
    let without = "only --dispatch kernel has a use for it";
    match facts.bpf {
        Ok(()) => ok("bpf", format!("it is let through; {without}")),
        Err(errno) => {
            let disabled = facts.unprivileged_bpf_disabled.filter(|value| *value != 0);
            let why = match (errno, disabled) {
                (Errno::EPERM, Some(value)) => {
                    format!("kernel.unprivileged_bpf_disabled is {value}, and CAP_BPF is not there")
                }
                (errno, _) => format!("bpf(2): {}", errno.desc()),
            };
            ok("bpf", format!("{why}; {without}"))
        }
    }
}

/// Whether the limit on descriptors is enough for the supervisor, and for a server.
fn descriptors(facts: &HostChecks) -> Check {
    let (soft, hard) = facts.descriptors;
    let wanted = OWN_DESCRIPTORS + DESCRIPTORS_EACH * u64::from(facts.cpus.0);
    let found = format!("each worker may have {}, the supervisor {}", limit(soft), limit(hard));
    if hard < wanted {
        let advice =
            format!("{wanted} are needed for {} workers: raise the hard limit, or start fewer", facts.cpus.0);
        return note("descriptors", found, advice);
    }
    if soft < WORKER_DESCRIPTORS {
        let advice = "a worker holds one for each connection: raise the soft limit (ulimit -n)";
        return note("descriptors", found, advice);
    }
    ok("descriptors", found)
}

fn limit(value: u64) -> String {
    if value == u64::MAX { "any number".to_owned() } else { value.to_string() }
}

fn processes(facts: &HostChecks) -> Check {
    let wanted = OWN_PROCESSES + PROCESSES_EACH * u64::from(facts.cpus.0);
    match facts.processes {
        None => ok("processes", "no limit on them"),
        Some(most) if most >= wanted => ok("processes", format!("at most {most} processes and threads")),
        Some(most) => note(
            "processes",
            format!("at most {most} processes and threads"),
            format!("{wanted} or more are needed for {} workers: raise ulimit -u or pids.max", facts.cpus.0),
        ),
    }
}

fn cpus(facts: &HostChecks) -> Check {
    let (usable, online) = facts.cpus;
    if usable < online {
        ok(
            "cpus",
            format!(
                "{usable} of {online}, by affinity or cgroup quota; so many workers unless told otherwise"
            ),
        )
    } else {
        ok("cpus", format!("{usable}; so many workers unless told otherwise"))
    }
}

fn memory(facts: &HostChecks) -> Check {
    let mib = |bytes: u64| bytes >> 20;
    let found = match facts.memory {
        (Some(may), Some(has)) if may < has => format!("{} of {} MiB, by the cgroup", mib(may), mib(has)),
        (Some(may), _) => format!("{} MiB", mib(may)),
        (None, _) => return ok("memory", "not known"),
    };
    if facts.memory.0.is_some_and(|may| may < LITTLE_MEMORY) {
        return note("memory", found, "hardly a worker starts in so little: raise memory.max");
    }
    ok("memory", found)
}

/// How long a listening queue may be.
fn queue(longest: u64) -> Check {
    if longest >= QUEUE {
        ok("queue", format!("net.core.somaxconn is {longest}"))
    } else {
        note(
            "queue",
            format!("net.core.somaxconn is {longest}: no more connections can wait at an address"),
            format!("set it to {QUEUE} for bursts"),
        )
    }
}

/// How TCP connections would reach workers, unless an option says otherwise.
fn dispatch(tells_queue: bool) -> Check {
    if tells_queue {
        return ok("dispatch", "credit: workers accept by themselves");
    }
    let found = "handoff: the kernel does not tell how many wait at a listening socket";
    note("dispatch", found, "nothing need be done; it costs some processor time a connection")
}

/// What `--dispatch kernel` would be. Nothing else needs more than there is.
fn steering((is_exact, found): &(bool, String)) -> Check {
    let more = if *is_exact { "" } else { "; with CAP_BPF --dispatch kernel rotates exactly" };
    ok("steering", format!("{found}{more}"))
}

/// What `--share udp:` would be.
fn flows((keeps, found): &(bool, String)) -> Check {
    let more = if *keeps { "" } else { "; with CAP_BPF --share udp:ADDR keeps them where they are" };
    ok("udp", format!("{found}{more}"))
}

/// How connections reach workers without the library.
fn by_kernel((is_exact, found): &(bool, String)) -> Check {
    if *is_exact {
        return ok("dispatch", format!("{found}; --policy and --max-connections have no effect"));
    }
    let advice = "nothing need be done; with CAP_BPF it rotates exactly, and what waits for a worker that is gone or stuck is moved to \
                  others";
    note("dispatch", found.clone(), advice)
}

fn control(place: &Result<PathBuf, String>) -> Check {
    match place {
        Ok(path) => ok("control", format!("by a socket in {}", shown(path))),
        Err(why) => note(
            "control",
            format!("no directory for a control socket: {why}"),
            "give `run` a --control PATH, or the other commands cannot reach the cluster",
        ),
    }
}

#[cfg(test)]
mod tests;
