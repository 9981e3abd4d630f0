//! The programs in the kernel, with real datagrams. Where the better one cannot be loaded that is said.

use super::*;
use crate::ids::LaneId;
use crate::io::datagrams::group::Group;
use crate::io::datagrams::level::{Best, Level};
use crate::io::datagrams::socket;
use clustermon_protocol::address::Address;
use std::collections::BTreeMap;
use std::io::Write;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::time::Duration;

/// A program with room for so many flows, or nothing where this process may not load one: then the reason is printed, and it is an error
/// where all must be there.
fn loaded(remembered: u32) -> Option<Best> {
    let error = match Program::with(remembered) {
        Ok(program) => return Some(best(Level::Program, Some(program))),
        Err(error) => error,
    };
    let must = std::env::var_os("CLUSTERMON_REQUIRE_RUNTIMES").is_some();
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("CapEff:")).unwrap();
    // CAP_BPF or CAP_SYS_ADMIN.
    let may_load = u64::from_str_radix(line.trim(), 16).unwrap() & (1 << 39 | 1 << 21) != 0;
    assert!(!(must && may_load), "this process has CAP_BPF: {error}");
    let _ = writeln!(io::stderr(), "skipped: not run in the kernel: {error}");
    None
}

fn best(level: Level, program: Option<Program>) -> Best {
    Best { level, reason: String::new(), program }
}

fn unbound(family: i32) -> UdpSocket {
    // SAFETY: no memory is involved.
    let fd = unsafe { libc::socket(family, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK, 0) };
    // SAFETY: the kernel has just made it for us.
    unsafe { std::os::fd::FromRawFd::from_raw_fd(fd) }
}

/// A group of sockets, all live.
struct Sockets {
    group: Group,
    sockets: Vec<UdpSocket>,
    at: SocketAddr,
}

impl Sockets {
    fn open(best: Best, count: u64, host: &str) -> Self {
        Self::with_grace(best, count, host, Duration::from_secs(3600))
    }

    fn with_grace(best: Best, count: u64, host: &str, grace: Duration) -> Self {
        let free = UdpSocket::bind((host, 0)).unwrap();
        let at = free.local_addr().unwrap();
        drop(free);
        let (address, family) = match at.ip() {
            IpAddr::V4(ip) => (Address::v4(ip, at.port()), libc::AF_INET),
            IpAddr::V6(ip) => (Address::v6(ip, at.port()), libc::AF_INET6),
        };
        let bound = || {
            let socket = unbound(family);
            socket::bind_beside_others(socket.as_fd(), &address, false).unwrap();
            socket
        };
        let first = bound();
        let mut all =
            Self { group: Group::open(address, best, first.as_fd(), grace), sockets: vec![first], at };
        all.sockets.extend((1..count).map(|_| bound()));
        for (name, socket) in all.sockets.iter().enumerate() {
            all.group.join(LaneId(name as u64), socket.as_fd()).unwrap();
        }
        all.steer(&(0..count).collect::<Vec<_>>());
        all
    }

    fn steer(&mut self, live: &[u64]) {
        let live: Vec<LaneId> = live.iter().map(|name| LaneId(*name)).collect();
        self.group.steer(&live, self.sockets.first().map(AsFd::as_fd)).unwrap();
    }

    /// Each client sends one datagram: by which socket it has come, for each.
    fn send(&self, clients: &[UdpSocket]) -> Vec<usize> {
        for client in clients {
            client.send_to(b"hello", self.at).unwrap();
        }
        let mut came: BTreeMap<u16, usize> = BTreeMap::new();
        for (place, socket) in self.sockets.iter().enumerate() {
            while let Ok((_, from)) = socket.recv_from(&mut [0; 8]) {
                assert_eq!(came.insert(from.port(), place), None, "one datagram of each");
            }
        }
        clients.iter().map(|client| came[&client.local_addr().unwrap().port()]).collect()
    }
}

fn clients(host: &str, count: usize) -> Vec<UdpSocket> {
    (0..count).map(|_| UdpSocket::bind((host, 0)).unwrap()).collect()
}

fn counts(came: &[usize]) -> BTreeMap<usize, usize> {
    let mut counts = BTreeMap::new();
    came.iter().for_each(|place| *counts.entry(*place).or_default() += 1);
    counts
}

#[test]
fn known_flows_stay_and_new_ones_go_to_the_live() {
    for host in ["127.0.0.1", "::1"] {
        let Some(best) = loaded(REMEMBERED) else { return };
        let mut all = Sockets::open(best, 4, host);
        let known = clients(host, 200);
        let first = all.send(&known);
        assert_eq!(counts(&first).len(), 4, "{first:?}");
        // One that comes changes nothing for them, nor do those that leave the live ones.
        all.steer(&[1, 3]);
        assert_eq!(all.send(&known), first);
        let new = clients(host, 200);
        let second = counts(&all.send(&new));
        assert_eq!(second.keys().copied().collect::<Vec<_>>(), [1, 3], "{second:?}");
        let given: Vec<_> = (0..4).map(|name| all.group.given(LaneId(name)).unwrap()).collect();
        assert_eq!(given.iter().map(|(datagrams, _)| datagrams).sum::<u64>(), 600);
        assert_eq!(given.iter().map(|(_, flows)| flows).sum::<u64>(), 400);
    }
}

