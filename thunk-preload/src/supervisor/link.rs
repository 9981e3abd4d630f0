//! One request to the supervisor: connect, look who is there, send, receive, close. Bounded in time, or by the supervisor's
//! life; it never outlives the call, never writes `errno`, and says nothing to anybody else.

use crate::kernel::abi::*;
use crate::kernel::sys;
use crate::log::tell;
use crate::supervisor::settings::Settings;
use clustermon_protocol::VERSION;
use clustermon_protocol::address::UNIX;
use clustermon_protocol::message::{Hello, MAX_PLACE, Reply, Request};
use clustermon_protocol::scm::{self, Control, Received};
use core::ffi::c_void;

/// How long a request may take, in milliseconds. The supervisor answers within one turn of its loop.
const TIME_LIMIT: i64 = 5_000;

/// Whether the program can do without the answer. By bind() and listen() it would leave the cluster for good: it waits as
/// long as there is a supervisor, which may be stopped for a while (Ctrl-Z, a debugger, a frozen control group). Its end
/// closes the connection.
fn has_limit(request: &Request<'_>) -> bool {
    let decides = matches!(
        request,
        Request::Listen { .. }
            | Request::BindAny { .. }
            | Request::BindNamed { .. }
            | Request::BindDatagrams { .. }
            | Request::Owns { .. }
            | Request::OwnedName { .. }
    );
    !decides
}

/// How long silence is not yet death, in milliseconds.
const LIFE_SIGN: i64 = 1_000;

/// Room for every request and every reply that this build knows: a place beside an address is the longest. Far less than
/// the wire allows, because it stands on the program's stack, and that may be 16 KiB in all.
const ROOM: usize = MAX_PLACE + 192;

/// A reply and the fd that came with it.
pub(crate) struct Answer {
    frame: [u8; ROOM],
    len: usize,
    fd: Option<i32>,
}

impl Answer {
    /// The reply; `None` if the supervisor said something that this thunk does not know.
    pub(crate) fn reply(&self) -> Option<Reply<'_>> {
        Reply::decode(&self.frame[..self.len])
    }

    /// The fd that came beside the reply; the caller closes it.
    pub(crate) fn take_fd(&mut self) -> Option<i32> {
        self.fd.take()
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        if let Some(fd) = self.fd {
            sys::close(fd);
        }
    }
}

/// Asks; `None` if the supervisor cannot be asked.
#[inline(never)]
pub(crate) fn ask(settings: &Settings, request: &Request<'_>, socket: Option<i32>) -> Option<Answer> {
    let hello = Hello { version: VERSION, token: settings.token, pid: sys::getpid() };
    let mut answer = Answer { frame: [0; ROOM], len: 0, fd: None };
    answer.len = request.encode(&hello, &mut answer.frame)?;
    let link = match settings.supervisor.is_ending() {
        true => None,
        false => sys::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC).ok(),
    };
    let done = link.and_then(|link| {
        let deadline = if has_limit(request) { sys::now() + TIME_LIMIT } else { i64::MAX };
        let done = exchange(link, settings, &mut answer, socket, deadline);
        sys::close(link);
        done
    });
    if done.is_none() {
        tell!("the supervisor cannot be asked");
    }
    done?;
    Some(answer)
}

/// True if the supervisor lives. That somebody listens on its socket is not enough: one that has just been killed lets
/// go of its lanes first, and of its socket a moment later, without a word to who has connected meanwhile.
pub(crate) fn is_up(settings: &Settings) -> bool {
    if settings.supervisor.is_ending() {
        return false;
    }
    let Ok(link) = sys::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK) else { return true };
    let connected = match address(settings.socket()) {
        Some((address, len)) => sys::connect(link, &address[..len]),
        None => Ok(()),
    };
    let up = match connected {
        Ok(()) => settings.supervisor.is_behind(link) && answers(link, settings),
        // A full queue is a sign of life.
        Err(error) => error == EAGAIN,
    };
    sys::close(link);
    up
}

