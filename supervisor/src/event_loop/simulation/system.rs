//! The operating system of a history: gives the time of the world, starts its processes, tells what they do, and lets the world go on while
//! the supervisor waits.

use super::super::os::Os;
use super::World;
use super::clients::Fate;
use super::off_loop::OffLoop;
use super::off_loop::hooks::Hooks;
use super::processes::process::{self, Process, SET, Thread};
use crate::ids::BalancerId;
use crate::io::drain::idle_detector::IdleDetector;
use crate::io::hook_commands::runner::HookRunner;
use crate::io::kernel::foreign::Foreign;
use crate::io::kernel::sockopt;
use crate::io::lanes::lane::{Holder, Lane};
use crate::io::lanes::lane_owner_probe::LaneOwnerProbe;
use crate::io::lanes::thunk_socket::Asked;
use crate::io::lanes::trigger::{Known, Trigger};
use crate::io::launch::process_calls::Ended;
use crate::io::launch::process_calls::ProcessCalls;
use crate::io::launch::spawn::{Spawned, Start};
use crate::io::launch::thunk_file::Thunk;
use crate::io::privileges::view::Onlooker;
use crate::io::process::procfs::{self, Spent};
use crate::io::process::suspended::Suspension;
use crate::io::sockets::listener::{Connection, Facts, Key, Listener};
use crate::io::sockets::reach::Reach;
use crate::settings::Zone;
use clustermon_protocol::address::Address;
use clustermon_protocol::credit::Registration;
use clustermon_protocol::env;
use clustermon_protocol::message::{Request, Token};
use clustermon_protocol::release::Ticket;
use mio::{Events, Poll, Waker};
use nix::sys::signal::Signal;
use nix::sys::socket::{UnixAddr, getsockname};
use std::cell::RefCell;
use std::io;
use std::net::Ipv4Addr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// More records than this in one turn of the loop are a turn without an end.
const SENT_IN_A_TURN: u32 = 20_000;

/// It.
#[derive(Debug)]
pub(super) struct Simulated {
    pub(super) world: Rc<RefCell<World>>,
    /// Of the process that is about to be started.
    token: Token,
    numbers: u32,
    detector: Option<IdleDetector>,
}

impl Simulated {
    pub(super) fn new(world: Rc<RefCell<World>>) -> Self {
        Self { world, token: Token::default(), numbers: 0, detector: None }
    }

    fn of<T>(&self, pid: u32, ask: impl FnOnce(&Process) -> T) -> Option<T> {
        self.world.borrow().processes.get(&pid).filter(|process| process.is_alive()).map(ask)
    }

    /// The kernel has no room for a record, now and then.
    fn room(&self) -> io::Result<()> {
        self.world.borrow_mut().meanwhile();
        let mut world = self.world.borrow_mut();
        world.sent_in_turn += 1;
        assert!(world.sent_in_turn < SENT_IN_A_TURN, "a turn of the loop does not end");
        let is_full = world.strikes(|faults| faults.record);
        if is_full { Err(io::Error::from_raw_os_error(libc::ENOBUFS)) } else { Ok(()) }
    }
}

impl ProcessCalls for Simulated {
    fn send(&self, pid: u32, _: &OwnedFd, signal: Signal) {
        self.world.borrow_mut().signal(pid, signal);
    }

    fn send_to_group(&self, group: u32, signal: Signal) {
        self.world.borrow_mut().signal(group, signal);
    }

    fn end_of(&self, pid: u32, _: &OwnedFd, reap: bool) -> io::Result<Option<Ended>> {
        let mut world = self.world.borrow_mut();
        let process = world.processes.get_mut(&pid).ok_or(io::ErrorKind::NotFound)?;
        process.is_reaped |= reap && process.ended.is_some();
        Ok(process.ended)
    }
}

impl Os for Simulated {
    fn now(&self) -> Instant {
        self.world.borrow().now
    }

    fn wall_time(&self) -> u64 {
        self.world.borrow().wall_time()
    }

