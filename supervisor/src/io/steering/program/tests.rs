//! The program in the kernel, with real connections. Where it cannot be loaded that is said.

use super::*;
use crate::ids::LaneId;
use crate::io::kernel::sockopt::queue_length;
use crate::io::steering::group::Group;
use crate::io::steering::level::{Best, Level};
use clustermon_protocol::pulse::{ACCEPTED_AT, STATE_AT, WAITING};
use nix::sys::socket::{AddressFamily, SockFlag, SockType, socket, sockopt as options};
use std::io::Write;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::IntoRawFd;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

/// A program, or nothing where this process may not load one: then the reason is printed, and it is an error where all must be there.
fn loaded() -> Option<Best> {
    let best = Best::find();
    if best.level == Level::Program {
        return Some(best);
    }
    let must = std::env::var_os("CLUSTERMON_REQUIRE_RUNTIMES").is_some();
    assert!(!(must && may_load()), "this process has CAP_BPF: {}", best.reason);
    skipped(&format!("not run in the kernel: {}", best.reason));
    None
}

/// Says why a test has seen nothing.
fn skipped(why: &str) {
    let _ = writeln!(io::stderr(), "skipped: {why}");
}

/// It has CAP_BPF or CAP_SYS_ADMIN.
fn may_load() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("CapEff:")).unwrap();
    let capabilities = u64::from_str_radix(line.trim(), 16).unwrap();
    capabilities & (1 << 39 | 1 << 21) != 0
}

fn bound(at: SocketAddr) -> TcpListener {
    let socket = socket(AddressFamily::Inet, SockType::Stream, SockFlag::SOCK_CLOEXEC, None).unwrap();
    nix::sys::socket::setsockopt(&socket, options::ReusePort, &true).unwrap();
    let SocketAddr::V4(at) = at else { unreachable!("only IPv4 is used here") };
    nix::sys::socket::bind(socket.as_raw_fd(), &nix::sys::socket::SockaddrIn::from(at)).unwrap();
    crate::io::kernel::sockopt::listen(socket.as_fd(), 1024).unwrap();
    // SAFETY: it was made above and is given away here.
    unsafe { std::os::fd::FromRawFd::from_raw_fd(socket.into_raw_fd()) }
}

/// A group of so many sockets, all live, with what was found to steer it.
fn group(best: Best, count: u64) -> (Group, Vec<TcpListener>, SocketAddr) {
    let first = bound("127.0.0.1:0".parse().unwrap());
    let at = first.local_addr().unwrap();
    let mut group = Group::open(best, first.as_fd());
    let mut sockets = vec![first];
    sockets.extend((1..count).map(|_| bound(at)));
    for (name, socket) in sockets.iter().enumerate() {
        group.join(LaneId(name as u64), socket.as_fd()).unwrap();
    }
    steer(&mut group, &sockets, &(0..count).collect::<Vec<_>>());
    (group, sockets, at)
}

fn steer(group: &mut Group, sockets: &[TcpListener], live: &[u64]) {
    let live: Vec<LaneId> = live.iter().map(|name| LaneId(*name)).collect();
    let socket = sockets.iter().find(|socket| queue_length(socket.as_fd()).is_some());
    group.steer(&live, socket.map(AsFd::as_fd)).unwrap();
}

fn lengths(sockets: &[TcpListener]) -> Vec<u32> {
    sockets.iter().map(|socket| queue_length(socket.as_fd()).unwrap_or(0)).collect()
}

fn connect(at: SocketAddr, count: usize) -> Vec<TcpStream> {
    (0..count).map(|_| TcpStream::connect(at).unwrap()).collect()
}

#[test]
fn rotation_is_exact_and_a_store_changes_it() {
    let Some(best) = loaded() else { return };
    let (mut group, sockets, at) = group(best, 4);
    let first = connect(at, 400);
    assert_eq!(lengths(&sockets), [100; 4]);
    assert_eq!((0..4).map(|name| group.given(LaneId(name)).unwrap()).collect::<Vec<_>>(), [100; 4]);
    steer(&mut group, &sockets, &[0, 1, 3]);
    let second = connect(at, 300);
    assert_eq!(lengths(&sockets), [200, 200, 100, 200]);
    drop((first, second));
}

#[test]
fn what_waits_at_a_socket_that_closes_goes_to_live_ones_alone() {
    let Some(best) = loaded() else { return };
    let (mut group, sockets, at) = group(best, 4);
    if !group.migrates() {
        skipped("this kernel moves no queue");
        return;
    }
    let clients = connect(at, 120);
    steer(&mut group, &sockets, &[1, 3]);
    // SAFETY: no memory is involved.
    assert_eq!(unsafe { libc::shutdown(sockets[0].as_raw_fd(), libc::SHUT_RD) }, 0);
    group.leave(LaneId(0));
    assert_eq!(lengths(&sockets), [0, 45, 30, 45], "nobody is live at the third");
    for client in clients {
        client.set_nonblocking(true).unwrap();
        let error = client.peek(&mut [0; 1]).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::WouldBlock, "no client was reset");
    }
}