/// Asks for nothing in particular. Silence may be that of a busy one; what tells is the end of the connection.
fn answers(link: i32, settings: &Settings) -> bool {
    let hello = Hello { version: VERSION, token: settings.token, pid: sys::getpid() };
    let mut frame = [0; 64];
    let Some(len) = (Request::OwnedName { cookie: 0 }).encode(&hello, &mut frame) else { return true };
    if sys::send(link, &frame[..len], MSG_DONTWAIT | MSG_NOSIGNAL).is_err() {
        return false;
    }
    let deadline = sys::now() + LIFE_SIGN;
    loop {
        let mut look = [PollFd { fd: link, events: POLLIN, revents: 0 }];
        match sys::poll(&mut look, (deadline - sys::now()).max(0)) {
            Err(EINTR) => {}
            Ok(0) | Err(_) => return true,
            Ok(_) => return matches!(sys::receive(link, &mut frame), Ok(1..)),
        }
    }
}

/// The `sockaddr_un` of an abstract name, and its length.
fn address(name: &[u8]) -> Option<([u8; 110], usize)> {
    let mut address = [0; 110];
    address[..2].copy_from_slice(&UNIX.to_ne_bytes());
    address.get_mut(3..3 + name.len())?.copy_from_slice(name);
    Some((address, 3 + name.len()))
}

/// Sends the frame and puts the reply in its place.
fn exchange(
    link: i32,
    settings: &Settings,
    answer: &mut Answer,
    socket: Option<i32>,
    deadline: i64,
) -> Option<()> {
    // A timed-out wait returns EAGAIN; an interrupted one EINTR. Both are begun again within the deadline.
    let timeout = [TIME_LIMIT / 1000, 0].map(i64::to_ne_bytes);
    sys::setsockopt(link, SOL_SOCKET, SO_RCVTIMEO, timeout.as_flattened()).ok()?;
    sys::setsockopt(link, SOL_SOCKET, SO_SNDTIMEO, timeout.as_flattened()).ok()?;

    let (address, len) = address(settings.socket())?;
    // Whoever has taken the name of one that is gone may let everybody wait.
    let connect = || match settings.supervisor.is_gone() {
        true => Err(ESRCH),
        false => sys::connect(link, &address[..len]),
    };
    until(deadline, connect)?;
    if !settings.supervisor.is_behind(link) {
        tell!("somebody else has the supervisor's name");
        return None;
    }

    let mut control = Control::send(socket.unwrap_or(-1));
    let mut iov = IoVec { base: answer.frame.as_mut_ptr().cast(), len: answer.len };
    let (place, room): (*mut c_void, usize) = match socket {
        Some(_) => ((&raw mut control).cast(), size_of::<Control>()),
        None => (core::ptr::null_mut(), 0),
    };
    let message = Message::new(&mut iov, place, room);
    until(deadline, || sys::sendmsg(link, &message, MSG_NOSIGNAL))?;

    let mut control = Control::empty();
    let mut iov = IoVec { base: answer.frame.as_mut_ptr().cast(), len: ROOM };
    let mut message = Message::new(&mut iov, (&raw mut control).cast(), scm::LEN);
    answer.len = until(deadline, || sys::recvmsg(link, &mut message, MSG_CMSG_CLOEXEC))?;
    match control.received(message.control_len, message.flags) {
        Received::Fd(fd) => answer.fd = Some(fd),
        Received::Nothing => {}
        Received::Truncated(fd) => {
            answer.fd = fd;
            return None;
        }
    }
    (answer.len > 0).then_some(())
}

/// Repeats an interrupted or timed-out call until the deadline.
fn until<T>(deadline: i64, mut call: impl FnMut() -> sys::Result<T>) -> Option<T> {
    loop {
        match call() {
            Ok(value) => return Some(value),
            Err(EINTR | EAGAIN) if sys::now() < deadline => {}
            Err(_) => return None,
        }
    }
}