    fn zone(&self) -> Result<Zone, String> {
        Ok(Zone::utc())
    }

    fn monotonic(&self) -> u64 {
        self.world.borrow().monotonic()
    }

    fn wait(&mut self, poll: &mut Poll, events: &mut Events, timeout: Option<Duration>) -> io::Result<()> {
        self.world.borrow_mut().pass(poll, events, timeout)
    }

    fn random(&mut self) -> io::Result<u64> {
        self.numbers += 1;
        if self.numbers == 1 {
            // It stands in names that nobody else may have at the same time.
            static NEXT: AtomicU64 = AtomicU64::new(0);
            return Ok(u64::from(std::process::id()) << 32 | NEXT.fetch_add(1, Ordering::Relaxed));
        }
        Ok(self.world.borrow_mut().dice.number())
    }

    fn token(&mut self) -> io::Result<Token> {
        let mut world = self.world.borrow_mut();
        let (high, low) = (world.dice.number(), world.dice.number());
        self.token = (u128::from(high) << 64 | u128::from(low)).to_ne_bytes();
        Ok(self.token)
    }

    fn lane_owner_probe(&mut self, waker: Arc<Waker>, _: Onlooker) -> io::Result<LaneOwnerProbe> {
        let (off_loop, probe, detector) = OffLoop::new(waker);
        self.world.borrow_mut().off_loop = Some(off_loop);
        self.detector = Some(detector);
        Ok(probe)
    }

    fn idle_detector(&mut self, _: Arc<Waker>, _: Onlooker) -> io::Result<IdleDetector> {
        // It was made with the other.
        self.detector.take().ok_or(io::ErrorKind::NotFound.into())
    }

    fn hook_runner(&mut self, waker: Arc<Waker>) -> HookRunner {
        let (hooks, runner) = Hooks::new(waker);
        self.world.borrow_mut().hooks = Some(hooks);
        runner
    }

