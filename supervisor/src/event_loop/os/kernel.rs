//! The operating system as it is: each call goes to the room of `io/` that makes it. It keeps nothing.

use super::Os;
use crate::ids::BalancerId;
use crate::io::drain::idle_detector::IdleDetector;
use crate::io::hook_commands::runner::HookRunner;
use crate::io::kernel::foreign::Foreign;
use crate::io::kernel::sockopt::queue_length;
use crate::io::kernel::{descriptors, pidfd, random};
use crate::io::lanes::lane::{self, Holder, Lane};
use crate::io::lanes::lane_owner_probe::LaneOwnerProbe;
use crate::io::lanes::pulse::monotonic;
use crate::io::lanes::thunk_socket::Asked;
use crate::io::lanes::trigger::Known;
use crate::io::launch::process_calls::{Ended, KernelProcesses, ProcessCalls};
use crate::io::launch::spawn::{Spawned, Start, Template};
use crate::io::launch::thunk_file::Thunk;
use crate::io::machine::{time_zone, wall_clock};
use crate::io::privileges::view::Onlooker;
use crate::io::process::procfs::{self, Spent, Thread};
use crate::io::process::suspended::{self, Suspension};
use crate::io::sockets::listener::{Connection, Facts, Listener};
use crate::io::sockets::reach::Reach;
use crate::io::sockets::{sock_diag, syn_filter};
use crate::settings::Zone;
use clustermon_protocol::address::Address;
use clustermon_protocol::message::Token;
use clustermon_protocol::release::Ticket;
use mio::{Events, Poll, Waker};
use nix::sys::signal::Signal;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The kernel of this machine.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::event_loop) struct Kernel;

impl ProcessCalls for Kernel {
    fn send(&self, pid: u32, pidfd: &OwnedFd, signal: Signal) {
        KernelProcesses.send(pid, pidfd, signal);
    }

    fn send_to_group(&self, group: u32, signal: Signal) {
        KernelProcesses.send_to_group(group, signal);
    }

    fn end_of(&self, pid: u32, pidfd: &OwnedFd, reap: bool) -> io::Result<Option<Ended>> {
        KernelProcesses.end_of(pid, pidfd, reap)
    }
}

impl Os for Kernel {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the clock")]
    fn now(&self) -> Instant {
        Instant::now()
    }

    fn wall_time(&self) -> u64 {
        wall_clock::now()
    }

    fn zone(&self) -> Result<Zone, String> {
        time_zone::local()
    }

    fn monotonic(&self) -> u64 {
        monotonic()
    }

    fn wait(&mut self, poll: &mut Poll, events: &mut Events, timeout: Option<Duration>) -> io::Result<()> {
        poll.poll(events, timeout)
    }

    fn random(&mut self) -> io::Result<u64> {
        random::number()
    }

    fn token(&mut self) -> io::Result<Token> {
        random::bytes()
    }

    fn lane_owner_probe(&mut self, waker: Arc<Waker>, onlooker: Onlooker) -> io::Result<LaneOwnerProbe> {
        LaneOwnerProbe::start(waker, onlooker)
    }

    fn idle_detector(&mut self, waker: Arc<Waker>, onlooker: Onlooker) -> io::Result<IdleDetector> {
        IdleDetector::start(waker, onlooker)
    }

    fn hook_runner(&mut self, waker: Arc<Waker>) -> HookRunner {
        HookRunner::new(waker)
    }

    fn library<'a>(&self, thunk: &'a mut Thunk) -> io::Result<&'a Path> {
        thunk.ensure()
    }

    fn spawn(&mut self, library: Option<&Path>, start: Start<'_>) -> io::Result<Spawned> {
        Template::spawn(library, start)
    }

    fn is_there(&self, pid: u32) -> bool {
        pidfd::is_there(pid)
    }

    fn suspension(&self, _: u32, pidfd: &OwnedFd) -> Option<Suspension> {
        suspended::news(pidfd)
    }

    fn asker(&self, asked: &Asked) -> (u32, u32) {
        (asked.pid, asked.uid)
    }

    fn facts(&self, socket: &Foreign, address: Option<Address>, place: &[u8]) -> io::Result<Facts> {
        Facts::of(socket.as_fd(), address, place)
    }

    fn listeners_beside(&self, reach: Option<Reach>, address: &Address) -> io::Result<Vec<u64>> {
        reach.map_or_else(|| sock_diag::listening_on(address), |reach| reach.listeners())
    }

    fn listen(
        &mut self,
        id: BalancerId,
        socket: Foreign,
        facts: Facts,
        file: Option<(u64, u64)>,
        backlog: i32,
        by_kernel: bool,
    ) -> io::Result<Listener> {
        Listener::open(id, socket, facts, file, backlog, by_kernel)
    }

    fn accept(&mut self, listener: &mut Listener) -> io::Result<Connection> {
        listener.accept()
    }

    fn queue_length(&self, listener: &Listener) -> Option<u32> {
        queue_length(listener.as_fd())
    }

    fn stop_intake(&self, listener: &Listener) -> io::Result<()> {
        syn_filter::close(listener.as_fd())
    }

    fn is_intake_empty(&self, listener: &Listener) -> io::Result<bool> {
        syn_filter::is_empty(listener.as_fd())
    }

    fn give(&mut self, lane: &mut Lane, connection: &Connection) -> io::Result<Ticket> {
        lane.give(connection)
    }

    fn grant(&mut self, lane: &mut Lane) -> io::Result<()> {
        lane.grant()
    }

    fn open_credit(&mut self, lane: &mut Lane) -> io::Result<()> {
        lane.open()
    }

    fn is_at(&self, place: Holder, inode: u64) -> bool {
        lane::is_at(place, inode)
    }

    fn registration(
        &self,
        pid: u32,
        set: Option<u32>,
        others: Vec<u32>,
        inode: u64,
        own: Option<u32>,
    ) -> Known {
        Known::read(pid, set, others, inode, own)
    }

    fn set_holds(&self, pid: u32, set: u32, inodes: &[u64]) -> bool {
        procfs::epoll_holds(pid, set, inodes)
    }

    fn thread_state(&self, pid: u32, tid: u32) -> Option<char> {
        procfs::state(pid, tid)
    }

    fn spent(&self, pid: u32, tid: u32) -> Option<Spent> {
        procfs::account(pid, tid)
    }

    fn thread(&self, pid: u32, tid: u32) -> Option<Thread> {
        procfs::thread(pid, tid)
    }

    fn are_descriptors_scarce(&self, any: BorrowedFd<'_>) -> bool {
        descriptors::are_scarce(any)
    }
}
