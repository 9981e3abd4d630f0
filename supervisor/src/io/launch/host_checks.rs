//! What there is to know of this machine and this process before a cluster is started. It reads and tries; it judges
//! nothing, and whatever it opens is closed again.

use super::interception::filter_is_there;
use crate::io::control::runtime_dir::{self, Purpose};
use crate::io::datagrams;
use crate::io::kernel::pidfd;
use crate::io::kernel::sockopt::queue_length;
use crate::io::machine::{cpus, memory_share};
use crate::io::sockets::sock_diag;
use crate::io::steering::level::{Best, Level};
use clustermon_protocol::address::{Address, INET};
use nix::errno::Errno;
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::resource::{Resource, getrlimit};
use nix::sys::socket::{AddressFamily, SockFlag, SockType, socketpair};
use nix::unistd::Uid;
use std::fs;
use std::io;
use std::os::fd::{AsFd, FromRawFd, OwnedFd};
use std::path::{Path, PathBuf};

/// The facts.
#[derive(Clone, Debug)]
pub(crate) struct HostChecks {
    /// As `uname -r` tells it.
    pub(crate) release: String,
    /// System calls without which there is no cluster, and what became of trying each.
    pub(crate) calls: Vec<(&'static str, Result<(), Errno>)>,
    /// 0 none, 1 strict, 2 a filter.
    pub(crate) seccomp: u32,
    pub(crate) no_new_privs: bool,
    /// One bit for each effective capability.
    pub(crate) capabilities: u64,
    /// Who may look into a process; `None` without Yama.
    pub(crate) ptrace_scope: Option<u32>,
    pub(crate) unprivileged_bpf_disabled: Option<u32>,
    /// What became of making the smallest map there is.
    pub(crate) bpf: Result<(), Errno>,
    /// Soft and hard limit on descriptors.
    pub(crate) descriptors: (u64, u64),
    /// Processes that this user, and this control group, may have.
    pub(crate) processes: Option<u64>,
    /// CPUs that may be kept busy, and those that there are.
    pub(crate) cpus: (u32, u32),
    /// Bytes that may be had, and those that there are.
    pub(crate) memory: (Option<u64>, Option<u64>),
    /// `net.core.somaxconn`.
    pub(crate) longest_queue: Option<u64>,
    /// The kernel tells how many wait at a listening TCP socket; `None` if there could be none to ask of.
    pub(crate) tells_queue: Option<bool>,
    /// The kernel can be given a program that chooses among workers' sockets, and what it means if it can or cannot.
    pub(crate) steering: (bool, String),
    /// The same of UDP, if a flow can be kept at its worker.
    pub(crate) flows: (bool, String),
    /// Where a control socket would be, or why there is no such place.
    pub(crate) control: Result<PathBuf, String>,
    /// What is preloaded anyway.
    pub(crate) preload: Option<String>,
    /// A seccomp filter could ask this process, or what that lacks.
    pub(crate) filter: Result<(), String>,
}

/// Tried at a port of the loopback that nobody knows.
fn tells_queue() -> Option<bool> {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).ok()?;
    Some(queue_length(listener.as_fd()).is_some())
}

/// What `--dispatch kernel` would be here.
fn steering() -> (bool, String) {
    let best = Best::find();
    (best.level == Level::Program, format!("{}: {}", best.level, best.reason))
}

/// What `--share udp:` would be here.
fn flows() -> (bool, String) {
    let best = datagrams::level::Best::find();
    (best.level == datagrams::level::Level::Program, format!("{}: {}", best.level, best.reason))
}

impl HostChecks {
    /// Those of this process, which is no worker and has no cluster.
    pub(crate) fn read() -> Self {
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        let hex = |name| status_field(&status, name).and_then(|text| u64::from_str_radix(text, 16).ok());
        let number = |name| status_field(&status, name).and_then(|text| text.parse().ok());
        let by_user = getrlimit(Resource::RLIMIT_NPROC).ok().map(|(soft, _)| soft);
        let by_user = by_user.filter(|soft| *soft != libc::RLIM_INFINITY && !Uid::effective().is_root());
        let preload = std::env::var_os("LD_PRELOAD").filter(|value| !value.is_empty());
        Self {
            release: fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default().trim().to_owned(),
            calls: try_calls(),
            seccomp: number("Seccomp:").unwrap_or(0),
            no_new_privs: number("NoNewPrivs:") == Some(1),
            capabilities: hex("CapEff:").unwrap_or(0),
            ptrace_scope: setting("kernel/yama/ptrace_scope").and_then(|scope| scope.try_into().ok()),
            unprivileged_bpf_disabled: setting("kernel/unprivileged_bpf_disabled")
                .and_then(|value| value.try_into().ok()),
            bpf: try_bpf(),
            descriptors: getrlimit(Resource::RLIMIT_NOFILE).unwrap_or((u64::MAX, u64::MAX)),
            processes: by_user.into_iter().chain(memory_share::processes()).min(),
            cpus: (cpus::available(), cpus::online()),
            memory: (memory_share::available(), memory_share::of_machine()),
            longest_queue: setting("net/core/somaxconn"),
            tells_queue: tells_queue(),
            steering: steering(),
            flows: flows(),
            control: control(),
            preload: preload.map(|value| value.to_string_lossy().into_owned()),
            filter: filter_is_there(),
        }
    }
}

