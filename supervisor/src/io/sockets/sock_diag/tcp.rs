//! What the kernel tells of TCP and MPTCP sockets that have certain local ports: their queues, what was sent and received,
//! and how long ago. The kernel picks by port; it only reads.

use super::{COOKIE_AT, INET_DIAG_MSG, attributes, dump, dump_as, number};
use std::io;
use std::time::Duration;

/// The older request: it alone can ask for IPv4 and IPv6 in one walk through the kernel's table.
const TCPDIAG_GETSOCK: u16 = 18;
const INET_DIAG_REQ_BYTECODE: u16 = 1;
const INET_DIAG_REQ_PROTOCOL: u16 = 3;
const INET_DIAG_INFO: u16 = 2;
const BC_JMP: u8 = 1;
const BC_S_EQ: u8 = 11;
const IPPROTO_MPTCP: u32 = 262;

/// States as the kernel counts them.
pub(crate) const ESTABLISHED: u8 = 1;
pub(crate) const SYN_RECV: u8 = 3;
pub(crate) const FIN_WAIT1: u8 = 4;
pub(crate) const FIN_WAIT2: u8 = 5;
pub(crate) const CLOSE_WAIT: u8 = 8;
pub(crate) const LAST_ACK: u8 = 9;
pub(crate) const LISTEN: u8 = 10;
pub(crate) const CLOSING: u8 = 11;
/// It is bound and does nothing yet.
pub(crate) const BOUND: u8 = 13;
/// Those in which a process may have the socket open.
pub(crate) const OPEN: [u8; 6] = [ESTABLISHED, CLOSE_WAIT, FIN_WAIT1, FIN_WAIT2, LAST_ACK, CLOSING];

/// One socket at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Socket {
    pub(crate) state: u8,
    /// Local port.
    pub(crate) port: u16,
    /// 0 while it waits in an accept queue, and after its last holder has closed it.
    pub(crate) inode: u64,
    pub(crate) cookie: u64,
    /// Bytes received and not read, a FIN counted as one; of a listener: connections that wait.
    pub(crate) unread: u32,
    /// Bytes written and not acknowledged.
    pub(crate) unsent: u32,
    pub(crate) traffic: Traffic,
}

/// What has passed over a connection; what this kernel does not tell is `None`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Traffic {
    /// Bytes, a FIN counted as one.
    pub(crate) received: Option<u64>,
    pub(crate) sent: Option<u64>,
    /// Bytes that the program has written, whether or not they have left.
    pub(crate) written: Option<u64>,
    /// Time since the last byte left; since the connection was made, if none has. In steps of the kernel's tick.
    pub(crate) sent_ago: Option<Duration>,
    pub(crate) received_ago: Option<Duration>,
    /// From here to the other side and back, smoothed.
    pub(crate) round_trip: Option<Duration>,
}

/// Calls `visit` with the TCP sockets that are in one of the states and have one of the local ports; all, if `ports` is
/// `None`.
pub(crate) fn each(states: &[u8], ports: Option<&[u16]>, mut visit: impl FnMut(Socket)) -> io::Result<()> {
    if ports.is_some_and(<[u16]>::is_empty) {
        return Ok(());
    }
    // `struct inet_diag_req`: family (any), two bytes unused, extensions; socket id; states, a number unused.
    let mut request = vec![0, 0, 0, 1 << (INET_DIAG_INFO - 1)];
    request.extend([0; 48]);
    request.extend(mask(states).to_ne_bytes());
    request.extend([0; 4]);
    let picked = ports.and_then(filter);
    if let Some(filter) = &picked {
        attribute(&mut request, INET_DIAG_REQ_BYTECODE, filter);
    }
    dump_as(TCPDIAG_GETSOCK, &request, |message| {
        let socket = parse(message, traffic);
        if let Some(socket) = socket.filter(|socket| has(ports, socket.port)) {
            visit(socket);
        }
    })
}

