//! Finds a process of a worker that listens without the preloaded library: the cluster sees nothing of its sockets. It reads
//! /proc and the kernel's tables of sockets. What cannot be read is taken neither for absent nor for present, and it is said.

use super::sock_diag;
use crate::io::process::descriptor_table::{self, Reading};
use crate::io::process::process_tree::ProcessTree;
use clustermon_protocol::address::Address;
use clustermon_protocol::rules;
use std::collections::{HashMap, HashSet};
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Seek};
use std::os::unix::ffi::OsStrExt;

/// Addresses that are named of one process.
const NAMED: usize = 4;

/// The processes of one worker, and what it takes to judge them.
#[derive(Clone, Debug)]
pub(crate) struct Suspects {
    /// The processes to begin with; their groups and descendants are looked at too.
    pub(crate) pids: Vec<u32>,
    /// As the library reads them: what is private need not come to the cluster.
    pub(crate) rules: String,
    /// The file name of the library.
    pub(crate) library: OsString,
}

/// A process that listens without the library.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct UnmanagedListener {
    pub(crate) pid: u32,
    /// Not private, in order, and no more than a few.
    pub(crate) addresses: Vec<String>,
}

/// What one look found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ListenerLook {
    Unmanaged(UnmanagedListener),
    /// Every process could be seen, and none is like this.
    Nobody,
    /// Some process or some table could not be read.
    Unknown,
}

/// Looks for the first of these processes that listens without the library where connections should come to the cluster. A
/// socket that a process with the library or this one has too was handed on, and is no fault.
pub(crate) fn find(suspects: &Suspects) -> ListenerLook {
    let table = ProcessTree::read();
    let mut pids: Vec<u32> = table.family(&suspects.pids).into_iter().collect();
    pids.sort_unstable();
    let all = Processes { pids, complete: table.is_complete };
    judge(&all, |pid| has_library(pid, suspects), sockets, || listeners(&suspects.rules))
}

/// The processes of a worker.
struct Processes {
    /// In order.
    pids: Vec<u32>,
    /// None was left out.
    complete: bool,
}

/// The same, by what is seen of each process; `None` is what cannot be seen.
fn judge(
    processes: &Processes,
    has_library: impl Fn(u32) -> Option<bool>,
    sockets: impl Fn(u32) -> Option<HashSet<u64>>,
    listeners: impl FnOnce() -> io::Result<HashMap<u64, Address>>,
) -> ListenerLook {
    let me = std::process::id();
    let others = processes.pids.iter().copied().filter(|pid| *pid != me);
    let (mut covered, lacking): (Vec<u32>, Vec<u32>) =
        others.partition(|pid| has_library(*pid) == Some(true));
    covered.push(me);
    let mut sure = processes.complete;
    if lacking.is_empty() && sure {
        return ListenerLook::Nobody;
    }
    let Ok(mut listeners) = listeners() else { return ListenerLook::Unknown };
    for pid in covered {
        let Some(inodes) = sockets(pid) else { return ListenerLook::Unknown };
        listeners.retain(|inode, _| !inodes.contains(inode));
    }
    if listeners.is_empty() {
        return ListenerLook::Nobody;
    }
    for pid in lacking {
        let Some(inodes) = sockets(pid) else {
            sure = false;
            continue;
        };
        let mut addresses: Vec<String> =
            inodes.iter().filter_map(|inode| Some(listeners.get(inode)?.to_string())).collect();
        if addresses.is_empty() {
            continue;
        }
        addresses.sort_unstable();
        addresses.truncate(NAMED);
        // It may have executed another program meanwhile, or have done so just before it was first looked at.
        match has_library(pid) {
            Some(false) => return ListenerLook::Unmanaged(UnmanagedListener { pid, addresses }),
            Some(true) => {}
            None => sure = false,
        }
    }
    if sure { ListenerLook::Nobody } else { ListenerLook::Unknown }
}

/// The sockets that the process has open, by inode; `None` if they cannot be seen.
fn sockets(pid: u32) -> Option<HashSet<u64>> {
    let mut inodes = HashSet::new();
    let read = descriptor_table::each_socket(pid, |_, inode| {
        inodes.insert(inode);
        true
    });
    matches!(read, Ok(Reading::Complete | Reading::Ended)).then_some(inodes)
}

/// Whether the library is in the process; `None` if that cannot be seen, as of one that has ended.
fn has_library(pid: u32, suspects: &Suspects) -> Option<bool> {
    let maps = BufReader::new(File::open(format!("/proc/{pid}/maps")).ok()?);
    is_named(maps, &[suspects.library.as_bytes(), b"libclustermon_thunk"])
}

/// Whether a line of this list of mappings names a file like one of these; `None` if that is not known. The kernel gives the
/// list a page at a time, and ends it when the process executes another program or ends: then it is empty from the start.
fn is_named(mut maps: impl BufRead + Seek, names: &[&[u8]]) -> Option<bool> {
    let mut line = Vec::new();
    while maps.read_until(b'\n', &mut line).ok()? > 0 {
        let file = line.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
        if line.contains(&b'/') && names.iter().any(|name| !name.is_empty() && file.starts_with(name)) {
            return Some(true);
        }
        line.clear();
    }
    maps.rewind().ok()?;
    let was_complete = !maps.fill_buf().ok()?.is_empty();
    was_complete.then_some(false)
}