#[test]
fn a_socket_that_listens_again_has_its_slot_again() {
    let Some(best) = loaded() else { return };
    let (mut group, sockets, at) = group(best, 2);
    // SAFETY: no memory is involved.
    assert_eq!(unsafe { libc::shutdown(sockets[1].as_raw_fd(), libc::SHUT_RD) }, 0);
    crate::io::kernel::sockopt::listen(sockets[1].as_fd(), 64).unwrap();
    group.rejoin(LaneId(1), sockets[1].as_fd()).unwrap();
    let clients = connect(at, 20);
    assert_eq!(lengths(&sockets), [10, 10]);
    drop(clients);
}

#[test]
fn a_closed_address_refuses_at_once() {
    let Some(best) = loaded() else { return };
    let (group, sockets, at) = group(best, 2);
    assert!(group.refuse(true));
    let error = TcpStream::connect(at).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
    group.refuse(false);
    let clients = connect(at, 2);
    assert_eq!(lengths(&sockets), [1, 1]);
    drop(clients);
}

#[test]
fn at_random_only_live_ones_are_chosen_whoever_has_gone() {
    let best = Best { level: Level::Classic, reason: String::new(), program: None };
    let (mut group, mut sockets, at) = group(best, 4);
    steer(&mut group, &sockets, &[0, 2, 3]);
    let clients = connect(at, 200);
    let found = lengths(&sockets);
    assert_eq!((found[1], found.iter().sum::<u32>()), (0, 200));
    // Each has at least one but for one run in 10^35.
    assert!([0, 2, 3].iter().all(|place| found[*place] > 0), "{found:?}");
    drop(clients);
    // The kernel puts the last in the place of the one that goes.
    drop(sockets.remove(0));
    group.leave(LaneId(0));
    steer(&mut group, &sockets, &[1, 3]);
    let before = lengths(&sockets);
    let clients = connect(at, 100);
    let after = lengths(&sockets);
    assert_eq!(after[1], before[1], "the socket that is not live got some: {before:?} {after:?}");
    assert_eq!(after.iter().sum::<u32>(), before.iter().sum::<u32>() + 100);
    drop(clients);
}

/// A page in which a thread of a worker writes at this place.
struct Worker {
    page: crate::io::kernel::memory::Memory,
}

const PLACE: usize = 64;

impl Worker {
    fn new() -> Self {
        let size = std::num::NonZeroUsize::new(clustermon_protocol::pulse::SIZE).unwrap();
        Self { page: crate::io::kernel::memory::Memory::map(Pulse::map().unwrap(), size).unwrap() }
    }

    fn is(&self, state: u32) {
        // SAFETY: an atomic number is valid for any bytes.
        let word: &AtomicU32 = unsafe { self.page.at(PLACE + STATE_AT) }.unwrap();
        word.store(state, Ordering::Relaxed);
    }

    fn accepts(&self, count: u64) {
        // SAFETY: as above.
        let number: &AtomicU64 = unsafe { self.page.at(PLACE + ACCEPTED_AT) }.unwrap();
        number.fetch_add(count, Ordering::Relaxed);
    }
}

#[test]
fn idle_workers_come_first_and_then_those_for_which_the_fewest_wait() {
    let Some(best) = loaded() else { return };
    let (group, sockets, at) = group(best, 4);
    let workers: Vec<Worker> = (0..4).map(|_| Worker::new()).collect();
    for (name, worker) in workers.iter().enumerate() {
        worker.is(WAITING);
        assert!(group.watch(LaneId(name as u64), Some(worker.page.as_fd())));
        group.see(LaneId(name as u64), PLACE as u32, 0);
    }
    let mut clients = connect(at, 4);
    assert_eq!(lengths(&sockets), [1; 4], "all are idle: by turns");
    clients.extend(connect(at, 8));
    assert_eq!(lengths(&sockets), [3; 4], "as many wait for each");
    workers[2].accepts(3);
    clients.extend(connect(at, 3));
    assert_eq!(lengths(&sockets), [3, 3, 6, 3], "what it has accepted does not wait for it");
    workers.iter().for_each(|worker| worker.accepts(3));
    workers[1].is(WAITING + 1);
    clients.extend(connect(at, 3));
    assert_eq!(lengths(&sockets), [4, 3, 7, 4], "one runs, and the three others wait");
    group.see(LaneId(1), PLACE as u32, 3);
    drop(clients);
}

#[test]
fn garbage_in_a_page_is_harmless() {
    let Some(best) = loaded() else { return };
    let (group, sockets, at) = group(best, 2);
    let worker = Worker::new();
    for offset in (0..clustermon_protocol::pulse::SIZE).step_by(4) {
        // SAFETY: an atomic number is valid for any bytes.
        let word: &AtomicU32 = unsafe { worker.page.at(offset) }.unwrap();
        word.store(u32::MAX, Ordering::Relaxed);
    }
    group.watch(LaneId(0), Some(worker.page.as_fd()));
    for place in [1, 64, 4032, u32::MAX] {
        group.see(LaneId(0), place, 7);
        let before: u32 = lengths(&sockets).iter().sum();
        let clients = connect(at, 10);
        assert_eq!(lengths(&sockets).iter().sum::<u32>(), before + 10);
        drop(clients);
    }
}
