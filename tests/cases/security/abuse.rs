//! The request socket, to which anybody on the machine may connect: floods, garbage, wrong tokens, sockets that are none.

use harness::{Cluster, Options, PATIENCE, app, ask_in_turn, signal, wait_until};
use std::fs::File;
use std::io;
use std::mem::size_of;
use std::net::{TcpListener, UdpSocket};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

/// What a worker was told: the name of the socket, and its token.
fn secrets(pid: u32) -> (Vec<u8>, [u8; 16]) {
    let environ = std::fs::read(format!("/proc/{pid}/environ")).expect("the worker lives");
    let value = |name: &str| {
        let prefix = format!("{name}=");
        let entry = environ.split(|byte| *byte == 0).find_map(|entry| entry.strip_prefix(prefix.as_bytes()));
        entry.unwrap_or_else(|| panic!("{name} is set")).to_vec()
    };
    let digits = String::from_utf8(value("CLUSTERMON_TOKEN")).expect("digits");
    let token =
        std::array::from_fn(|at| u8::from_str_radix(&digits[2 * at..2 * at + 2], 16).expect("digits"));
    (value("CLUSTERMON_SOCKET"), token)
}

/// Connects to the abstract name. A full queue is an error.
fn connect(name: &[u8]) -> io::Result<OwnedFd> {
    // SAFETY: an all-zero sockaddr_un is a valid value.
    let mut address: libc::sockaddr_un = unsafe { std::mem::zeroed() };
    address.sun_family = libc::AF_UNIX as u16;
    for (to, from) in address.sun_path[1..].iter_mut().zip(name) {
        *to = *from as libc::c_char;
    }
    let len = (size_of::<libc::sa_family_t>() + 1 + name.len()) as libc::socklen_t;
    let flags = libc::SOCK_SEQPACKET | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
    // SAFETY: no memory is involved.
    let fd = unsafe { libc::socket(libc::AF_UNIX, flags, 0) };
    assert!(fd >= 0, "{}", io::Error::last_os_error());
    // SAFETY: just made, and nobody else's.
    let link = unsafe { OwnedFd::from_raw_fd(fd) };
    // SAFETY: the address is ours and readable for its length.
    let done = unsafe { libc::connect(fd, (&raw const address).cast(), len) };
    if done < 0 { Err(io::Error::last_os_error()) } else { Ok(link) }
}

/// `listen()` in the words of the second version of the wire.
fn listen_request(token: [u8; 16]) -> Vec<u8> {
    let mut frame = b"clmR\x02\x00\x01\x00".to_vec();
    frame.extend(token);
    frame.extend(std::process::id().to_le_bytes());
    // Descriptor, backlog; device, inode, length of the place.
    frame.extend((-3i32).to_le_bytes());
    frame.extend(i32::MAX.to_le_bytes());
    frame.extend([0; 8 + 8 + 2]);
    frame
}

/// Sends a frame and perhaps a descriptor, and returns the errno of the answer; `None` if the answer is no error.
fn ask(name: &[u8], frame: &[u8], fd: Option<BorrowedFd<'_>>) -> Option<i32> {
    let link = connect(name).expect("there is room in the queue");
    let mut iov = libc::iovec { iov_base: frame.as_ptr().cast_mut().cast(), iov_len: frame.len() };
    let mut control = [0u64; 4];
    // SAFETY: an all-zero msghdr is a valid value.
    let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
    message.msg_iov = &raw mut iov;
    message.msg_iovlen = 1;
    if let Some(fd) = fd {
        message.msg_control = control.as_mut_ptr().cast();
        // SAFETY: computes a length.
        message.msg_controllen = unsafe { libc::CMSG_SPACE(4) } as usize;
        // SAFETY: the buffer has room for one header and one descriptor, and is aligned for it.
        unsafe {
            let header = libc::CMSG_FIRSTHDR(&raw const message);
            (*header).cmsg_level = libc::SOL_SOCKET;
            (*header).cmsg_type = libc::SCM_RIGHTS;
            (*header).cmsg_len = libc::CMSG_LEN(4) as usize;
            libc::CMSG_DATA(header).cast::<i32>().write_unaligned(fd.as_raw_fd());
        }
    }
    // SAFETY: the message points to buffers of this frame.
    let sent = unsafe { libc::sendmsg(link.as_raw_fd(), &raw const message, libc::MSG_NOSIGNAL) };
    assert!(sent >= 0, "{}", io::Error::last_os_error());
    let mut look = libc::pollfd { fd: link.as_raw_fd(), events: libc::POLLIN, revents: 0 };
    // SAFETY: one pollfd of ours.
    let ready = unsafe { libc::poll(&raw mut look, 1, PATIENCE.as_millis() as i32) };
    assert_eq!(ready, 1, "an answer comes");
    let mut answer = [0u8; 64];
    // SAFETY: the buffer is ours. A descriptor beside the answer is dropped by the kernel.
    let len = unsafe { libc::recv(link.as_raw_fd(), answer.as_mut_ptr().cast(), answer.len(), 0) };
    assert!(len >= 8 && answer.starts_with(b"clmR"), "{len} bytes: {answer:?}");
    (answer[6] == 1).then(|| i32::from_le_bytes(answer[8..12].try_into().expect("four bytes")))
}

