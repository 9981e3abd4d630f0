//! Which processes hold an address that a worker cannot have: by the sockets that the kernel tells of and the descriptors
//! that processes show. For the failure alone: it reads much of /proc, though never more than a bound. It asks no process.

mod left;

pub(crate) use self::left::Left;

use super::sock_diag;
use crate::io::output::plain::Plain;
use crate::io::process::descriptor_table;
use clustermon_protocol::address::Address;
use std::fmt;
use std::fs;

/// Sockets that are looked at, of all processes: some tens of milliseconds.
const BUDGET: usize = 5_000;
/// Processes that are looked at.
const PROCESSES: usize = 2_000;
/// Of so many it is read what they are.
const MOST: usize = 64;

/// Who holds an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum PortOwner {
    /// These do, the one with the lowest number first.
    Processes(Process, Vec<Process>),
    /// Somebody does; who, the system does not tell us, or not soon enough.
    Unseen,
    /// Nobody listens there: it is bound, or was a moment ago.
    Nobody,
}

/// One of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Process {
    pub(crate) pid: u32,
    name: String,
}

impl fmt::Display for PortOwner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Processes(Process { pid, name }, _) => write!(f, "{name}, pid {pid}"),
            Self::Unseen => f.write_str("one that cannot be seen"),
            Self::Nobody => f.write_str("one that does not listen"),
        }
    }
}

impl PortOwner {
    /// What a cluster whose supervisor is gone has left, if these processes are that.
    pub(crate) fn left(&self) -> Option<Left> {
        let Self::Processes(first, others) = self else { return None };
        Left::of(std::iter::once(first).chain(others).map(|process| process.pid))
    }
}

/// Looks who listens where a worker wanted to, or on so much that it is included.
pub(crate) fn of(address: &Address) -> PortOwner {
    let inodes = if address.port().is_none() {
        let table = fs::read("/proc/net/unix").unwrap_or_default();
        unix_listeners(&String::from_utf8_lossy(&table), &address.to_string())
    } else {
        match sock_diag::holding(address) {
            Ok(inodes) => inodes,
            Err(_) => return PortOwner::Unseen,
        }
    };
    if inodes.is_empty() { PortOwner::Nobody } else { owners(&inodes) }
}

/// The processes that show one of these sockets.
pub(crate) fn owners(inodes: &[u64]) -> PortOwner {
    let mut left = BUDGET;
    let mut found = Vec::new();
    for pid in processes().take(PROCESSES) {
        let mut holds = false;
        // Who hides what it has is not asked again.
        let _ = descriptor_table::each_socket(pid, |_, inode| {
            left = left.saturating_sub(1);
            holds |= inodes.contains(&inode);
            !holds && left > 0
        });
        if holds {
            let name = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
            found.push(Process { pid, name: shown(&name) });
        }
        if left == 0 || found.len() == MOST {
            break;
        }
    }
    let mut found = found.into_iter();
    found.next().map_or(PortOwner::Unseen, |first| PortOwner::Processes(first, found.collect()))
}

fn processes() -> impl Iterator<Item = u32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

/// A process names itself as it likes.
fn shown(name: &str) -> String {
    let name = name.trim_end();
    if name.is_empty() { "a process".to_owned() } else { Plain(name).to_string() }
}

/// Inodes of the listening unix sockets of this name, by the kernel's table: address, references, protocol, flags, type,
/// state, inode, name.
fn unix_listeners(table: &str, name: &str) -> Vec<u64> {
    const LISTENS: &str = "00010000";
    let inode = |line: &str| {
        let mut fields = [""; 7];
        let mut rest = line;
        for field in &mut fields {
            (*field, rest) = rest.trim_start().split_once(' ')?;
        }
        (fields[3] == LISTENS && rest == name).then(|| fields[6].parse().ok())?
    };
    table.lines().skip(1).filter_map(inode).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::kernel::sockopt::own_address;
    use std::net::TcpListener;
    use std::os::fd::AsFd;
    use std::os::unix::net::UnixListener;

    /// This process, once none that another test has just forked holds it too.
    fn is_mine(address: &Address) -> bool {
        let me = std::process::id();
        (0..1_000).any(|_| matches!(of(address), PortOwner::Processes(Process { pid, .. }, _) if pid == me))
    }

    #[test]
    fn finds_who_listens_on_an_address_or_on_all() {
        for bound in ["127.0.0.1:0", "0.0.0.0:0", "[::1]:0", "[::]:0"] {
            let Ok(socket) = TcpListener::bind(bound) else { continue };
            let address = own_address(socket.as_fd()).unwrap();
            assert!(is_mine(&address), "{bound}: {}", of(&address));
            if bound == "0.0.0.0:0" {
                let one = TcpListener::bind("127.0.0.1:0").unwrap();
                let part = own_address(one.as_fd()).unwrap().with_port(address.port().unwrap());
                assert!(is_mine(&part), "{}", of(&part));
            }
        }
        // tcpmux; nobody has used it for decades.
        let unused = Address::v4(std::net::Ipv4Addr::LOCALHOST, 1);
        assert_eq!(of(&unused), PortOwner::Nobody);
    }

    #[test]
    fn finds_who_listens_on_a_path() {
        let path = std::env::temp_dir().join(format!("clustermon holder {}.sock", std::process::id()));
        let socket = UnixListener::bind(&path).unwrap();
        let address = own_address(socket.as_fd()).unwrap();
        assert!(is_mine(&address), "{}", of(&address));
        fs::remove_file(&path).unwrap();
        let other = Address::from_raw(&[address.as_bytes(), b"x"].concat()).unwrap();
        assert_eq!(of(&other), PortOwner::Nobody);
    }

    #[test]
    fn a_table_is_read_by_its_columns() {
        let table = "Num RefCount Protocol Flags Type St Inode Path\n\
            0: 00000002 00000000 00010000 0001 01 7 /run/a b\n0: 00000002 00000000 00000000 0001 03 8 /run/a b\n\
            0: 00000002 00000000 00010000 0001 01 9 @x\nrubbish\n0: 00000002 00000000 00010000 0001 01 10\n";
        assert_eq!(unix_listeners(table, "/run/a b"), [7]);
        assert_eq!(unix_listeners(table, "@x"), [9]);
        assert!(unix_listeners(table, "b").is_empty());
    }

    #[test]
    fn names_are_made_plain() {
        assert_eq!((shown("a\x1b[1m b\n").as_str(), shown("\n").as_str()), ("a\\u{1b}[1m b", "a process"));
    }
}