/// Reads a `struct tcp_info`, of a dump or of TCP_INFO.
pub(crate) fn traffic(info: &[u8]) -> Traffic {
    Traffic {
        received: long(info, 128),
        sent: long(info, 200),
        written: written(info),
        sent_ago: age(info, 44),
        received_ago: age(info, 52),
        round_trip: info.get(68..72).map(|_| Duration::from_micros(u64::from(number(info, 68)))),
    }
}

/// The same for MPTCP sockets, those of one connection counted as one.
pub(crate) fn each_mptcp(
    states: &[u8],
    ports: Option<&[u16]>,
    mut visit: impl FnMut(Socket),
) -> io::Result<()> {
    if ports.is_some_and(<[u16]>::is_empty) || !are_there_mptcp_sockets() {
        return Ok(());
    }
    for family in [libc::AF_INET, libc::AF_INET6] {
        let mut request = vec![family as u8, libc::IPPROTO_TCP as u8, 1 << (INET_DIAG_INFO - 1), 0];
        request.extend(mask(states).to_ne_bytes());
        request.extend([0; 48]);
        attribute(&mut request, INET_DIAG_REQ_PROTOCOL, &IPPROTO_MPTCP.to_ne_bytes());
        dump(&request, |message| {
            let socket = parse(message, |info| Traffic {
                received: long(info, 64),
                sent: long(info, 56),
                written: None,
                sent_ago: age(info, 84),
                received_ago: age(info, 88),
                round_trip: None,
            });
            if let Some(socket) = socket.filter(|socket| has(ports, socket.port)) {
                visit(socket);
            }
        })?;
    }
    Ok(())
}

/// The walk through the table of MPTCP connections takes a while even if there is none.
fn are_there_mptcp_sockets() -> bool {
    // Name, size of a socket, how many there are.
    let used = |line: &str| {
        line.starts_with("MPTCP") && line.split_whitespace().nth(2).is_some_and(|count| count != "0")
    };
    std::fs::read_to_string("/proc/net/protocols").is_ok_and(|text| text.lines().any(used))
}

fn has(ports: Option<&[u16]>, port: u16) -> bool {
    ports.is_none_or(|ports| ports.contains(&port))
}

fn mask(states: &[u8]) -> u32 {
    states.iter().fold(0, |mask, state| mask | 1 << state)
}

fn attribute(request: &mut Vec<u8>, kind: u16, value: &[u8]) {
    request.extend((4 + value.len() as u16).to_ne_bytes());
    request.extend(kind.to_ne_bytes());
    request.extend(value);
}

/// The kernel's program that lets only these ports through: for each port a comparison that goes on to a jump to the end
/// if it holds, and else over it. `None` if there are too many for one.
fn filter(ports: &[u16]) -> Option<Vec<u8>> {
    const STEP: usize = 12;
    if ports.len() > 1000 {
        return None;
    }
    let (last, others) = ports.split_last()?;
    let mut program = Vec::with_capacity(ports.len() * STEP);
    // `struct inet_diag_bc_op`: code, way if it holds, way if not; the port is in the third field of a second one.
    let compare = |program: &mut Vec<u8>, port: &u16, otherwise: u16| {
        program.extend([BC_S_EQ, 8]);
        program.extend(otherwise.to_ne_bytes());
        program.extend([0, 0]);
        program.extend(port.to_ne_bytes());
    };
    for (place, port) in others.iter().enumerate() {
        compare(&mut program, port, STEP as u16);
        let rest = (others.len() - place - 1) * STEP + 8 + 4;
        program.extend([BC_JMP, 4]);
        program.extend((rest as u16).to_ne_bytes());
    }
    // Beyond the end: not let through.
    compare(&mut program, last, 8 + 4);
    Some(program)
}

