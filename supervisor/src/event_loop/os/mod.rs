//! What the shell asks of the operating system wherever the answer bears on a decision: the time, the wait for events, processes,
//! listening sockets, records on lanes, and what /proc tells of threads. What no simulated history has yet is called without it: sockets
//! among which the kernel chooses (`io/steering`), and calls of programs with a seccomp filter (`io/seccomp`). It decides nothing.

mod kernel;

pub(super) use kernel::Kernel;

use crate::ids::BalancerId;
use crate::io::drain::idle_detector::IdleDetector;
use crate::io::hook_commands::runner::HookRunner;
use crate::io::kernel::foreign::Foreign;
use crate::io::lanes::lane::{Holder, Lane};
use crate::io::lanes::lane_owner_probe::LaneOwnerProbe;
use crate::io::lanes::thunk_socket::Asked;
use crate::io::lanes::trigger::Known;
use crate::io::launch::process_calls::ProcessCalls;
use crate::io::launch::spawn::{Spawned, Start};
use crate::io::launch::thunk_file::Thunk;
use crate::io::privileges::view::Onlooker;
use crate::io::process::procfs::{Spent, Thread};
use crate::io::process::suspended::Suspension;
use crate::io::sockets::listener::{Connection, Facts, Listener};
use crate::io::sockets::reach::Reach;
use crate::settings::Zone;
use clustermon_protocol::address::Address;
use clustermon_protocol::message::Token;
use clustermon_protocol::release::Ticket;
use mio::{Events, Poll, Waker};
use std::ffi::OsString;
use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The operating system. Descriptors are the kernel's in every implementation, and so are the queues and pages behind them: what is
/// replaced is what happens when, what is done to processes, and what other processes are seen to do.
pub(super) trait Os: ProcessCalls {
    /// The clock that every deadline is measured by.
    fn now(&self) -> Instant;

    /// The clock that people have, in milliseconds since the Unix epoch: it may be set.
    fn wall_time(&self) -> u64;

    /// The time zone of that clock.
    fn zone(&self) -> Result<Zone, String>;

    /// The clock of the pulse pages, in nanoseconds.
    fn monotonic(&self) -> u64;

    /// Waits until something is reported or the time is over; without a time, until something is reported.
    fn wait(&mut self, poll: &mut Poll, events: &mut Events, timeout: Option<Duration>) -> io::Result<()>;

    /// A number that nobody can guess.
    fn random(&mut self) -> io::Result<u64>;

    /// The token of a process that is about to be started.
    fn token(&mut self) -> io::Result<Token>;

    /// Starts what looks for the holders of lanes off the loop.
    fn lane_owner_probe(&mut self, waker: Arc<Waker>, onlooker: Onlooker) -> io::Result<LaneOwnerProbe>;

    /// Starts what looks off the loop when workers that drain have nothing in flight.
    fn idle_detector(&mut self, waker: Arc<Waker>, onlooker: Onlooker) -> io::Result<IdleDetector>;

    /// What runs hooks off the loop.
    fn hook_runner(&mut self, waker: Arc<Waker>) -> HookRunner;

    /// The path of a library that can be preloaded now.
    fn library<'a>(&self, thunk: &'a mut Thunk) -> io::Result<&'a Path>;

    /// Starts a process, with this library in it; without one, with a seccomp filter.
    fn spawn(&mut self, library: Option<&Path>, start: Start<'_>) -> io::Result<Spawned>;

    /// A process with this number exists.
    fn is_there(&self, pid: u32) -> bool;

    /// Whether a child was stopped or went on since this was last asked.
    fn suspension(&self, pid: u32, pidfd: &OwnedFd) -> Option<Suspension>;

    /// Process and user of who asks.
    fn asker(&self, asked: &Asked) -> (u32, u32);

    /// What a socket is that a worker sent; `address` is set where the bind was in name only.
    fn facts(&self, socket: &Foreign, address: Option<Address>, place: &[u8]) -> io::Result<Facts>;

    /// Inodes of the sockets that would get some of the clients within this reach; without one, of those on exactly the address.
    fn listeners_beside(&self, reach: Option<Reach>, address: &Address) -> io::Result<Vec<u64>>;

    /// Listens on a worker's own socket; `by_kernel`: workers accept from it as they like.
    fn listen(
        &mut self,
        id: BalancerId,
        socket: Foreign,
        facts: Facts,
        file: Option<(u64, u64)>,
        backlog: i32,
        by_kernel: bool,
    ) -> io::Result<Listener>;

    /// The next connection; WouldBlock if there is none.
    fn accept(&mut self, listener: &mut Listener) -> io::Result<Connection>;

    /// How many wait in its queue; `None` if it does not listen, or the kernel does not tell.
    fn queue_length(&self, listener: &Listener) -> Option<u32>;

    /// Lets nobody new in.
    fn stop_intake(&self, listener: &Listener) -> io::Result<()>;

    /// Nobody is on the way in any more.
    fn is_intake_empty(&self, listener: &Listener) -> io::Result<bool>;

    /// Hands a connection over; on an error it is still the caller's.
    fn give(&mut self, lane: &mut Lane, connection: &Connection) -> io::Result<Ticket>;

    /// Allows one accept.
    fn grant(&mut self, lane: &mut Lane) -> io::Result<()>;

    /// Allows to accept until the queue is empty.
    fn open_credit(&mut self, lane: &mut Lane) -> io::Result<()>;

    /// False if the process is known not to have the socket under this number.
    fn is_at(&self, place: Holder, inode: u64) -> bool;

    /// How the process is told of a socket by that epoll set, or by poll(), if one of the `others` is not told of it as well; `own` is a
    /// set of the library.
    fn registration(
        &self,
        pid: u32,
        set: Option<u32>,
        others: Vec<u32>,
        inode: u64,
        own: Option<u32>,
    ) -> Known;

    /// That epoll set of the process holds one of these sockets.
    fn set_holds(&self, pid: u32, set: u32, inodes: &[u64]) -> bool;

    /// The letter of a thread's state.
    fn thread_state(&self, pid: u32, tid: u32) -> Option<char>;

    /// Where the time of a thread has gone.
    fn spent(&self, pid: u32, tid: u32) -> Option<Spent>;

    /// What a thread is doing.
    fn thread(&self, pid: u32, tid: u32) -> Option<Thread>;

    /// One more descriptor that lasts would be taken from the reserve. `any` is an open one.
    fn are_descriptors_scarce(&self, any: BorrowedFd<'_>) -> bool;
}

/// The file name of a library.
pub(super) fn name_of(library: &Path) -> OsString {
    library.file_name().unwrap_or_default().to_owned()
}