#[test]
fn where_nothing_new_comes_flows_that_were_silent_are_over() {
    let Some(best) = loaded(REMEMBERED) else { return };
    // Any silence is long enough.
    let mut all = Sockets::with_grace(best, 3, "127.0.0.1", Duration::ZERO);
    let known = clients("127.0.0.1", 120);
    let first = all.send(&known);
    assert_eq!(all.send(&known), first, "at live ones they stay");
    all.steer(&[0, 1]);
    let second = all.send(&known);
    assert!(first.contains(&2) && !second.contains(&2));
    let kept = |(before, after): (&usize, &usize)| *before == 2 || before == after;
    assert!(std::iter::zip(&first, &second).all(kept));
}

#[test]
fn flows_that_are_given_up_go_to_the_live_and_stay_there() {
    let Some(best) = loaded(REMEMBERED) else { return };
    let mut all = Sockets::open(best, 3, "127.0.0.1");
    let known = clients("127.0.0.1", 120);
    let first = all.send(&known);
    all.steer(&[0, 1]);
    all.group.give_up_flows(LaneId(2));
    let second = all.send(&known);
    assert!(!second.contains(&2));
    let others = std::iter::zip(&first, &second).filter(|(before, _)| **before != 2);
    assert!(others.clone().count() > 0 && others.into_iter().all(|(before, after)| before == after));
    // Whoever has the slot next has none of them.
    all.group.leave(LaneId(2));
    let socket = all.sockets.remove(2);
    all.group.join(LaneId(5), socket.as_fd()).unwrap();
    all.sockets.push(socket);
    all.steer(&[0, 1, 5]);
    assert_eq!(all.send(&known), second);
}

#[test]
fn a_flow_that_was_forgotten_goes_to_the_same_one_while_the_same_are_live() {
    let Some(best) = loaded(64) else { return };
    let all = Sockets::open(best, 4, "127.0.0.1");
    let known = clients("127.0.0.1", 20);
    let first = all.send(&known);
    // Far more than there is room for.
    all.send(&clients("127.0.0.1", 800));
    assert_eq!(all.send(&known), first);
}

#[test]
fn both_versions_of_ip_at_one_socket_are_flows_of_their_own() {
    let Some(best) = loaded(REMEMBERED) else { return };
    let mut all = Sockets::open(best, 2, "::");
    all.at = SocketAddr::new("127.0.0.1".parse().unwrap(), all.at.port());
    let four = clients("127.0.0.1", 50);
    let first = all.send(&four);
    assert_eq!(counts(&first).len(), 2);
    all.at = SocketAddr::new("::1".parse().unwrap(), all.at.port());
    all.steer(&[1]);
    assert!(all.send(&clients("::1", 50)).iter().all(|place| *place == 1));
    all.at = SocketAddr::new("127.0.0.1".parse().unwrap(), all.at.port());
    assert_eq!(all.send(&four), first);
}

#[test]
fn a_socket_that_is_closed_takes_no_flow_with_it() {
    let Some(best) = loaded(REMEMBERED) else { return };
    let mut all = Sockets::open(best, 2, "127.0.0.1");
    let known = clients("127.0.0.1", 50);
    let first = all.send(&known);
    assert_eq!(counts(&first).len(), 2);
    all.steer(&[1]);
    all.group.leave(LaneId(0));
    let closed = all.sockets.remove(0);
    drop(closed);
    assert!(all.send(&known).iter().all(|place| *place == 0), "the other is the first now");
}

#[test]
fn by_hash_only_live_ones_are_chosen_whoever_has_gone() {
    for host in ["127.0.0.1", "::1"] {
        let mut all = Sockets::open(best(Level::Classic, None), 4, host);
        let known = clients(host, 200);
        let first = all.send(&known);
        let shares = counts(&first);
        // Each has 50 by right; fewer than 15 come of one run in 10^9.
        assert!(shares.len() == 4 && shares.values().all(|count| *count >= 15), "{shares:?}");
        assert_eq!(all.send(&known), first, "a flow goes to the same one");
        all.steer(&[0, 2, 3]);
        assert!(!all.send(&known).contains(&1));
        // The kernel puts the last in the place of the one that goes.
        all.group.leave(LaneId(0));
        drop(all.sockets.remove(0));
        all.steer(&[1, 3]);
        let seen = counts(&all.send(&known));
        assert_eq!(seen.keys().copied().collect::<Vec<_>>(), [0, 2], "the second and the last");
    }
}

#[test]
fn without_either_the_kernel_chooses_among_all() {
    let mut all = Sockets::open(best(Level::Kernel, None), 3, "127.0.0.1");
    assert!(!all.group.can_leave_out());
    all.steer(&[0]);
    assert_eq!(counts(&all.send(&clients("127.0.0.1", 200))).len(), 3);
}