    fn library<'a>(&self, _: &'a mut Thunk) -> io::Result<&'a Path> {
        Ok(Path::new("/simulated/libclustermon_thunk.so"))
    }

    fn spawn(&mut self, library: Option<&Path>, start: Start<'_>) -> io::Result<Spawned> {
        if library.is_none() {
            // No process of the world has a seccomp filter.
            return Err(io::ErrorKind::Unsupported.into());
        }
        let mut world = self.world.borrow_mut();
        if world.strikes(|faults| faults.spawn) {
            return Err(io::Error::from_raw_os_error(libc::EAGAIN));
        }
        let variables = &start.template.environment;
        let socket = variables.iter().find(|(name, _)| *name == env::SOCKET).map(|(_, value)| value);
        let name = socket.ok_or(io::ErrorKind::NotFound)?.as_encoded_bytes();
        let supervisor = UnixAddr::new_abstract(name)?;
        let pidfd = process::end()?;
        let pid = world.start(self.token, supervisor, pidfd.try_clone()?);
        Ok(Spawned { pid, pidfd, filter: None })
    }

    fn is_there(&self, pid: u32) -> bool {
        self.of(pid, |_| ()).is_some()
    }

    fn suspension(&self, _: u32, _: &OwnedFd) -> Option<Suspension> {
        None
    }

    fn asker(&self, asked: &Asked) -> (u32, u32) {
        let pid = Request::decode(&asked.frame[..asked.len]).map_or(asked.pid, |(hello, _)| hello.pid);
        (pid, asked.uid)
    }

    fn facts(&self, socket: &Foreign, _: Option<Address>, _: &[u8]) -> io::Result<Facts> {
        let address = Address::v4(Ipv4Addr::LOCALHOST, 80);
        let key = Key::Inet { address, v6_only: false, device: Vec::new() };
        let (cookie, inode) = (sockopt::cookie(socket.as_fd())?, nix::sys::stat::fstat(socket)?.st_ino);
        Ok(Facts { address, key, cookie, inode, listening: false, given: false })
    }

    fn listeners_beside(&self, _: Option<Reach>, _: &Address) -> io::Result<Vec<u64>> {
        Ok(Vec::new())
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
        let listener = Listener::open(id, socket, facts, file, backlog, by_kernel)?;
        let mut world = self.world.borrow_mut();
        let refused: Vec<usize> = world.queue.drain(..).collect();
        refused.into_iter().for_each(|connection| world.become_of(connection, Fate::Refused));
        world.address = Some(getsockname(listener.as_fd().as_raw_fd())?);
        Ok(listener)
    }

    fn accept(&mut self, listener: &mut Listener) -> io::Result<Connection> {
        let mut world = self.world.borrow_mut();
        if world.strikes(|faults| faults.descriptors) {
            return Err(io::Error::from_raw_os_error(libc::EMFILE));
        }
        let connection = listener.accept()?;
        let inode = nix::sys::stat::fstat(&connection.fd)?.st_ino;
        let id = world.accepted(Fate::Held).ok_or(io::ErrorKind::NotFound)?;
        world.held.insert(inode, id);
        Ok(connection)
    }

    fn queue_length(&self, _: &Listener) -> Option<u32> {
        let length = self.world.borrow().queue.len() as u32;
        // It may be another by the time that the supervisor has it.
        self.world.borrow_mut().meanwhile();
        Some(length)
    }

    fn stop_intake(&self, _: &Listener) -> io::Result<()> {
        self.world.borrow_mut().address = None;
        Ok(())
    }

    fn is_intake_empty(&self, _: &Listener) -> io::Result<bool> {
        Ok(self.world.borrow().queue.is_empty())
    }

    fn give(&mut self, lane: &mut Lane, connection: &Connection) -> io::Result<Ticket> {
        self.room()?;
        lane.give(connection)
    }

    fn grant(&mut self, lane: &mut Lane) -> io::Result<()> {
        self.room()?;
        lane.grant()
    }

    fn open_credit(&mut self, lane: &mut Lane) -> io::Result<()> {
        self.room()?;
        lane.open()
    }

    fn is_at(&self, place: Holder, inode: u64) -> bool {
        self.of(place.pid, |process| process.holds(inode)).unwrap_or(false)
    }

    fn registration(&self, pid: u32, set: Option<u32>, others: Vec<u32>, _: u64, _: Option<u32>) -> Known {
        let is_shown = self.of(pid, |process| !process.temper.is_opaque).unwrap_or(false);
        let registration = Registration { set: SET, events: libc::EPOLLIN as u32, data: 9 };
        let trigger =
            if is_shown && set == Some(SET) { Trigger::Level(Some(registration)) } else { Trigger::UNKNOWN };
        Known::of(set, others, trigger)
    }

    fn set_holds(&self, pid: u32, set: u32, inodes: &[u64]) -> bool {
        let holds = |process: &Process| inodes.iter().any(|inode| process.holds(*inode));
        set == SET && self.of(pid, holds).unwrap_or(false)
    }

    fn thread_state(&self, pid: u32, _: u32) -> Option<char> {
        self.of(pid, |process| match process.thread {
            Thread::Waits => 'S',
            Thread::Boots | Thread::Woken { .. } | Thread::Runs => 'R',
        })
    }

    fn spent(&self, pid: u32, _: u32) -> Option<Spent> {
        let now = self.now();
        self.of(pid, |process| Spent { running: process.ran_until(now), queued: Some(Duration::ZERO) })
    }

    fn thread(&self, pid: u32, tid: u32) -> Option<procfs::Thread> {
        let (state, spent) = (self.thread_state(pid, tid)?, self.spent(pid, tid)?);
        Some(procfs::Thread { state, spent, call: None, waits_in: String::new() })
    }

    fn are_descriptors_scarce(&self, _: BorrowedFd<'_>) -> bool {
        self.world.borrow_mut().strikes(|faults| faults.descriptors)
    }
}