/// Reads an `inet_diag_msg` and the attribute with the numbers.
fn parse(message: &[u8], traffic: impl Fn(&[u8]) -> Traffic) -> Option<Socket> {
    let fixed = message.get(..INET_DIAG_MSG)?;
    let info = attributes(&message[INET_DIAG_MSG..]).find(|(kind, _)| *kind == INET_DIAG_INFO);
    Some(Socket {
        state: fixed[1],
        port: u16::from_be_bytes([fixed[4], fixed[5]]),
        inode: u64::from(number(fixed, 68)),
        cookie: super::cookie(fixed, COOKIE_AT),
        unread: number(fixed, 56),
        unsent: number(fixed, 60),
        traffic: info.map(|(_, value)| traffic(value)).unwrap_or_default(),
    })
}

fn long(info: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_ne_bytes(info.get(at..at + 8)?.try_into().ok()?))
}

/// What was sent the first time, and what waits to be.
fn written(info: &[u8]) -> Option<u64> {
    let again = long(info, 208)?;
    (long(info, 200)? + u64::from(number(info, 144))).checked_sub(again)
}

/// Milliseconds.
fn age(info: &[u8], at: usize) -> Option<Duration> {
    info.get(at..at + 4).map(|_| Duration::from_millis(u64::from(number(info, at))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::net::{TcpListener, TcpStream};
    use std::os::fd::AsFd;

    fn of_ports(ports: &[u16]) -> Vec<Socket> {
        let mut found = Vec::new();
        each(&[ESTABLISHED, CLOSE_WAIT, LISTEN], Some(ports), |socket| found.push(socket)).unwrap();
        found
    }

    #[test]
    fn tells_what_waits_and_what_has_passed() {
        let server = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = server.local_addr().unwrap().port();
        let mut client = TcpStream::connect(("127.0.0.1", port)).unwrap();
        let (mut accepted, _) = server.accept().unwrap();
        let inode = nix::sys::stat::fstat(accepted.as_fd()).unwrap().st_ino;
        let look = || of_ports(&[port]).into_iter().find(|socket| socket.inode == inode).unwrap();
        assert_eq!((look().unread, look().traffic.received, look().traffic.sent), (0, Some(0), Some(0)));
        client.write_all(b"hello").unwrap();
        assert_eq!((look().unread, look().traffic.received), (5, Some(5)));
        assert!(look().traffic.received_ago.unwrap() < Duration::from_secs(1));
        accepted.read_exact(&mut [0; 5]).unwrap();
        accepted.write_all(b"answer").unwrap();
        assert_eq!((look().unread, look().traffic.sent), (0, Some(6)));
        assert_eq!(look().traffic.written, Some(6));
    }

    #[test]
    fn only_the_wanted_ports() {
        let servers: Vec<_> = (0..40).map(|_| TcpListener::bind("[::1]:0").unwrap()).collect();
        let ports: Vec<_> = servers.iter().map(|server| server.local_addr().unwrap().port()).collect();
        for wanted in [&ports[..], &ports[..1], &ports[1..3], &ports[39..]] {
            let mut found: Vec<_> = of_ports(wanted).iter().map(|socket| socket.port).collect();
            found.sort_unstable();
            let mut wanted = wanted.to_vec();
            wanted.sort_unstable();
            assert_eq!(found, wanted);
        }
        assert_eq!(of_ports(&[]), []);
    }

    /// The kernel does the picking; the check afterwards would hide a wrong program that lets too much through.
    #[test]
    fn the_program_alone_picks() {
        let servers: Vec<_> = (0..3).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
        let ports: Vec<_> = servers.iter().map(|server| server.local_addr().unwrap().port()).collect();
        let mut request = vec![0; 4 + 48];
        request.extend(mask(&[LISTEN]).to_ne_bytes());
        request.extend([0; 4]);
        attribute(&mut request, INET_DIAG_REQ_BYTECODE, &filter(&ports[..2]).unwrap());
        let mut found = Vec::new();
        let read = |message: &[u8]| found.extend(parse(message, |_| Traffic::default()).map(|s| s.port));
        dump_as(TCPDIAG_GETSOCK, &request, read).unwrap();
        found.sort_unstable();
        let mut wanted = ports[..2].to_vec();
        wanted.sort_unstable();
        assert_eq!(found, wanted);
    }
}