fn status_field<'a>(status: &'a str, name: &str) -> Option<&'a str> {
    status.lines().find_map(|line| line.strip_prefix(name)).map(str::trim)
}

fn setting(name: &str) -> Option<u64> {
    fs::read_to_string(Path::new("/proc/sys").join(name)).ok()?.trim().parse().ok()
}

/// The first directory that a control socket could be in; made if it is not there, as a cluster would.
fn control() -> Result<PathBuf, String> {
    let mut tried = Vec::new();
    for home in runtime_dir::homes(Purpose::Control).into_iter().chain(runtime_dir::spares(Purpose::Control))
    {
        match runtime_dir::open_or_make(&home, Purpose::Control, Uid::effective()) {
            Ok(_) => return Ok(home.path),
            Err(why) => tried.push(format!("{:?} ({why})", home.path)),
        }
    }
    Err(tried.join(", "))
}

/// Each is one that an old kernel does not have or a filter may refuse.
fn try_calls() -> Vec<(&'static str, Result<(), Errno>)> {
    let errno = |error: io::Error| Errno::from_raw(error.raw_os_error().unwrap_or(libc::EIO));
    let kind = SockType::SeqPacket;
    // Port 1 of no address.
    let mut nowhere = [0; 16];
    nowhere[..2].copy_from_slice(&INET.to_ne_bytes());
    nowhere[3] = 1;
    let listening =
        || Address::from_raw(&nowhere).map_or(Ok(()), |address| sock_diag::listening_on(&address).map(drop));
    vec![
        ("pidfd_open", pidfd::open(std::process::id()).map(drop).map_err(errno)),
        ("memfd_create", memfd_create(c"clustermon", MFdFlags::MFD_CLOEXEC).map(drop)),
        ("socketpair", socketpair(AddressFamily::Unix, kind, None, SockFlag::SOCK_CLOEXEC).map(drop)),
        ("sock_diag", listening().map_err(errno)),
    ]
}

/// Makes an array of one number and lets go of it.
fn try_bpf() -> Result<(), Errno> {
    const MAP_CREATE: i32 = 0;
    const ARRAY: u32 = 2;
    // `union bpf_attr`: type, size of a key, size of a value, entries, flags.
    let wanted: [u32; 5] = [ARRAY, 4, 4, 1, 0];
    // SAFETY: the kernel reads the array for its size and writes nothing.
    let fd = unsafe { libc::syscall(libc::SYS_bpf, MAP_CREATE, &raw const wanted, size_of_val(&wanted)) };
    let fd = i32::try_from(fd).ok().filter(|fd| *fd >= 0).ok_or_else(Errno::last)?;
    // SAFETY: the kernel has just made it for us.
    drop(unsafe { OwnedFd::from_raw_fd(fd) });
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_this_machine() {
        let facts = HostChecks::read();
        // The tests of this package could not run either.
        for (name, outcome) in &facts.calls {
            assert_eq!(*outcome, Ok(()), "{name}");
        }
        assert!(facts.release.starts_with(|first: char| first.is_ascii_digit()), "{facts:?}");
        assert!(facts.descriptors.0 <= facts.descriptors.1 && facts.descriptors.0 > 2, "{facts:?}");
        assert!(facts.cpus.0 >= 1 && facts.cpus.0 <= facts.cpus.1, "{facts:?}");
        let (may, has) = facts.memory;
        assert!(may.unwrap() <= has.unwrap(), "{facts:?}");
    }

    #[test]
    fn fields_of_the_status() {
        let status =
            "Name:\tx\nCapEff:\t00000000a80425fb\nNoNewPrivs:\t1\nSeccomp:\t2\nSeccomp_filters:\t3\n";
        assert_eq!(status_field(status, "Seccomp:"), Some("2"));
        assert_eq!(status_field(status, "CapEff:"), Some("00000000a80425fb"));
        assert_eq!(status_field(status, "Cap:"), None);
    }
}