#[test]
fn who_connects_and_says_nothing_shuts_nobody_out() {
    let Some(app) = app("c-epoll") else { return };
    let mut cluster = Cluster::start(&app, Options::workers(2).flags("--restart-delay 1ms"));
    let (name, _) = secrets(cluster.started()["0"]);
    let held: Vec<_> = (0..700).filter_map(|_| connect(&name).ok()).collect();
    assert!(held.len() >= 600, "only {} connected", held.len());
    signal(cluster.started()["1"], libc::SIGKILL);
    cluster.wait_ready(3);
    // It was taken in, and does not listen by itself.
    assert_eq!(cluster.log().count("worker 1 listens on "), 2);
    assert!(cluster.fd_count() < 350, "{} descriptors", cluster.fd_count());
    cluster.log().wait_for("connected and asked nothing");
    cluster.assert_few_lines("connected and asked nothing");
    drop(held);
    wait_until("they are gone from the supervisor", PATIENCE, || cluster.fd_count() < 60);
    ask_in_turn(&cluster.target(), &app, 10);
    cluster.stop();
}

#[test]
fn garbage_is_dropped_and_hardly_spoken_of() {
    let Some(app) = app("c-epoll") else { return };
    let cluster = Cluster::start(&app, Options::workers(2));
    let (name, token) = secrets(cluster.started()["0"]);
    // Each worker has its page once it has answered.
    ask_in_turn(&cluster.target(), &app, 10);
    let before = cluster.fd_count();
    for round in 0..300usize {
        let garbage: Vec<u8> = (0..1 + round * 7).map(|at| (at * 31 + round) as u8).collect();
        if let Ok(link) = connect(&name) {
            // SAFETY: the buffer is ours and readable for its length.
            unsafe {
                libc::send(link.as_raw_fd(), garbage.as_ptr().cast(), garbage.len(), libc::MSG_NOSIGNAL)
            };
        }
    }
    let mut wrong = token;
    wrong[0] ^= 1;
    let own = UdpSocket::bind("127.0.0.1:0").expect("a port is free");
    for _ in 0..30 {
        assert_eq!(ask(&name, &listen_request(wrong), Some(own.as_fd())), Some(libc::EADDRINUSE));
    }
    assert_eq!(ask(&name, &listen_request(token), None), Some(libc::EBADF));
    cluster.log().wait_for("warning: process ");
    cluster.assert_few_lines("warning: process ");
    wait_until("nothing of it is kept", PATIENCE, || cluster.fd_count() <= before);
    ask_in_turn(&cluster.target(), &app, 10);
    cluster.stop();
}

#[test]
fn what_cannot_listen_is_refused() {
    let Some(app) = app("c-epoll") else { return };
    let cluster = Cluster::start(&app, Options::workers(2));
    let (name, token) = secrets(cluster.started()["1"]);
    // Each worker has its page once it has answered.
    ask_in_turn(&cluster.target(), &app, 10);
    let before = cluster.fd_count();
    let frame = listen_request(token);
    let udp = UdpSocket::bind("127.0.0.1:0").expect("a port is free");
    assert_eq!(ask(&name, &frame, Some(udp.as_fd())), Some(libc::EINVAL));
    let file = File::open("/proc/self/status").expect("/proc is mounted");
    assert_eq!(ask(&name, &frame, Some(file.as_fd())), Some(libc::ENOTSOCK));
    let (pair, _other) = std::os::unix::net::UnixStream::pair().expect("descriptors are left");
    assert_eq!(ask(&name, &frame, Some(pair.as_fd())), Some(libc::EINVAL));
    // SAFETY: no memory is involved.
    let unbound = unsafe { libc::socket(libc::AF_INET, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, 0) };
    // SAFETY: just made, and nobody else's.
    let unbound = unsafe { OwnedFd::from_raw_fd(unbound) };
    assert_eq!(ask(&name, &frame, Some(unbound.as_fd())), Some(libc::EINVAL), "it has no port");
    let stranger = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    assert_eq!(ask(&name, &frame, Some(stranger.as_fd())), Some(libc::EADDRINUSE));
    wait_until("nothing of it is kept", PATIENCE, || cluster.fd_count() <= before);
    ask_in_turn(&cluster.target(), &app, 10);
    cluster.stop();
}
