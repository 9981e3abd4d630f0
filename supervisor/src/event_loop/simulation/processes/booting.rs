//! The start of a process of a history: what it asks the supervisor for, one after another, until it comes to its wait.

use super::super::World;
use super::super::agenda::Deed;
use super::lane::Lane;
use super::process::{Asks, LANE_FD, Process, Thread};
use crate::io::kernel::memory::Memory;
use crate::io::kernel::message;
use clustermon_protocol::VERSION;
use clustermon_protocol::message::{Hello, MAX_FRAME, Place, Reply, Request};
use clustermon_protocol::pulse::SIZE;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, UnixAddr, bind, connect, socket};
use std::num::NonZeroUsize;
use std::os::fd::{AsFd, AsRawFd};
use std::time::Duration;

impl World {
    /// Asks the supervisor for the next thing that it needs.
    pub(in crate::event_loop::simulation) fn ask_next(&mut self, pid: u32) {
        let Some(process) = self.processes.get_mut(&pid).filter(|process| process.is_alive()) else { return };
        let Some(asks) = process.next.filter(|_| process.asked.is_none() && !process.hangs) else { return };
        if process.temper.dies_young && asks == Asks::Listen {
            return self.end(pid, None, 1);
        }
        if process.temper.is_idle && asks == Asks::Listen {
            return;
        }
        let lane = process.lane.as_ref().map_or(0, |lane| lane.id);
        let request = match asks {
            Asks::Pulse => Request::Attach,
            Asks::Listen => Request::Listen { fd: LANE_FD, backlog: 128, place: Place::default() },
            Asks::Listener => Request::Listener { lane },
            Asks::Page => Request::LanePage { lane },
        };
        let hello = Hello { version: VERSION, token: process.token, pid };
        let mut frame = [0; MAX_FRAME];
        let len = request.encode(&hello, &mut frame).expect("a request fits into a frame");
        let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
        let link = socket(AddressFamily::Unix, SockType::SeqPacket, flags, None).expect("a socket");
        let is_connected = connect(link.as_raw_fd(), &process.supervisor).is_ok();
        let bound = (asks == Asks::Listen).then(|| {
            let bound = socket(AddressFamily::Unix, SockType::Stream, flags, None).expect("a socket");
            let address = UnixAddr::new_unnamed();
            bind(bound.as_raw_fd(), &address).expect("a name of the kernel's choice");
            bound
        });
        let beside = bound.as_ref().map(AsFd::as_fd);
        if !is_connected || message::send(link.as_fd(), &frame[..len], beside).is_err() {
            return self.after(Duration::from_millis(20), Deed::AskAgain(pid));
        }
        process.asked = Some((link, asks));
    }

    /// The supervisor may have answered it.
    pub(in crate::event_loop::simulation) fn hear_reply(&mut self, pid: u32) {
        let Some(process) = self.processes.get_mut(&pid) else { return };
        let Some((link, asks)) = &process.asked else { return };
        let mut frame = [0; MAX_FRAME];
        let incoming = match message::receive(link.as_fd(), &mut frame) {
            Ok(incoming) => incoming,
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => return,
            Err(_) => message::Incoming { len: 0, fd: None, truncated: false, sender: None },
        };
        let asks = *asks;
        process.asked = None;
        process.next = None;
        let reply = Reply::decode(&frame[..incoming.len]);
        let fd = incoming.fd.map(crate::io::kernel::foreign::Foreign::into_owned);
        let step = process.temper.step;
        let mut again = |process: &mut Process, next, pause| {
            process.next = Some(next);
            self.agenda.put(self.now + pause, Deed::AskAgain(pid));
        };
        match (asks, reply, fd) {
            (Asks::Pulse, reply, fd) => {
                if let (Some(Reply::Page), Some(fd)) = (reply, fd) {
                    process.pulse = Memory::map(fd, NonZeroUsize::new(SIZE).expect("a size")).ok();
                    if let Some(page) = process.page() {
                        page.begin(pid);
                    }
                }
                again(process, Asks::Listen, step);
            }
            (Asks::Listen, Some(Reply::Lane { lane }), Some(fd)) => {
                process.lane = Some(Lane::new(fd, lane));
                again(process, Asks::Listener, Duration::from_micros(30));
            }
            (Asks::Listen, _, _) => again(process, Asks::Listen, Duration::from_millis(200)),
            (Asks::Listener, Some(Reply::Listener), Some(fd)) => {
                let Some(lane) = &mut process.lane else { return };
                let has_page = lane.has_page();
                lane.listener = Some(fd);
                if has_page {
                    self.run_or_wait(pid);
                } else {
                    again(process, Asks::Page, Duration::from_micros(20));
                }
            }
            (Asks::Listener, Some(Reply::Errno(libc::EAGAIN)), _) => {
                let is_first = process.thread == Thread::Boots;
                if process.lane.as_ref().is_some_and(Lane::has_page) {
                    again(process, Asks::Listener, Duration::from_millis(5));
                } else {
                    again(process, Asks::Page, Duration::from_micros(20));
                }
                if is_first && process.lane.as_ref().is_some_and(Lane::has_page) {
                    self.run_or_wait(pid);
                }
            }
            // Connections are handed over.
            (Asks::Listener, _, _) => {
                if let Some(lane) = &mut process.lane
                    && lane.has_page()
                {
                    lane.say_that_it_takes_no_credit();
                }
                self.run_or_wait(pid);
            }
            (Asks::Page, reply, fd) => {
                if let (Some(Reply::Page), Some(fd), Some(lane)) = (reply, fd, &mut process.lane) {
                    lane.begin(fd);
                    if lane.listener.is_none() {
                        again(process, Asks::Listener, Duration::from_millis(5));
                    }
                }
                self.run_or_wait(pid);
            }
        }
    }

    /// It asks once more for the listening socket.
    pub(super) fn ask_for_listener(&mut self, pid: u32) {
        let Some(process) = self.processes.get_mut(&pid) else { return };
        if process.next.is_none() && process.asked.is_none() {
            process.next = Some(Asks::Listener);
            self.after(Duration::from_micros(50), Deed::AskAgain(pid));
        }
    }

    /// Its start is over: the thread comes to its wait.
    fn run_or_wait(&mut self, pid: u32) {
        if self.processes.get(&pid).is_some_and(|process| process.thread == Thread::Boots) {
            self.enter_wait(pid);
        }
    }
}