/// The sockets of this machine that listen where connections should come to the cluster, by inode.
fn listeners(rules: &str) -> io::Result<HashMap<u64, Address>> {
    let mut found = HashMap::new();
    let mut visit = |address: Address, inode| {
        if rules::shared(rules, &address, address.path().unwrap_or_default()) {
            found.insert(inode, address);
        }
    };
    sock_diag::each_listener(&mut visit)?;
    sock_diag::unix::each_listener(&mut visit)?;
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::kernel::sockopt::own_address;
    use std::io::{Cursor, Read, SeekFrom};
    use std::net::TcpListener;
    use std::os::fd::AsFd;
    use std::os::unix::net::UnixListener;

    /// The mappings of a process that executes another program after a part was read.
    struct EndsMidway {
        left: &'static [u8],
    }

    impl Read for EndsMidway {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            self.left.read(buffer)
        }
    }

    impl Seek for EndsMidway {
        fn seek(&mut self, _: SeekFrom) -> io::Result<u64> {
            Ok(0)
        }
    }

    #[test]
    fn a_list_of_mappings_names_its_files() {
        let names: [&[u8]; 2] = [b"own.so", b"libclustermon_thunk"];
        let named = |maps: &str| is_named(Cursor::new(maps), &names);
        assert_eq!(named("7f-8f r-xp 0 08:01 7 /tmp/a b/libclustermon_thunk-01.so (deleted)\n"), Some(true));
        assert_eq!(named("1-2 r-xp 0 08:01 7 /bin/x\n7f-8f r-xp 0 08:01 7 /opt/own.so\n"), Some(true));
        assert_eq!(
            named("7f-8f r-xp 0 08:01 7 /tmp/libclustermon_thunk.d/x\n1-2 rw-p 0 0:0 0 [heap]"),
            Some(false)
        );
        assert_eq!(named(""), None, "one that has ended has none");
        let cut = BufReader::new(EndsMidway { left: b"1-2 r-xp 0 08:01 7 /bin/x\n" });
        assert_eq!(is_named(cut, &names), None, "what comes after is not known");
        let of = |library: &str| Suspects { pids: Vec::new(), rules: String::new(), library: library.into() };
        assert_eq!(has_library(u32::MAX, &of("x.so")), None);
        assert_eq!(has_library(std::process::id(), &of("no such library")), Some(false));
    }

    #[test]
    fn listeners_are_found_unless_they_are_private() {
        let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
        let path = std::env::temp_dir().join(format!("clustermon uncovered {}.sock", std::process::id()));
        let unix = UnixListener::bind(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        for socket in [tcp.as_fd(), unix.as_fd()] {
            let inode = nix::sys::stat::fstat(socket).unwrap().st_ino;
            let address = own_address(socket).unwrap();
            assert_eq!(listeners("").unwrap().get(&inode), Some(&address));
            assert_eq!(listeners(&format!("-{address}")).unwrap().get(&inode), None);
        }
    }

    #[test]
    fn who_handed_a_socket_on_is_not_accused_of_it() {
        let _socket = TcpListener::bind("127.0.0.1:0").unwrap();
        let pids = vec![std::process::id()];
        // The library is not in this process, and it listens: but it is the one that looks.
        assert_eq!(
            find(&Suspects { pids, rules: String::new(), library: "none".into() }),
            ListenerLook::Nobody
        );
    }

    #[test]
    fn what_cannot_be_seen_is_neither_absent_nor_present() {
        let address = Address::v4(std::net::Ipv4Addr::LOCALHOST, 80);
        let listening = || Ok(HashMap::from([(7, address)]));
        // 1 has the library and 2 has not; of 3 that cannot be seen.
        let library = |pid| [None, Some(true), Some(false), None][pid as usize];
        let all = |pids: &[u32]| Processes { pids: pids.to_vec(), complete: true };
        let none = |_| Some(HashSet::new());
        let has = |who: u32| move |pid| Some(HashSet::from_iter((pid == who).then_some(7)));
        let hides = |who: u32| move |pid| (pid != who).then(|| HashSet::from_iter((pid == 2).then_some(7)));
        let found =
            ListenerLook::Unmanaged(UnmanagedListener { pid: 2, addresses: vec![address.to_string()] });

        assert_eq!(judge(&all(&[1, 2]), library, has(2), listening), found);
        assert_eq!(judge(&all(&[1, 2, 3]), library, hides(3), listening), found, "whatever 3 is");
        assert_eq!(judge(&all(&[1, 2, 3]), library, none, listening), ListenerLook::Nobody);
        assert_eq!(judge(&all(&[1, 2]), library, has(1), listening), ListenerLook::Nobody);
        assert_eq!(judge(&all(&[1]), library, |_| None, listening), ListenerLook::Nobody, "nobody lacks it");
        assert_eq!(
            judge(&all(&[2, 3]), library, |_| Some(HashSet::new()), || Ok(HashMap::new())),
            ListenerLook::Nobody
        );

        assert_eq!(
            judge(&all(&[1, 3]), library, has(3), listening),
            ListenerLook::Unknown,
            "it may have the library"
        );
        assert_eq!(judge(&all(&[1, 3]), library, hides(3), listening), ListenerLook::Unknown);
        assert_eq!(
            judge(&all(&[1, 2]), library, hides(1), listening),
            ListenerLook::Unknown,
            "1 may have handed it on"
        );
        let interrupted = || Err(io::Error::from_raw_os_error(libc::EINTR));
        assert_eq!(judge(&all(&[1, 2]), library, has(2), interrupted), ListenerLook::Unknown);
        let lacks = Processes { pids: vec![1], complete: false };
        assert_eq!(judge(&lacks, library, none, listening), ListenerLook::Unknown);
    }
}
