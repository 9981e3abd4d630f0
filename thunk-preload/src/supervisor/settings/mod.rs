//! What the supervisor told this process through its environment. Read anew for each request, so that no copy can go
//! stale; binds and listens are rare. What is remembered of it counts only where there is no environment left.

pub(crate) mod remembered;

use crate::kernel::sys;
use crate::real;
use crate::supervisor::peer::Supervisor;
use clustermon_protocol::address::Address;
use clustermon_protocol::{env, message::Token, rules};

/// Longest name of the request socket, in bytes.
pub(crate) const MAX_SOCKET: usize = 100;

/// How to reach the supervisor. The rules are looked at where they stand: stacks are small.
pub(crate) struct Settings {
    socket: [u8; MAX_SOCKET],
    socket_len: usize,
    pub token: Token,
    /// Who is to be at the other end of it.
    pub supervisor: Supervisor,
    /// The environment was cleared: the one that the process was started with is looked at.
    cleared: bool,
    /// The least backlog of a shared listener.
    pub backlog: i32,
    /// The program lives on when its supervisor is gone.
    pub keep: bool,
    has_token: bool,
}

impl Settings {
    /// `None` outside a cluster.
    #[inline(never)]
    pub(crate) fn read() -> Option<Self> {
        let mut settings = Self::gather();
        if !settings.complete() {
            settings.cleared = true;
            each_initial(&mut |entry| settings.take(entry));
        }
        if !settings.complete() {
            remembered::recall(&mut settings);
        }
        settings.complete().then_some(settings)
    }

    /// As [`Settings::read`], without looking further where the environment was cleared: for calls that programs
    /// outside a cluster make often.
    #[inline(never)]
    pub(crate) fn from_variables() -> Option<Self> {
        let settings = Self::gather();
        settings.complete().then_some(settings)
    }

    fn gather() -> Self {
        let mut settings = Self {
            socket: [0; MAX_SOCKET],
            socket_len: 0,
            token: [0; 16],
            supervisor: Supervisor::default(),
            cleared: false,
            backlog: 0,
            keep: false,
            has_token: false,
        };
        real::each_variable(|entry| settings.take(entry.to_bytes()));
        settings
    }

    /// The abstract name of the request socket, without its NUL.
    pub(crate) fn socket(&self) -> &[u8] {
        &self.socket[..self.socket_len]
    }

    /// For settings that are remembered: they are complete with it.
    pub(crate) fn set_socket(&mut self, name: &[u8]) {
        let len = name.len().min(MAX_SOCKET);
        self.socket[..len].copy_from_slice(&name[..len]);
        self.socket_len = len;
        self.has_token = true;
    }

    /// True if the rules share a listener on this address; `place` is the absolute path of a unix socket.
    pub(crate) fn shares(&self, address: &Address, place: &[u8]) -> bool {
        self.by_rules(&|rules| rules::shared(rules, address, place))
    }

    /// True if the rules share UDP sockets at this address.
    pub(crate) fn shares_datagrams(&self, address: &Address) -> bool {
        self.by_rules(&|rules| rules::shares_datagrams(rules, address))
    }

    fn by_rules(&self, judge: &dyn Fn(&str) -> bool) -> bool {
        let mut told = None;
        let mut look = |entry: &[u8]| {
            if let Some((name, value)) = split(entry)
                && name == env::RULES.as_bytes()
            {
                told = Some(judge(core::str::from_utf8(value).unwrap_or("")));
            }
        };
        if self.cleared {
            each_initial(&mut look);
        } else {
            real::each_variable(|entry| look(entry.to_bytes()));
        }
        told.unwrap_or_else(|| judge(""))
    }

    fn complete(&self) -> bool {
        self.has_token && self.socket_len > 0 && self.supervisor.pid > 0
    }

    fn take(&mut self, entry: &[u8]) {
        let Some((name, value)) = split(entry) else { return };
        if name == env::SOCKET.as_bytes() && value.len() <= MAX_SOCKET {
            self.socket[..value.len()].copy_from_slice(value);
            self.socket_len = value.len();
        } else if name == env::TOKEN.as_bytes() {
            if let Some(token) = parse_token(value) {
                self.token = token;
                self.has_token = true;
            }
        } else if name == env::SUPERVISOR.as_bytes() {
            self.supervisor = Supervisor::parse(value).unwrap_or_default();
        } else if name == env::BACKLOG.as_bytes() {
            self.backlog = core::str::from_utf8(value).ok().and_then(|text| text.parse().ok()).unwrap_or(0);
        } else if name == env::ON_SUPERVISOR_DEATH.as_bytes() {
            self.keep = value == b"keep";
        }
    }
}

fn split(entry: &[u8]) -> Option<(&[u8], &[u8])> {
    let at = entry.iter().position(|&b| b == b'=')?;
    Some((entry.get(..at)?, entry.get(at + 1..)?))
}

/// A program may have cleared its environment; the kernel still shows the one it was started with.
#[cold]
#[inline(never)]
fn each_initial(visit: &mut dyn FnMut(&[u8])) {
    let Ok(fd) = sys::open(c"/proc/thread-self/environ", crate::kernel::abi::O_CLOEXEC) else { return };
    let mut buffer = [0; 4096];
    let mut filled = 0;
    while let Ok(count @ 1..) = sys::read(fd, &mut buffer[filled..]) {
        filled += count;
        let mut start = 0;
        while let Some(len) = buffer[start..filled].iter().position(|&b| b == 0) {
            visit(&buffer[start..start + len]);
            start += len + 1;
        }
        // An entry that fills the buffer is not ours: drop what was read of it.
        if start == 0 && filled == buffer.len() {
            start = filled;
        }
        buffer.copy_within(start..filled, 0);
        filled -= start;
    }
    sys::close(fd);
}

fn parse_token(text: &[u8]) -> Option<Token> {
    let mut token = [0; 16];
    if text.len() != 32 {
        return None;
    }
    for (byte, pair) in token.iter_mut().zip(text.chunks_exact(2)) {
        let digit = |c: u8| char::from(c).to_digit(16);
        *byte = (digit(pair[0])? << 4 | digit(pair[1])?) as u8;
    }
    Some(token)
}
